"""What a training batch is: which pictures, in which order, with which labels."""

import os
import zipfile

import keras
import numpy as np
import pandas as pd
from sklearn.model_selection import GroupShuffleSplit

from pipeline import params
from pipeline.data import catalog
from pipeline.encoders.extract import load_pictures

VALIDATION_SHARE = 0.1  # of the train part's products; the test part is never looked at while training


class LabelBatches(keras.utils.PyDataset):
    """Pictures uint8 (B, height, width, 3) with class numbers (B,), decoded by threads while the network works.

    Args:
        order: positions in `ids`, as they are to be shown.
    """

    def __init__(
        self, archive: zipfile.ZipFile, ids: list[str], labels: np.ndarray, order: np.ndarray, spec: params.Finetune
    ):
        super().__init__(workers=os.cpu_count() or 1, use_multiprocessing=False, max_queue_size=8)
        self.archive, self.ids, self.labels, self.order, self.spec = archive, ids, labels, order, spec

    def __len__(self) -> int:
        return -(-len(self.order) // self.spec.batch_size)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        rows = self.order[number * self.spec.batch_size : (number + 1) * self.spec.batch_size]
        return load_pictures(self.archive, [self.ids[row] for row in rows], self.spec), self.labels[rows]


def shuffled(count: int, seed: int, epoch: int) -> np.ndarray:
    """An order of `count` pictures that depends on the seed and the epoch alone, so a resumed run repeats it."""
    return np.random.default_rng([seed, epoch]).permutation(count)


def learn_and_validate(frame: pd.DataFrame, label: str, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The train part, cut by product into what is learnt from and what is validated on; rows without `label` are left out."""
    train = frame[(frame[catalog.SPLIT] == catalog.TRAIN) & frame[label].notna()]
    products = train[catalog.PRODUCT].fillna("id " + train[catalog.ID])
    chooser = GroupShuffleSplit(n_splits=1, test_size=VALIDATION_SHARE, random_state=seed)
    learn, validate = next(chooser.split(train, groups=products))
    return train.iloc[learn], train.iloc[validate]
