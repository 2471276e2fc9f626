"""From a query's vector to a ranking.

Owns: distances, exact rankings, indexes, re-ranking, and texts as vectors.
Imports: data, encoders, params, progress, vectors.
"""
