"""Image and text mixed: each weight against a slow loop, the three kinds of query text, and what is circular."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics import average_precision_score

from pipeline.data import catalog, text
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import keys, statistics
from pipeline.params.systems import Hybrid, HybridText
from pipeline.systems import hybrid
from pipeline.systems.keys import KEYS

FULL = HybridText(columns=["productDisplayName", "baseColour"], without=[])
BARE = HybridText(columns=["productDisplayName", "baseColour"], without=["baseColour"])
RUN = Hybrid(
    encoder="e",
    texts={"full": FULL, "bare": BARE},
    modes=["own", "typed", "pseudo"],
    typed=["baseColour", "articleType"],
    weights=[0.0, 0.4, 1.0],
    relevances=["articleType", "product"],
    queries=7,
    pseudo_neighbours=3,
    resamples=200,
    seed=1,
)


@pytest.fixture(scope="module")
def shop(world):
    """The small catalogue with vectors and names that leave no ties."""
    frame, rng = world[0].copy(), np.random.default_rng(8)
    brands = rng.choice(["acme", "puma", "zara", "fila", "nike"], (len(frame), 3))
    words = [" ".join(row) for row in brands]
    named = frame[catalog.PRODUCT].notna()
    frame[catalog.PRODUCT] = (
        pd.Series(words) + " " + frame[catalog.PRODUCT].str[8:] + " " + frame[catalog.ARTICLE].fillna("")
    ).where(named)
    for first, copy in ((0, 1), (6, 9)):
        frame.loc[copy, [catalog.ARTICLE, catalog.PRODUCT]] = frame.loc[first, [catalog.ARTICLE, catalog.PRODUCT]]
    frame.loc[[2, 4], catalog.PRODUCT] = frame.loc[3, catalog.PRODUCT]
    vectors = rng.normal(size=(len(frame), 5)).astype(np.float32)
    return frame, FeatureSet(frame[catalog.ID].to_numpy(object), vectors, "e:1")


@pytest.fixture(scope="module")
def measured(shop):
    return hybrid.measure(shop[1], shop[0], RUN)


def slow(frame, features, columns, mode, weight, relevance, row):
    """AP of one query, from dense arrays and scikit-learn."""
    images = features.vectors / np.linalg.norm(features.vectors, axis=1, keepdims=True)
    said = text.descriptions(frame, columns.columns, columns.without)
    vectorizer = TfidfVectorizer(analyzer=text.stems)
    vectorizer.fit([said[other] for other in range(len(frame)) if frame[catalog.SPLIT][other] == "train"])
    gallery = vectorizer.transform(said).toarray()
    others = np.flatnonzero(frame[catalog.SHA256] != frame[catalog.SHA256][row])
    if mode == "own":
        own = gallery[row]
    elif mode == "typed":
        own = vectorizer.transform(
            [f"{frame[catalog.COLOUR][row] or ''} {frame[catalog.ARTICLE][row] or ''}".lower()]
        ).toarray()[0]
    else:
        nearest = others[np.argsort(-(images[others] @ images[row]))[:3]]
        own = gallery[nearest].sum(axis=0)
        own = own / (np.linalg.norm(own) or 1)
    scores = weight * images[others] @ images[row] + (1 - weight) * gallery[others] @ own
    column = catalog.PRODUCT if relevance == "product" else relevance
    wanted = [pd.notna(frame[column][row]) and frame[column][other] == frame[column][row] for other in others]
    if not any(wanted):
        return np.nan
    order = np.argsort(-scores.round(6), kind="stable")  # texts tie: the catalogue's order decides, as in the index
    ranked = np.array(wanted)[order]
    return average_precision_score(ranked, -np.arange(len(ranked)))


@pytest.mark.parametrize("mode", RUN.modes)
@pytest.mark.parametrize("name", RUN.texts)
def test_every_weight_is_the_slow_loops(shop, measured, name, mode):
    part = measured[(measured["text"] == name) & (measured["mode"] == mode)]
    assert len(part) == 2 * 7 * 3 * 2  # both parts, queries, weights, relevances
    for row in part.itertuples():
        expected = slow(*shop, RUN.texts[name], mode, row.weight, row.relevance, row.query)
        assert pytest.approx(expected, abs=1e-6, nan_ok=True) == row.AP, row


def test_the_image_alone_is_the_same_whatever_the_text(measured):
    alone = measured[measured["weight"] == 1].pivot(index=["query", "relevance"], columns=["text", "mode"], values="AP")
    assert (alone.nunique(axis=1, dropna=False) == 1).all()


def test_half_of_the_queries_choose_and_half_judge(shop, measured):
    parts = shop[0][catalog.SPLIT].to_numpy()[measured["query"]]
    assert (measured["part"] == parts).all()
    assert measured.groupby("part")["query"].nunique().tolist() == [7, 7]


def test_a_pictures_neighbours_are_neither_itself_nor_its_copies(shop):
    frame, features = shop
    copies = pd.factorize(frame[catalog.SHA256])[0]
    images = features.vectors / np.linalg.norm(features.vectors, axis=1, keepdims=True)
    near = hybrid.nearest_others(images, np.arange(len(frame)), copies, 4)
    for row, found in enumerate(near):
        others = np.flatnonzero(copies != copies[row])
        assert found.tolist() == others[np.argsort(-(images[others] @ images[row]), kind="stable")[:4]].tolist()
    few = hybrid.nearest_others(
        images[:3], np.arange(3), copies[:3], 4
    )  # 0 and 1 are copies: each has one other picture
    assert [sorted(row[row >= 0].tolist()) for row in few] == [[2], [2], [0, 1]]


def test_a_summary_holds_means_paired_gains_and_the_weight_that_train_queries_choose(shop, measured):
    summary = hybrid.summarise(measured, shop[0], RUN)
    table, values, resampled = summary.table, summary.values, summary.resampled
    names = {"hybrids": ["s002"], "hybrids.texts": list(table["text"].unique())}
    assert {keys.fault(f"hybrid/s002/{key}", KEYS["hybrid"], names) for key in values} == {""}
    assert len(table) == 2 * 3 * 2 * 3
    for key, rows in table.groupby(["text", "mode", "relevance"]):
        part = measured[(measured[["text", "mode", "relevance"]] == list(key)).all(axis=1)]
        means = part.groupby(["part", "weight"])["AP"].mean()
        assert rows["mAP"].tolist() == pytest.approx(means["test"].tolist())
        assert rows["gain"].tolist() == pytest.approx((means["test"] - means["test"][1.0]).tolist())
        assert rows["gain"].iloc[-1] == rows["gain low"].iloc[-1] == rows["gain high"].iloc[-1] == 0
        assert (rows["best"] == means["train"].idxmax()).all()
        shown = part[part["part"] == "test"].groupby("weight")["F1@5"].mean()
        assert rows["F1@5"].tolist() == pytest.approx(shown.tolist(), nan_ok=True)
        assert [values["/".join([*key[:2], f"{weight:g}", key[2], "F1@5"])] for weight in shown.index] == shown.tolist()
        assert ((rows["low"] <= rows["mAP"]) & (rows["mAP"] <= rows["high"])).all()
        assert (rows["best low"] <= rows["best high"]).all()
        for row in rows.to_dict("records"):
            name = f"{key[0]}/{key[1]}/{row['weight']:g}/{key[2]}/mAP"
            assert values[name] == row["mAP"]
            ends = np.ravel(statistics.interval(resampled[name][:, None]))
            assert ends == pytest.approx([row["low"], row["high"]])


@pytest.mark.parametrize(
    ("columns", "without", "relevance", "own", "typed"),
    [
        (["productDisplayName"], [], "articleType", True, True),
        (["productDisplayName"], ["articleType"], "articleType", False, False),
        (["productDisplayName"], ["articleType"], "gender+articleType", True, False),
        (["productDisplayName"], ["articleType", "gender"], "gender+articleType", False, False),
        (["productDisplayName"], ["articleType"], "product", True, False),
        (["baseColour", "articleType"], [], "product", False, False),
        (["baseColour"], [], "articleType", False, False),
        (["baseColour"], [], "articleType+baseColour", True, False),
        (["articleType", "usage"], [], "articleType+baseColour", True, True),
    ],
)
def test_a_text_that_can_spell_the_label_out_is_circular(columns, without, relevance, own, typed):
    run = RUN.model_copy(
        update={"texts": {"x": HybridText(columns=columns, without=without)}, "typed": ["articleType"]}
    )
    assert hybrid.circular(run, "x", "own", relevance) is own
    assert hybrid.circular(run, "x", "typed", relevance) is typed
    assert hybrid.circular(run, "x", "pseudo", relevance) is False


def test_a_pseudo_text_is_the_slow_mean_of_the_neighbours(rng):
    dense = np.abs(rng.normal(size=(6, 4))) * (rng.random((6, 4)) < 0.6)
    dense[5] = 0
    lengths = np.linalg.norm(dense, axis=1, keepdims=True)
    gallery = sparse.csr_matrix((dense / np.where(lengths > 0, lengths, 1)).astype(np.float32))
    neighbours = np.array([[0, 3, 2], [5, -1, -1], [1, 5, -1], [-1, -1, -1]])
    found = hybrid.pseudo(gallery, neighbours).toarray()
    for row, places in zip(found, neighbours, strict=True):
        total = sum((gallery.toarray()[place] for place in places if place >= 0), np.zeros(4))
        length = np.linalg.norm(total)
        assert row == pytest.approx(total / length if length else total, abs=1e-6)


def test_a_mix_is_a_distance(rng):
    seen, said = rng.uniform(-1, 1, (2, 3, 4)).astype(np.float32)
    for weight in (0.0, 0.3, 1.0):
        expected = 1 - weight * seen.astype(float) - (1 - weight) * said
        assert hybrid.mixed(seen, said, weight) == pytest.approx(expected, abs=1e-6)
        assert hybrid.mixed(seen, said, weight).dtype == np.float32
    beyond = np.float32([[1.0000001, -1.0000001]])  # where rounding left a cosine
    for weight in (0.0, 0.5, 1.0):
        assert hybrid.mixed(beyond, beyond, weight).tolist() == [[0, 2]]
