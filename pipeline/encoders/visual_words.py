"""A bag of visual words: how often a picture has which of some small patterns, which are learnt from the train part.

ORB finds corners and describes each by 256 comparisons of pixels; k-means on those of some train pictures gives the
words. Source: Rublee et al. (2011), "ORB: an efficient alternative to SIFT or SURF"; Sivic and Zisserman (2003), "Video
Google", section 4 (words), Arandjelović and Zisserman (2012), section 3 (the root). Document 001 names both, section
2.3.2. Differs: words are means of 0s and 1s under the Euclidean distance, and no word is weighed by its rarity.
"""

import zipfile

import cv2
import numpy as np
from sklearn.cluster import MiniBatchKMeans

from pipeline import params, paths
from pipeline.data import catalog, images
from pipeline.encoders import derived
from pipeline.encoders.store import FeatureSet
from pipeline.progress import ahead, progress

BITS = 256  # of a corner's description
MARGIN = 16  # pixels at the edge that no corner is looked for in: half of the patch that is compared
ROWS = 256  # pictures at once
AHEAD = 4


def run(study: params.Study, name: str) -> None:
    """The stage: makes the features of one bag of words."""
    words(study.data.name, name, study.bags[name])


def words(data: str, name: str, spec: params.Bag) -> FeatureSet:
    """Writes `features/<name>.sqlite` with a histogram of words for every picture, and returns it.

    A picture without a corner has zeros alone, which are as far from all others as a right angle.
    """
    frame = catalog.load(data)
    ids = frame[catalog.ID].tolist()
    learnt = catalog.draw(catalog.rows_of(frame, catalog.TRAIN), spec.pictures, spec.seed)
    facts = [data, frame[catalog.SHA256].fillna("").tolist(), spec.model_dump()]
    with paths.open_images(data) as archive:
        fitted = vocabulary(_corners(archive, [ids[row] for row in sorted(learnt)], spec), spec)

        def counted(start):
            some = ids[start : start + ROWS]
            return some, np.stack([histogram(found, fitted) for found in _corners(archive, some, spec)])

        starts = range(0, len(ids), ROWS)
        parts = progress(ahead(counted, starts, AHEAD), "words", f"x{ROWS} pictures", len(starts))
        return derived.write(data, name, facts, len(ids), spec.words, parts)


def corners(picture: np.ndarray, most: int) -> np.ndarray:
    """Descriptions of a picture's corners, the clearest ones: uint8 (height, width, 3) → 0s and 1s, uint8 (N, 256)."""
    finder = cv2.ORB.create(nfeatures=most, edgeThreshold=MARGIN)
    _, described = finder.detectAndCompute(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), None)
    return (
        np.empty((0, BITS), np.uint8) if described is None else np.unpackbits(np.asarray(described, np.uint8), axis=1)
    )


def vocabulary(found: list[np.ndarray], spec: params.Bag) -> np.ndarray:
    """The words, float32 (K, 256): centres of k-means over all descriptions, (N, 256) each.

    Raises:
        ValueError: fewer descriptions than words.
    """
    every = np.concatenate(found).astype(np.float32)
    if len(every) < spec.words:
        raise ValueError(
            f"{spec.words} words need as many corners. Found: {len(every)} in {len(found)} pictures. "
            "Ask for fewer words, or more pictures"
        )
    return MiniBatchKMeans(spec.words, random_state=spec.seed, n_init=1).fit(every).cluster_centers_


def histogram(found: np.ndarray, words: np.ndarray) -> np.ndarray:
    """The roots of each word's share: descriptions (N, 256), words (K, 256) → float32 (K,), of length 1 or zeros."""
    if not len(found):
        return np.zeros(len(words), np.float32)
    away = np.square(words).sum(axis=1) - 2 * (found.astype(np.float32) @ words.T)
    counts = np.bincount(away.argmin(axis=1), minlength=len(words))
    return np.sqrt(counts / len(found)).astype(np.float32)


def _corners(archive: zipfile.ZipFile, ids: list[str], spec: params.Bag) -> list[np.ndarray]:
    """Corners of pictures that are first brought to one size, so that small ones have some too."""
    side = (spec.image_size, spec.image_size)
    shown = (images.resize(images.decode(archive.read(one)), side, "pad", (255, 255, 255)) for one in ids)
    return [corners(picture, spec.corners) for picture in shown]
