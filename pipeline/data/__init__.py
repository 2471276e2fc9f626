"""Images and labels before any network.

Owns: sources and their hostile bytes, the catalogue and its numbers (labels, products, duplicates, groups, splits,
draws), images as arrays, descriptions as words, users' photos and their boxes.
Imports: files, params, paths, progress, vectors.
"""
