"""What a site asks of whoever keeps its products: this computer's memory and disk, or databases that several share."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np

from pipeline import params
from pipeline.site.encoders import Ready
from pipeline.site.questions import Page, Question

Answer = tuple[list[dict[str, Any]], dict[str, Any]]  # the products that were found, and what they say is shown


class Gallery(Protocol):
    """Products that are searched, added, and taken away; a change is seen by the next question, whoever made it."""

    indexes: Sequence[str]  # that a search may name
    at_once: int  # searches that are answered soonest together

    def start(self) -> None:
        """Gets ready for questions; until then they raise NotReady."""

    def having(self, data: str, names: Sequence[str]) -> list[str]:
        """Those of a run's encoders by which it can be searched. Raises SearchError: of several by none."""

    def load(self, study: params.Study, name: str) -> Ready:
        """An encoder with what a search in this gallery needs of it."""

    def holding(self, ready: Ready) -> AbstractContextManager[None]:
        """While it is entered nothing changes, and every product has features of that encoder."""

    def describing(self, stems: Sequence[str]) -> set[str]:
        """Those of some words' stems that describe a product; a database knows those that did, too."""

    def search(self, ready: Ready, question: Question, vector: np.ndarray | None) -> Answer | None:
        """What a question finds, nearest first, and what is shown; None: the encoder was put aside meanwhile.

        The question says how many are wanted, which filters hold, what is too far, and which product asks: neither it
        nor its copies are found. `vector` (D,) is a photo's.
        """

    def status(self) -> dict[str, Any]:
        """How many `products` are shown, `added` and `hidden`; what `filters` may choose."""

    def listed(self, page: Page) -> dict[str, Any]:
        """A page of the products, as /api/v1/products answers it."""

    def hidden(self) -> list[dict[str, Any]]:
        """The catalogue's products that were taken away, in its order."""

    def product(self, identity: str) -> dict[str, Any]:
        """A product's id, name and labels, and whether it was `added`. Raises Missing."""

    def picture(self, identity: str) -> bytes | None:
        """An added product's image; None: the catalogue has it. Raises Missing."""

    def check(self, identity: str) -> None:
        """Raises Conflict where an id is taken, before work is done for it."""

    def add(self, identity: str, facts: dict[str, str], picture: bytes, vectors: dict[str, np.ndarray]) -> None:
        """Stores a product with its features by encoder id, all or nothing. Raises ProductError, Conflict."""

    def remove(self, identity: str) -> None:
        """Deletes an added product, hides one of the catalogue. Raises Missing."""

    def restore(self, identity: str) -> None:
        """Shows a hidden product again. Raises Conflict."""
