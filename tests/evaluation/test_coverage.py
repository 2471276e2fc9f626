"""How often the intervals that the study prints hold the truth, with the labels and products of the real data.

sizes.csv holds how many pictures the test part of Kaggle's small data set (split of seed 0, by display name) has of
each product, article type, and article type with colour, without their names: products with the same numbers are one
kind, and `products` counts them. It was made of `catalog.products` and `catalog.label_codes` of the test rows, −1 being
no label.

AP is drawn like the study's: between 0 and 1, with most of it at the ends, nearly alike within a product, and with a
mean per label that is drawn anew each time. So the truth is known, and the pictures of one product count for few.

What 2,000 to 8,000 sets gave, for a mean, a difference, and all differences at once: every query .936 .940 .942; those
with others of their product .945 .948 .943, 400 of them .943 .945 .941; a thousand queries .945 .943 .941; macro means
of types .948 .953 .943, of types with a colour .944 .943 .946, of products .936 .942 .937; photos that spread by 1.2
means .942 .939, by 2 .933 .946, by 2.5 .939 .950, by 4 .885 .947. 250 sets gave .940 for an accuracy.
"""

import numpy as np
import pandas as pd
import pytest

from pipeline import paths
from pipeline.evaluation import classification, statistics

RETRIEVALS, SETS, RESAMPLES = 4, 500, 1000


@pytest.fixture(scope="module")
def queries():
    """A row per test query: its product, type, and type with colour."""
    kinds = pd.read_csv(paths.ROOT / "tests/evaluation/sizes.csv")
    of_kind = kinds.loc[kinds.index.repeat(kinds["products"])].reset_index(drop=True)
    number = of_kind.groupby(["kind", "type", "colour"]).cumcount()  # which of its kind's products
    cells = of_kind.assign(product=pd.factorize(of_kind["kind"] * len(of_kind) + number)[0])
    return cells.loc[cells.index.repeat(cells["pictures"]), ["product", "type", "colour"]].reset_index(drop=True)


def scores(rng, labels, products, count, sets):
    """AP of `RETRIEVALS` retrievals and its expectation; (Q, sets, RETRIEVALS) and by label (count, sets, RETRIEVALS).

    Retrievals have four fifths of their AP from one another, as those of one network in two preparations do.
    """
    cells, place = np.unique(np.stack([labels, products], axis=1), axis=0, return_inverse=True)
    expected = rng.beta(1.2, 2, (1 + RETRIEVALS, count, sets))
    mean = expected[:, cells[:, 0]]
    within = np.clip(rng.beta(1.5 * mean, 1.5 * (1 - mean)), 1e-6, 1 - 1e-6)[:, place.ravel()]
    within[0] = rng.beta(8 * within[0], 8 * (1 - within[0]))
    return tuple(np.moveaxis(0.8 * values[0] + 0.2 * values[1:], 0, 2) for values in (within, expected))


def held(truth, estimates, samples):
    """Whether the intervals of a mean, of a difference and of all differences at once hold the truth.

    Args:
        truth, estimates: (RETRIEVALS,). samples: (R, RETRIEVALS).
    """
    low, high = statistics.interval(samples)
    apart = [values[..., 1:] - values[..., :1] for values in (truth, estimates, samples)]
    one_low, one_high = statistics.difference_interval(apart[1], apart[2])
    all_low, all_high = statistics.simultaneous(apart[1], apart[2])
    return (
        low[0] <= truth[0] <= high[0],
        one_low[0] <= apart[0][0] <= one_high[0],
        bool(((all_low <= apart[0]) & (apart[0] <= all_high)).all()),
    )


KINDS = ["a mean", "a difference", "all differences at once"]


def check(found, least=0.93, most=0.97, kinds=KINDS):
    """Coverage lies between the two, as far as so few sets can tell: by one standard error."""
    coverage = dict(zip(kinds, np.mean(found, axis=0).round(4).tolist(), strict=True))
    print(coverage)
    error = np.sqrt(0.95 * 0.05 / len(found))
    assert all(least - error <= value <= most + error for value in coverage.values()), coverage


def drawn_anew(rng, queries):
    """As many products as there are, drawn with replacement: other products of the same kinds."""
    rows = list(queries.groupby("product").indices.values())
    parts = [rows[place] for place in rng.integers(0, len(rows), len(rows))]
    again = queries.iloc[np.concatenate(parts)]
    return again.assign(product=np.repeat(np.arange(len(parts)), [len(part) for part in parts]))


def with_others(queries):
    """The queries that have another picture of their product to find."""
    return queries[queries.groupby("product")["type"].transform("size") > 1]


