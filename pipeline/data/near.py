"""Pictures that are nearly equal, though their bytes differ: encoded again, coloured anew, or moved in their frame.

Each is looked at within what is not its white ground, so that a product that stands elsewhere in its picture looks the
same. A difference hash finds candidates; two small pictures decide, without a network. Letters: G pictures.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from pipeline.data import images
from pipeline.data.catalog import ID, SHA256
from pipeline.params.kinds import MOVED, RECODED, RECOLOURED
from pipeline.progress import progress

PAPER = 200  # a pixel that is lighter in all channels is ground, whatever compression has made of white
SIDE = 12  # of the small picture
BITS = 6  # of 64: how far two hashes of one picture lie apart at most
ALIKE = 0.99  # correlation of the small pictures in grey
SAME_COLOUR = 4.0  # mean difference of the small pictures in colour, of 255
STILL = 2  # pixels by which an edge of the product moves where a picture is only encoded again
LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # brightness, which a change of colour may leave as it is
AT_ONCE = 2**22  # pairs of hashes, and a sixteenth of it of pictures: memory does not grow with the catalogue
NEAREST = 32  # of the earlier pictures that one looks like, at most so many: pairs of thousands would fill memory


class Looks(NamedTuple):
    """How pictures look: a hash (G,), where the product is (G, 4), and the product, uint8 (G, side, side, 3)."""

    hashes: np.ndarray
    places: np.ndarray
    small: np.ndarray


def pairs(frame: pd.DataFrame, archive: Path) -> pd.DataFrame:
    """The pairs of nearly equal pictures of a catalogue, as two positions and a kind; none has equal bytes."""
    with zipfile.ZipFile(archive) as opened:
        read = progress((opened.read(name) for name in frame[ID]), "looking for copies", "image", len(frame))
        parts = [look([images.decode(data)]) for data in read]  # one by one: all of them decoded would fill memory
    return compared(Looks(*map(np.concatenate, zip(*parts, strict=True))), pd.factorize(frame[SHA256])[0])


def look(pictures: list[Image.Image]) -> Looks:
    """Each picture's hash, place and small picture. The hash says where brightness rises from left to right.

    Source: Krawetz (2013), "Kind of Like That" (the difference hash, of 9 × 8 grey pixels).
    """
    hashes, places, small = [], [], []
    for picture in pictures:
        shown = np.asarray(picture).min(axis=2) < PAPER
        rows, columns = (np.flatnonzero(shown.any(axis=axis)) for axis in (1, 0))
        whole = (0, 0, picture.width, picture.height)
        place = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if len(rows) else whole
        left, top, right, bottom = (int(edge) for edge in place)
        product = picture.crop((left, top, right, bottom))
        grey = np.asarray(product.convert("L").resize((9, 8), Image.Resampling.BOX), np.int16)
        hashes.append(int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes(), "big"))
        places.append(place)
        small.append(np.asarray(product.resize((SIDE, SIDE), Image.Resampling.BOX)))
    return Looks(np.array(hashes, np.uint64), np.array(places, np.int64), np.stack(small))


def compared(looks: Looks, bytes_: np.ndarray) -> pd.DataFrame:
    """The pairs that look alike, in the order of the first: `one`, `other`, `kind`. Of the earlier pictures that one
    looks like, the first `NEAREST`.

    Args:
        bytes_: a number per picture, equal where bytes are.
    """
    grey = (looks.small @ LUMA).reshape(len(looks.small), -1)
    grey -= grey.mean(axis=1, keepdims=True)
    grey /= np.maximum(np.linalg.norm(grey, axis=1, keepdims=True), 1e-6)
    found, rows = [np.empty((2, 0), int)], max(AT_ONCE // max(len(grey), 1), 1)
    for start in range(0, len(grey), rows):
        stop = min(start + rows, len(grey))
        apart = np.bitwise_count(looks.hashes[start:stop, None] ^ looks.hashes[None, :stop])
        others, ones = np.nonzero(apart <= BITS)
        others += start
        earlier = (ones < others) & (bytes_[ones] != bytes_[others])
        ones, others = ones[earlier], others[earlier]
        alike = _correlated(grey, ones, others) >= ALIKE
        ones, others = ones[alike], others[alike]
        first = np.arange(len(others)) - np.searchsorted(others, others) < NEAREST
        found.append(np.stack([ones[first], others[first]]))
    ones, others = np.concatenate(found, axis=1)
    order = np.lexsort((others, ones))
    ones, others = ones[order], others[order]
    kinds = [kind_of(looks, one, other) for one, other in zip(ones, others, strict=True)]
    return pd.DataFrame({"one": ones, "other": others, "kind": kinds})


def _correlated(grey: np.ndarray, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """The correlation of each of the pairs, a part of them at a time."""
    part = AT_ONCE // 16
    parts = [slice(start, start + part) for start in range(0, max(len(ones), 1), part)]
    return np.concatenate([np.einsum("ij,ij->i", grey[ones[some]], grey[others[some]]) for some in parts])


def kind_of(looks: Looks, one: int, other: int) -> str:
    """What is different in two pictures that look alike: the colour, else the place or size, else only the bytes."""
    colours = np.abs(looks.small[one].astype(int) - looks.small[other]).mean()
    if colours > SAME_COLOUR:
        return RECOLOURED
    return MOVED if np.abs(looks.places[one] - looks.places[other]).max() > STILL else RECODED


def surplus(near: pd.DataFrame, kinds: Sequence[str], count: int) -> np.ndarray:
    """Which of `count` pictures repeat an earlier one that some pairs of these kinds join them with; bool (G,)."""
    chosen = near[near["kind"].isin(kinds)]
    graph = coo_array((np.ones(len(chosen)), (chosen["one"], chosen["other"])), shape=(count, count))
    groups = connected_components(graph, directed=False)[1]
    return pd.Series(groups).duplicated().to_numpy()
