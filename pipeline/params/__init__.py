"""What can be chosen: one frozen, validated model per section of `params.yaml`, and the kinds that they may name.

Owns: every parameter's name, type, bounds and default, and each list of kinds. Light, so that a misspelt parameter
stops before a network is loaded. `from pipeline import params` is enough for most code.
Imports: paths.
"""

from pipeline.params.chapters import (
    CHAPTERS,
    Eda,
    EmbeddingSpace,
    Evaluation,
    KnnRetrieval,
    Reenactment,
    Retrieval,
    ThesisModel,
    Within,
)
from pipeline.params.expansion import Expansion
from pipeline.params.finetuning import Finetune
from pipeline.params.kinds import Backbone, Distance, Index, retrieval_name
from pipeline.params.loading import load
from pipeline.params.networks import Bag, Concatenation, Encoder, Layer, Network, Weights
from pipeline.params.scale import Scale, Slurm
from pipeline.params.sections import ParamsError, Section, check, nearest, read_yaml
from pipeline.params.study import Data, Study, from_notebook, version
from pipeline.params.systems import SYSTEMS, Hybrid, HybridText, IndexStudy, Recommendation, Reranking, UserPhotos

__all__ = [
    "CHAPTERS",
    "SYSTEMS",
    "Backbone",
    "Bag",
    "Concatenation",
    "Data",
    "Distance",
    "Eda",
    "EmbeddingSpace",
    "Encoder",
    "Evaluation",
    "Expansion",
    "Finetune",
    "Hybrid",
    "HybridText",
    "Index",
    "IndexStudy",
    "KnnRetrieval",
    "Layer",
    "Network",
    "ParamsError",
    "Recommendation",
    "Reenactment",
    "Reranking",
    "Retrieval",
    "Scale",
    "Section",
    "Slurm",
    "Study",
    "ThesisModel",
    "UserPhotos",
    "Weights",
    "Within",
    "check",
    "from_notebook",
    "load",
    "nearest",
    "read_yaml",
    "retrieval_name",
    "version",
]