def test_accuracies(queries):
    """Each picture right or wrong, with a chance that the pictures of a product have nearly in common."""
    rng, found = np.random.default_rng(9), []
    types = np.bincount(queries["type"])
    for _ in range(SETS // 2):
        part = drawn_anew(rng, queries)
        values, expected = scores(rng, part["type"].to_numpy(), part["product"].to_numpy(), len(types), 1)
        right = rng.random(len(part)) < values[:, 0, 0]
        low, high = classification.accuracy_interval(np.full(len(part), True), right, part["product"].to_numpy())
        found.append([low <= types @ expected[:, 0, 0] / types.sum() <= high])
    check(found, kinds=["an accuracy"])


@pytest.mark.parametrize(
    ("others", "asked"), [(False, None), (True, None), (True, 400)], ids=["all", "with others", "some with others"]
)
def test_means_over_queries(queries, others, asked):
    """Strict mAP and the like, of queries with another picture of their product to find, and of a drawn part.

    PCA and image with text are measured with a thousand queries, of which four in ten have another such picture. What
    keeps coverage below .95 are a few names with 31 to 82 pictures: a third of the variance, and drawn or not.
    """
    rng, found = np.random.default_rng(1), []
    known = with_others(queries) if others else queries
    types = np.bincount(known["type"])
    for _ in range(SETS // 4):
        part = drawn_anew(rng, known)
        part = part.iloc[rng.permutation(len(part))[:asked]]
        labels, products = part["type"].to_numpy(), part["product"].to_numpy()
        values, expected = scores(rng, labels, products, len(types), 4)
        counts = statistics.draws(len(part), RESAMPLES, int(rng.integers(2**31)), products)
        samples = statistics.resampled_means(counts, values.reshape(len(part), -1)).reshape(-1, 4, RETRIEVALS)
        for one in range(4):
            truth = types @ expected[:, one] / types.sum()
            found.append(held(truth, values[:, one].mean(axis=0), samples[:, one]))
    check(found)


@pytest.mark.parametrize("relevance", ["type", "colour"])
def test_macro_means(queries, relevance):
    """A tenth of the types and four in ten of the types with a colour are a single product each."""
    rng, found = np.random.default_rng(2), []
    known = queries[queries[relevance] >= 0]
    labels, products = (pd.factorize(known[column])[0] for column in (relevance, "product"))
    for _ in range(SETS // 100):
        values, expected = scores(rng, labels, products, labels.max() + 1, 100)
        samples = macro(rng, values, labels, products)
        for one in range(100):
            of_labels = pd.DataFrame(values[:, one]).groupby(labels).mean()
            found.append(held(expected[:, one].mean(axis=0), of_labels.mean().to_numpy(), samples[:, one]))
    check(found)


def test_macro_means_of_products(queries):
    """Each label is a product: other products would be other labels."""
    rng, found = np.random.default_rng(3), []
    several = with_others(queries)
    types = np.bincount(several.groupby("product")["type"].first())
    for _ in range(SETS // 10):
        again = drawn_anew(rng, several)
        products = again["product"].to_numpy()
        values, expected = scores(rng, again["type"].to_numpy(), products, several["type"].max() + 1, 10)
        samples = macro(rng, values, products, products)
        for one in range(10):
            truth = types @ expected[: len(types), one] / types.sum()
            estimates = pd.DataFrame(values[:, one]).groupby(products).mean().mean().to_numpy()
            found.append(held(truth, estimates, samples[:, one]))
    check(found)


def macro(rng, values, labels, products):
    """Resampled macro means of values (Q, sets, RETRIEVALS); (R, sets, RETRIEVALS)."""
    seed = int(rng.integers(2**31))
    samples = statistics.resampled_macro_means(values.reshape(len(values), -1), labels, RESAMPLES, seed, products)
    return samples.reshape(RESAMPLES, *values.shape[1:])


# --- user photos: 200 pictures, of which 83 have another of their product to find, each as seven kinds of photo ---


def photos(rng, queries, mean, spread, sets):
    """AP of one kind of photo of each picture, nan where there is nothing to find; and the pictures' products.

    What a better search gains is a tenth of it more or less, now and then more. (200, 2, sets).

    Args:
        mean: of AP. spread: its standard deviation in units of the mean: most find nothing.
    """
    rows = rng.permutation(len(queries))[:200]
    products = np.unique(queries["product"].to_numpy()[rows], return_inverse=True)[1]
    both = (1 - mean) / mean / spread**2 - 1  # the sum of a beta distribution's two parameters
    shape = products.max() + 1, sets
    plain, other = (rng.beta(mean * both, (1 - mean) * both, shape)[products] for _ in range(2))
    values = np.stack([plain, 0.8 * plain + 0.2 * other], axis=1)
    alone = ~queries["product"].duplicated(keep=False).to_numpy()[rows]
    return np.where(alone[:, None, None], np.nan, values), products


def of_photos(queries, mean, spread):
    rng, found = np.random.default_rng(4), []
    for _ in range(SETS // 10):
        values, products = photos(rng, queries, mean, spread, 20)
        counts = statistics.draws(200, RESAMPLES, int(rng.integers(2**31)), products)
        samples = statistics.resampled_means(counts, values.reshape(200, -1)).reshape(RESAMPLES, 2, 20)
        for one in range(20):
            estimates = np.nanmean(values[:, :, one], axis=0)
            found.append(held(np.full(2, mean), estimates, samples[:, :, one]))
    return found


@pytest.mark.parametrize("spread", [1.2, 2.0])
def test_user_photos_that_find_little(queries, spread):
    """All kinds together spread by 1.2 times their mean in the published run, one kind by 1.5 to 2.5."""
    check(of_photos(queries, 0.05, spread))


def test_photos_of_which_one_in_ten_finds_anything_have_intervals_that_promise_too_much(queries):
    """The kind `everything` spreads by four times its mean: of 83 pictures some five say anything, and what none of
    them showed no interval can hold."""
    coverage = np.mean(of_photos(queries, 0.003, 4.0), axis=0)
    print(coverage)
    assert 0.86 < coverage[0] < 0.93
