"""What a ranking is worth.

Owns: metrics, protocols, thresholds, statistics, the embedding space, and the families of measurements with their keys.
Imports: data, encoders, files, params, paths, progress, retrieval, scale, stages, vectors.
"""
