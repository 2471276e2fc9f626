"""TF-IDF of product descriptions: the text half of document 002's hybrid search, and words on the site.

Source: document 002, section 3 (its public code holds no TF-IDF). A description is made of the catalogue's columns;
which ones is a choice, because most names spell out the label that a search is judged by.
"""

import re

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer

from pipeline.data import catalog

TOKEN = re.compile(r"[^\W_]+")


class TextError(ValueError):
    """Descriptions that cannot be compared."""


def descriptions(frame: pd.DataFrame, columns: list[str], without: list[str] | None = None) -> list[str]:
    """One text per image: the columns' words in small letters; a blank says nothing.

    Args:
        without: labels whose words are taken out of every text, whoever they belong to: what is left cannot spell the
            label that a search is judged by. Words are matched by their stem, so `shirt` goes with `Shirts`.

    Raises:
        TextError: no columns, or one that the catalogue has not.
    """
    known = [*catalog.LABELS, catalog.PRODUCT]
    unknown = [name for name in [*columns, *(without or [])] if name not in known]
    if unknown or not columns:
        raise TextError(f"descriptions need columns of the catalogue. Allowed: {known}. Received: {unknown or columns}")
    left_out = label_stems(frame, without or [])
    texts = frame[columns].fillna("").astype(str).agg(" ".join, axis=1)
    return [" ".join(word for word in words(text) if stem(word) not in left_out) for text in texts]


def words(text: str) -> list[str]:
    """The words of a text in small letters."""
    return TOKEN.findall(text.casefold())


def stem(word: str) -> str:
    """A word without the ending of its plural or genitive: `dresses`, `watches`, `shoes` and `men's` lose theirs."""
    for ending, kept in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x")):
        if word.endswith(ending) and len(word) > len(ending) + 1:
            return word[: -len(ending)] + kept
    return word[:-1] if word.endswith("s") and not word.endswith("ss") and len(word) > 2 else word


def label_stems(frame: pd.DataFrame, labels: list[str]) -> set[str]:
    """The stems of all words in all values of some labels."""
    values = [value for label in labels for value in frame[label].dropna().astype(str).unique()]
    return {stem(word) for value in values for word in words(value)}


def fit(texts: list[str]) -> TfidfVectorizer:
    """The vocabulary and the weights of its words, from the train part's descriptions; words go by their stems.

    Raises:
        TextError: no text has a word.
    """
    vectorizer = TfidfVectorizer(analyzer=stems, dtype=np.float32)
    try:
        return vectorizer.fit(texts)
    except ValueError:
        raise TextError(
            f"none of {len(texts)} descriptions has a word: give more columns, or take fewer labels' words out"
        ) from None


def counted(texts: list[str], known: dict[str, int]) -> tuple[sparse.csr_matrix, dict[str, int]]:
    """How often each text has each stem, float32 (G, V), and the columns of the stems: those `known`, then new ones."""
    new = sorted({stem for text in texts for stem in stems(text)} - known.keys())
    columns = known | {stem: len(known) + place for place, stem in enumerate(new)}
    if not columns:
        return sparse.csr_matrix((len(texts), 0), dtype=np.float32), columns
    counter = CountVectorizer(analyzer=stems, vocabulary=columns, dtype=np.float32)
    return counter.transform(texts), columns


def weighted(counts: sparse.csr_matrix, columns: dict[str, int]) -> tuple[TfidfVectorizer, sparse.csr_matrix]:
    """What `fit` gives for the texts that were `counted`, and their TF-IDF rows (G, V); no text is read again.

    Raises:
        TextError: no text has a word.
    """
    if not counts.nnz:
        raise TextError(f"none of {counts.shape[0]} descriptions has a word: give more columns")
    vectorizer = TfidfVectorizer(analyzer=stems, vocabulary=columns, dtype=np.float32)
    weights = TfidfTransformer().fit(counts)
    vectorizer.idf_ = weights.idf_
    return vectorizer, weights.transform(counts)


def stems(text: str) -> list[str]:
    """The stems of a text's words.

    >>> stems("Men's Red Dresses, Watches")
    ['men', 's', 'red', 'dress', 'watch']
    """
    return [stem(word) for word in words(text)]
