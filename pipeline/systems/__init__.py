"""What the four smaller documents build: indexes (000), image and text (002), user photos (003), recommendation (004).

Owns: a module per system with what it measures, the keys of all of them, the photos that users take or that are
simulated, and their figures.
Imports: data, encoders, evaluation, figures, params, paths, progress, retrieval, vectors.
"""
