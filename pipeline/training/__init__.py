"""From weights to better weights.

Owns: losses, what has state while training, batches and their changes, the objective, and runs that can be killed.
Imports: data, encoders, evaluation, files, params, paths, progress.
"""
