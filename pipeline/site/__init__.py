"""The study's encoders and catalogue, to be asked by people and programs.

Owns: the search as it is asked, the products that were added or hidden, the service and its page.
Imports: data, encoders, environment, evaluation, files, params, paths, retrieval, systems.
"""
