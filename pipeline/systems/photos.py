"""User photos as queries: those that came with the data, and those simulated from the catalogue."""

import hashlib
import json
import zipfile
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd
from PIL import Image

from pipeline import paths
from pipeline.data import catalog, images
from pipeline.data.boxes import TABLE, Box
from pipeline.params.kinds import GIVEN, PhotoKind
from pipeline.systems import simulation


class Photo(NamedTuple):
    """A photo that asks; `row`: the catalogue's row it was made from, or one of its product; −1 where none is known."""

    id: str
    kind: str
    row: int
    box: Box | None
    data: bytes

    def image(self) -> Image.Image:
        """The photo as RGB."""
        return images.decode(self.data)


def given(data: str, frame: pd.DataFrame, most: int | None = None) -> Iterator[Photo]:
    """The photos that came with the data, in their table's order.

    A photo's `product_id` is the display name of its product or the id of one of its images.
    """
    by_name = {name: row for row, name in reversed(list(enumerate(frame[catalog.PRODUCT]))) if isinstance(name, str)}
    by_id = {identity: row for row, identity in enumerate(frame[catalog.ID])}
    with zipfile.ZipFile(paths.user_photos(data)) as archive:
        for number, facts in enumerate(json.loads(archive.read(TABLE))[:most]):
            row = by_name.get(facts["product"], by_id.get(facts["product"], -1))
            box = Box(*facts["box"]) if facts["box"] else None
            yield Photo(facts["id"], GIVEN, row, box, archive.read(str(number)))


def simulated(data: str, frame: pd.DataFrame, rows: np.ndarray, kinds: list[PhotoKind], seed: int) -> Iterator[Photo]:
    """A photo of each kind for each of some catalogue rows; the same for the same seed, whatever else is asked for."""
    with paths.open_images(data) as archive:
        for row in rows:
            identity = frame[catalog.ID].iloc[row]
            picture = images.decode(archive.read(identity))
            for kind in kinds:
                known = hashlib.sha256(f"{seed} {kind} {identity}".encode()).digest()
                made, box = simulation.simulate(picture, kind, np.random.default_rng(list(known)))
                yield Photo(f"{identity} {kind}", kind, int(row), box, made)
