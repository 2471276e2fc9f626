"""From a query's vector to a ranking.

Owns: distances, exact rankings, indexes, re-ranking, texts as vectors, and how image and text are mixed.
Imports: data, encoders, params, progress, vectors.
"""
