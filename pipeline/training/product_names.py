"""The words of product names as vectors, for a term that holds pictures against names."""

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from threadpoolctl import threadpool_limits

from pipeline.data import catalog
from pipeline.params.finetuning import Finetune, Names
from pipeline.vectors import unit

NAMES = "names"  # the kind of the term, and where a batch's labels hold the vectors


def vectors_of(learn: pd.DataFrame, spec: Finetune) -> dict[str, np.ndarray]:
    """Under `NAMES` what the objective's term needs of the learnt images; nothing where it has no such term."""
    terms = [term for term in spec.objective if isinstance(term, Names)]
    return {NAMES: vectors(learn[catalog.PRODUCT], terms[0].words, spec.seed)} if terms else {}


def vectors(names: pd.Series, words: int, seed: int) -> np.ndarray:
    """A vector of length 1 per image, from its product's name; zeros where there is none, float32 (N, words).

    TF-IDF of single words and pairs that two names have, in logarithms of their counts, squeezed by truncated singular
    values. Source: Deerwester et al. (1990), "Indexing by Latent Semantic Analysis", section 4.
    """
    said = names.fillna("")
    try:
        weighted = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit_transform(said)
    except ValueError:  # no word in two names
        return np.zeros((len(said), words), np.float32)
    kept = min(words, min(weighted.shape) - 1)
    found = np.zeros((len(said), words), np.float32)
    if kept > 0:
        with threadpool_limits(1):  # sums over several threads depend on how many there are
            found[:, :kept] = TruncatedSVD(kept, random_state=seed).fit_transform(weighted)
    return unit(found)
