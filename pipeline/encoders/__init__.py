"""From an image to a vector.

Owns: the networks, their weights on disk, extraction, and features in their files.
Imports: data, files, params, paths, progress, scale, stages, vectors.
"""
