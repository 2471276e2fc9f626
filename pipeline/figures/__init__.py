"""Frames and arrays in, figures out.

Owns: every figure of the chapters but the systems'; nothing is computed here.
Imports: data, evaluation, paths, retrieval.
"""
