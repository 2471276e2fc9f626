"""Cards of finetunes that were never trained, and keys of what they would reach."""

import children

from pipeline import params
from pipeline.evaluation import finetunes

CROSS = {"kind": "cross_entropy", "by": "articleType", "weight": 1.0}
SUP_CON = {"kind": "sup_con", "by": "articleType", "weight": 1.0, "temperature": 0.1}
MEMORY = {"size": 64, "warm_up": 2}
AUGMENT = {"flip": True, "crop": 0.1, "pad": 0.0, "rotation": 5.0, "brightness": 0.0, "contrast": 0.0, "colour": 0.0}
BATCHES, OPTIMISER = children.FINETUNE.batches.model_dump(), children.FINETUNE.optimiser.model_dump()


def card(metrics=None, **changes):
    """What training leaves beside its weights, of a finetune that differs in some settings."""
    spec = children.finetune_like(**changes).model_dump()
    return {"source": "finetune", "data": "sample", **spec, "metrics": metrics or {"epochs": 3}, "classes": {}}


def found_of(**cards):
    """Cards by encoder; a finetune has its encoder's name in capitals."""
    return {encoder: {"finetune": encoder.upper(), **one} for encoder, one in cards.items()}


def values_of(encoders, rng):
    return {f"{encoder}-cosine/{place}": rng.random() for encoder in encoders for place in finetunes.PLACES.values()}


def pair(first, second, share=0.3):
    return params.Concatenation(first=first, second=second, share=share)
