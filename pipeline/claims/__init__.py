"""What the documents say, and what is left of it.

Owns: `params/claims.yaml`, the union of all families of measurements, and the verdicts.
Imports: data, evaluation, params, paths, systems.
"""
