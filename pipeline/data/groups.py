"""Which images must stay on one side of a split: copies of each other, and the pictures of one product."""

import unicodedata

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.data import catalog


def split_groups(frame: pd.DataFrame) -> np.ndarray:
    """A number per image, equal where two images must not be parted; int32 (G,), numbered as they first appear.

    Two images belong together where their bytes are equal, or their display names but for case, punctuation and blanks;
    so do images that a chain of such pairs joins: the connected components of both relations. A blank name is nobody's.
    Differs: `catalog.products`, which relevance is judged by, goes by the display name as it stands.

    >>> names = ["Red Shirt", "red-shirt", "Tie", None, "Cap"]
    >>> split_groups(pd.DataFrame({catalog.PRODUCT: names, catalog.SHA256: ["3fa0", "b917", "77c1", "77c1", "c0de"]}))
    array([0, 0, 1, 1, 2], dtype=int32)
    """
    count, images = len(frame), np.arange(len(frame))
    names = pd.factorize(frame[catalog.PRODUCT].map(spelling, na_action="ignore"))[0]
    named = names >= 0
    # each image is joined with its bytes and its name, which are nodes as well: pairs would be too many
    ends = np.concatenate([count + catalog.duplicates(frame), 2 * count + names[named]])
    starts = np.concatenate([images, images[named]])
    graph = coo_array((np.ones(len(ends), np.int8), (starts, ends)), shape=(3 * count, 3 * count))
    return connected_components(graph, directed=False)[1][:count]


def spelling(name: str) -> str:
    """A name without case, punctuation and blanks; one that has nothing else stays as it is.

    >>> spelling("Levi's  T-Shirt"), spelling("LEVIS tshirt"), spelling("--")
    ('levistshirt', 'levistshirt', '--')
    """
    letters = unicodedata.normalize("NFKC", name).casefold()
    return "".join(letter for letter in letters if unicodedata.category(letter)[0] in "LMN") or name
