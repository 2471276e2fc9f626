"""What a training batch is: which images, in which order, changed how, with which labels."""

import math
import os
import zipfile
from collections.abc import Callable

import keras
import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit

from pipeline.data import catalog
from pipeline.data.groups import split_groups
from pipeline.encoders.extract import load_pictures
from pipeline.params.finetuning import Batches, Finetune
from pipeline.training import augment

VALIDATION_SHARE = 0.1  # of the train part's groups; the test part is never looked at while training
PICTURE = "picture"  # a number per row: views of one image share it
SPLITS: dict[str, Callable[[pd.DataFrame], pd.Series]] = {  # by the name that a parameter gives it
    "product": lambda frame: frame[catalog.SPLIT],
    "temporal": lambda frame: frame[catalog.TEMPORAL_SPLIT],
    "types": lambda frame: frame[catalog.SPLIT].where(frame[catalog.TYPE_SPLIT] == catalog.TRAIN),
}


class LabelBatches(keras.utils.PyDataset):
    """Batches of what `load` gives with a number per label, made by threads while the network works.

    Args:
        load: positions and the number of the view → what the network sees of them.
        labels: numbers (N,) by name, −1 where an image has none.
        order: positions, as they are to be shown.
        views: how many times each image of a batch is shown, first all of them once, then all again.
    """

    def __init__(
        self,
        load: Callable[[np.ndarray, int], np.ndarray],
        labels: dict[str, np.ndarray],
        order: np.ndarray,
        size: int,
        views: int = 1,
    ):
        super().__init__(workers=os.cpu_count() or 1, use_multiprocessing=False, max_queue_size=8)
        self.load, self.labels, self.order, self.size, self.views = load, labels, order, size, views

    def __len__(self) -> int:
        return -(-len(self.order) // self.size)

    def __getitem__(self, number: int) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        rows = self.order[number * self.size : (number + 1) * self.size]
        shown = np.concatenate([self.load(rows, view) for view in range(self.views)])
        return shown, {name: np.concatenate([numbers[rows]] * self.views) for name, numbers in self.labels.items()}


def images(
    archive: zipfile.ZipFile, ids: list[str], spec: Finetune, epoch: int | None = None
) -> Callable[[np.ndarray, int], np.ndarray]:
    """A function from positions in `ids` and a view to images, uint8 (B, height, width, 3).

    Args:
        epoch: images are changed as the seed, the epoch, the position and the view say; None leaves them unchanged.
    """

    def load(rows: np.ndarray, view: int) -> np.ndarray:
        batch = load_pictures(archive, [ids[row] for row in rows], spec)
        if epoch is None or spec.augment is None:
            return batch
        seeds = ([spec.seed, epoch, view, int(row)] for row in rows)
        return np.stack(
            [
                augment.changed(image, spec.augment, np.random.default_rng(seed))
                for image, seed in zip(batch, seeds, strict=True)
            ]
        )

    return load


def epoch_order(types: np.ndarray, groups: np.ndarray | None, spec: Batches, seed: int, epoch: int) -> np.ndarray:
    """The positions that an epoch shows, as they are shown; depends on the seed and the epoch alone.

    What is too little for a last whole batch is left out, another part each epoch: a batch of a few images would
    upset batch normalisation. Fewer images than one batch are all shown.

    Args:
        types: a number per image (N,), by which `class_power` evens out the classes.
        groups: a number per image (N,), −1 for none, whose members come side by side; None: nobody's.
    """
    rng, count = np.random.default_rng([seed, epoch]), len(types)
    if spec.class_power < 1:
        sizes = pd.Series(types).map(pd.Series(types).value_counts()).to_numpy()
        chance = sizes ** (spec.class_power - 1.0)
        chosen = rng.choice(count, count, p=chance / chance.sum())
    else:
        chosen = rng.permutation(count)
    if groups is not None:
        chosen = chosen[_side_by_side(groups[chosen], spec.per_group)]
    return chosen[: max(count // spec.size * spec.size, min(count, spec.size))]


def parts(frame: pd.DataFrame, spec: Finetune) -> dict[str, pd.DataFrame]:
    """`learn`, `validate`, `test` and `seen`: the train part of the split cut by group, and what is never learnt from.

    `seen` are the pictures of odd years whose group an even year has; the other splits have none. The split by types
    is that by product without the held-out types.
    """
    column, together = SPLITS[spec.split](frame), split_groups(frame)
    train, test, seen = (
        np.flatnonzero((column == part).fillna(False)) for part in (catalog.TRAIN, catalog.TEST, catalog.SEEN)
    )
    learn, validate = _cut(together[train], VALIDATION_SHARE, spec.seed)
    learn = learn[_cut(together[train[learn]], spec.share, spec.seed)[1]]
    return {
        "learn": frame.iloc[train[learn]],
        "validate": frame.iloc[train[validate]],
        "test": frame.iloc[test],
        "seen": frame.iloc[seen],
    }


def class_names(learn: pd.DataFrame, label: str) -> list[str]:
    """The classes that can be learnt, sorted; a product is its display name."""
    return sorted(learn[column_of(label)].dropna().unique())


def column_of(label: str) -> str:
    """The catalogue's column that holds a label; a product is its display name."""
    return catalog.label_columns(label)[0]


def numbers(part: pd.DataFrame, names: dict[str, list[str]]) -> dict[str, np.ndarray]:
    """Class numbers int32 (N,) by label, −1 for a blank one and a class that was not learnt; and a number per image."""
    codes = {label: pd.Index(names[label]).get_indexer(part[column_of(label)]).astype(np.int32) for label in names}
    return {**codes, PICTURE: np.arange(len(part), dtype=np.int32)}


def _cut(together: np.ndarray, share: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the other groups' images, and of about `share` of the groups'; a single group is not cut."""
    count = len(np.unique(together))
    if math.ceil(share * count) >= count:
        everything, nothing = np.arange(len(together)), np.arange(0)
        return (nothing, everything) if share > 0.5 else (everything, nothing)
    chooser = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
    return next(chooser.split(together, groups=together))


def _side_by_side(groups: np.ndarray, most: int) -> np.ndarray:
    """An order in which up to `most` members of a group follow each other, where the first of them stood."""
    table = pd.DataFrame({"group": np.where(groups < 0, -1 - np.arange(len(groups)), groups)})
    table["part"] = table.groupby("group").cumcount() // most
    first = pd.Series(np.arange(len(groups))).groupby([table["group"], table["part"]]).transform("min")
    return np.lexsort((np.arange(len(groups)), first))
