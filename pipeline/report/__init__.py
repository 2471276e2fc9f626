"""What a finished run shows and leaves behind.

Owns: the pages, the numbers that are copied to `reference/` and their pages, and the tables of README.md and `docs/`.
Imports: claims, data, encoders, evaluation, figures, files, params, paths, stages, systems.
"""
