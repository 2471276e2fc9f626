"""The words of product names as vectors: what a term holds pictures against, and what names alone find."""

import numpy as np
import pandas as pd
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from threadpoolctl import threadpool_limits

from pipeline.vectors import unit


def embedded(names: pd.Series, words: int, seed: int) -> np.ndarray:
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
