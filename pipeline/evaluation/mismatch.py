"""What becomes of a search whose queries are encoded otherwise than the images that answer."""

import numpy as np
import pandas as pd

from pipeline import paths
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.evaluation import protocols
from pipeline.evaluation.metrics import MAP

COLUMNS = ["queries by", "gallery by", MAP, "queries"]


def table(data: str, serving: dict[str, list[str]], frame: pd.DataFrame, queries: int, seed: int) -> pd.DataFrame:
    """What `served` gives of each encoder that a site serves, with the encoders that may ask in its place."""
    tables = [served(data, encoder, others, frame, queries, seed) for encoder, others in serving.items()]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def served(data: str, encoder: str, others: list[str], frame: pd.DataFrame, queries: int, seed: int) -> pd.DataFrame:
    """What becomes of a search when the queries are encoded otherwise than the images that answer.

    mAP by articleType, strict, cosine, on seeded test queries. The thesis's finetuned model finds well in its tables
    and "completely random" images on its site (chapters 4 and 5): two paths to a vector are the suspect.
    """
    rows, table = catalog.draw(catalog.rows_of(frame, catalog.TEST), queries, seed), []
    for other in others:
        right, wrong = (store.read(paths.features(data, name)) for name in (encoder, other))
        wrong_as_right = store.FeatureSet(wrong.ids, wrong.vectors, right.encoder_id)  # what a site does unknowingly
        for ask, answer, query_set, gallery in (
            (encoder, encoder, right, right),
            (other, other, wrong, wrong),
            (other, encoder, wrong_as_right, right),
        ):
            protocols.check_same_images(gallery, frame)
            values = protocols.precisions(query_set.take(rows), gallery, frame, rows, ["articleType"])["articleType"]
            row = dict(zip(COLUMNS, (ask, answer, float(np.nanmean(values)), len(rows)), strict=True))
            table += [row] if row not in table else []
    return pd.DataFrame(table)
