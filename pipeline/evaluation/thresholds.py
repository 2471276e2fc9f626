"""A threshold as the thesis uses one (section 4.3: similarity above .78), turned into a method and measured.

A pair of images matches when its distance is below the threshold; it is right when both have one label. Counts are
over pairs: precision = right matches / matches, recall = right matches / right pairs. The threshold of best F1 is
chosen on pairs of train images and judged on test queries against the whole gallery.
"""

import numpy as np
import pandas as pd
from numba import njit

BINS = 4096  # of a distance's range: cosine's threshold is known to .0005 or better
NOBODYS = -1  # the number of what answers nobody
DISTANCE, TRAIN_ALL, TRAIN_RIGHT, TEST_ALL, TEST_RIGHT = "distance", "train", "train_right", "test", "test_right"


def histogram(
    distances: np.ndarray, excluded: tuple[np.ndarray, np.ndarray], labels: tuple[np.ndarray, np.ndarray], top: float
) -> tuple[np.ndarray, np.ndarray]:
    """How many pairs, and how many right pairs, lie in each of `BINS` equal steps from 0 to `top`; int64 (BINS,) each.

    Args:
        distances: float32 (Q, G).
        excluded: numbers (Q,) and (G,): a pair with one number is a query and itself or its copy, and is not counted;
            nor is what has the number `NOBODYS`.
        labels: int32 (Q,) and (G,); −1 is no label, right with nothing.
        top: what lies beyond it counts in the last step.
    """
    return _histogram(distances, *excluded, *labels, BINS / max(top, 1e-12))


def steps(top: float) -> np.ndarray:
    """The upper end of each step; float64 (BINS,)."""
    return np.arange(1, BINS + 1) * (max(top, 1e-12) / BINS)


def curve(counts: pd.DataFrame, part: str) -> pd.DataFrame:
    """Precision, recall and F1 of every threshold; `counts` has a row per step, `part` is `train` or `test`.

    `matches` is how many pairs lie below it. Precision is nan where none does.
    """
    matches, right = counts[part].cumsum(), counts[f"{part}_right"].cumsum()
    precision = right / matches.where(matches > 0)
    recall = right / max(int(counts[f"{part}_right"].sum()), 1)
    f1 = (2 * precision * recall / (precision + recall).where(precision + recall > 0)).fillna(0.0)
    return pd.DataFrame(
        {
            "threshold": counts[DISTANCE],
            "matches": matches,
            "precision": precision,
            "recall": recall,
            "F1": f1,
        }
    )


def best(counts: pd.DataFrame) -> pd.DataFrame:
    """The train part's threshold of best F1, and what it does on the train part and on the test queries: two rows."""
    place = int(curve(counts, TRAIN_ALL)["F1"].to_numpy().argmax())
    return pd.DataFrame([curve(counts, part).iloc[place].rename(part) for part in (TRAIN_ALL, TEST_ALL)])


def at(counts: pd.DataFrame, threshold: float, part: str = TEST_ALL) -> pd.Series:
    """Precision, recall and F1 of one given threshold, to the nearest step below it; above all steps, of the last."""
    place = int(np.searchsorted(counts[DISTANCE].to_numpy(), threshold * (1 + 1e-9), side="right")) - 1
    return curve(counts, part).iloc[max(place, 0)]


def transferred(counts: pd.DataFrame, thresholds: np.ndarray) -> np.ndarray:
    """The F1 over all test pairs of thresholds that were each read off one picture; (Q,) → (Q,)."""
    places = np.searchsorted(counts[DISTANCE].to_numpy(), thresholds, side="right") - 1
    return curve(counts, TEST_ALL)["F1"].to_numpy()[np.clip(places, 0, len(counts) - 1)]


def first_miss(
    distances: np.ndarray, order: np.ndarray, hits: np.ndarray, counts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The distance of each query's first wrong neighbour, and how many right ones stand before it; (Q,) each.

    This is the thesis's way to a threshold: relax it until just before something wrong appears. Where nothing wrong
    can be found the distance is infinite.

    Args:
        distances: float32 (Q, G), in the gallery's order.
        order: int32 (Q, G), nearest first.
        hits: bool (Q, G), whether each rank is right.
        counts: int (Q,), how many ranks count.
    """
    ranks = np.where(hits.all(axis=1), hits.shape[1], np.argmin(hits, axis=1))
    ranks = np.minimum(ranks, counts)
    rows = np.arange(len(hits))
    first = distances[rows, order[rows, np.minimum(ranks, hits.shape[1] - 1)]]
    return np.where(ranks < counts, first, np.inf), ranks


@njit(nogil=True, cache=True)
def _histogram(distances, query_codes, gallery_codes, query_labels, gallery_labels, scale):
    every, right = np.zeros(BINS, np.int64), np.zeros(BINS, np.int64)
    for query in range(distances.shape[0]):
        for item in range(distances.shape[1]):
            if gallery_codes[item] != NOBODYS and gallery_codes[item] != query_codes[query]:
                place = min(int(distances[query, item] * scale), BINS - 1)
                every[place] += 1
                if query_labels[query] >= 0 and gallery_labels[item] == query_labels[query]:
                    right[place] += 1
    return every, right
