"""What a term that holds pictures against names needs of the learnt pictures."""

import numpy as np
import pandas as pd

from pipeline.data import catalog, name_vectors
from pipeline.params.finetuning import Finetune, Names

NAMES = "names"  # the kind of the term, and where a batch's labels hold the vectors


def vectors_of(learn: pd.DataFrame, spec: Finetune) -> dict[str, np.ndarray]:
    """Under `NAMES` the names' vectors, where the objective has such a term; else nothing."""
    terms = [term for term in spec.objective if isinstance(term, Names)]
    return {NAMES: name_vectors.embedded(learn[catalog.PRODUCT], terms[0].words, spec.seed)} if terms else {}
