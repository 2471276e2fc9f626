"""The card beside weights: what they are, where they come from, what they have learnt. Light to import."""

import json
from pathlib import Path

from pipeline import paths, stages
from pipeline.params.cards import CARD


class WeightsError(ValueError):
    """Weights that cannot be had, or are not what they should be."""


def read_card(folder: Path) -> dict:
    """What is known of the weights in a folder.

    Raises:
        WeightsError: it holds none, or a damaged one; names the stages that make it.
    """
    command = f"dvc repro {stages.makers(paths.weights, folder.name)}"
    try:
        return dict(json.loads((folder / CARD).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise WeightsError(f"{folder.name} has no {CARD}. Make it with: {command}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise WeightsError(
            f"{folder.name}/{CARD} is damaged ({error}). Make the weights again, with: {command}"
        ) from None
