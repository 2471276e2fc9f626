"""What a finished run shows and leaves behind.

Owns: the pages, and the numbers that are copied to `reference/`.
Imports: claims, evaluation, files, params, paths, stages.
"""
