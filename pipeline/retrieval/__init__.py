"""From a query's vector to a ranking.

Owns: distances, exact rankings, indexes, re-ranking.
Imports: encoders, params, progress, vectors.
"""
