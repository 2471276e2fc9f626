"""Whether a result is the same, what differs between two, and what a submission is worth.

Owns: verification with its receipts, comparison of runs, grading; none of them runs what it looks at, unless asked.
Imports: claims, data, evaluation, files, machine, notebooks, params, paths, report, sources, stages, vectors.
"""
