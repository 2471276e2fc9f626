"""From a query's vector to a ranking.

Owns: distances, exact rankings, indexes, re-ranking, vectors expanded by their neighbours.
Imports: data, encoders, params, paths, progress, vectors.
"""
