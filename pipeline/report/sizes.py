"""What millions of pictures take, on paper: time, memory and disk from the rates that were measured on two cores.

Nothing here was run at these sizes. Time grows with the pictures, and a ranking's with pictures and queries.
"""

import json
from typing import NamedTuple

from pipeline import paths
from pipeline.encoders import store

ENCODER, DIMENSION = "efficientnet_lite0 at 224", 1280  # whose rate is taken
RANKED, GALLERY = "mAP of 44,441 pictures", 44_441  # the rate of full rankings, and of how many
PICTURE = 2_476  # bytes of a picture in the zip: 110,029,940 of 44,441, at 80×60 pixels
ROW = 5_478  # bytes of a row of SQLite: 243,458,048 of 44,441 with 1,280 numbers
MAPPED = 4 * DIMENSION + 12  # of one that is mapped from disk: its numbers, and its id
QUERIES = 10_000
DAY, MACHINE = 86_400, 32e9  # seconds; bytes of memory of the machine that is spoken of


class Rates(NamedTuple):
    """Pictures extracted a second, and queries whose full ranking of `GALLERY` pictures is judged a second."""

    extracted: float
    ranked: float


class Size(NamedTuple):
    """What so many pictures take: gigabytes on disk as pictures and as features, gigabytes of memory of whoever ranks
    them whole, hours of extraction, and hours of judging `QUERIES` full rankings."""

    pictures: float
    features: float
    memory: float
    extraction: float
    ranking: float


def measured() -> Rates:
    """The rates of the last benchmarks."""
    rows = json.loads(paths.BENCH.read_text(encoding="utf-8"))["rows"]
    extracted, ranked = (next(row["ours"] for row in rows if row["work"].startswith(it)) for it in (ENCODER, RANKED))
    return Rates(extracted, ranked)


def size(pictures: float, rates: Rates) -> Size:
    """What so many pictures take on one machine of two cores."""
    mapped = pictures > store.LARGE
    return Size(
        pictures=pictures * PICTURE / 1e9,
        features=pictures * (MAPPED if mapped else ROW) / 1e9,
        memory=(1 if mapped else 2) * 4 * DIMENSION * pictures / 1e9,  # at length 1, and as they are unless mapped
        extraction=pictures / rates.extracted / 3600,
        ranking=QUERIES / rates.ranked * pictures / GALLERY / 3600,
    )


def limits(rates: Rates) -> dict[str, float]:
    """Up to how many pictures each part stays on that machine: what takes a day there, or all of its memory."""
    one = size(1, rates)
    return {
        "extraction": DAY / 3600 / one.extraction,
        "ranking": DAY / 3600 / one.ranking,
        "memory": MACHINE / 1e9 / one.memory,
    }
