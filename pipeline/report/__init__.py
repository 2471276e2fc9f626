"""What a finished run shows and leaves behind.

Owns: the pages, the numbers that are copied to `reference/`, and the tables of README.md and `docs/`.
Imports: claims, evaluation, files, params, paths, stages.
"""
