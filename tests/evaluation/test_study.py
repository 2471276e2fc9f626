"""The study's table from scores on disk: means, intervals, chance levels, differences, who is compared, and files."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from pipeline import params, paths
from pipeline.data import catalog
from pipeline.encoders.store import FeatureSet
from pipeline.evaluation import export, keys, metrics, scoring, statistics, study, tables

EVALUATION = params.Evaluation(resamples=300, worst_classes=3, worst_queries=3, serving={}, serving_queries=9, seed=1)
RETRIEVALS = {
    "good-cosine": params.Retrieval(encoder="good", distance="cosine"),
    "good-manhattan": params.Retrieval(encoder="good", distance="manhattan"),
    "bad-cosine": params.Retrieval(encoder="bad", distance="cosine"),
}
STRICT = "strict/all/articleType"


@pytest.fixture(scope="module")
def place(world, run, tmp_path_factory):
    """A project's folder with a catalogue and the scores of three retrievals; by retrieval, what was judged."""
    frame, features = world
    rng = np.random.default_rng(6)
    types = catalog.label_codes(frame, "articleType")
    vectors = {
        "good": (np.eye(8)[types] + 0.4 * rng.normal(size=(30, 8))).astype(np.float32),
        "bad": rng.normal(size=(30, 8)).astype(np.float32),
    }
    root, judged = tmp_path_factory.mktemp("study"), {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ROOT", root)
        paths.scores("sample", "x").parent.mkdir(parents=True)
        frame.to_parquet(paths.catalog("sample"), index=False)
        for name, retrieval in RETRIEVALS.items():
            made = FeatureSet(features.ids, vectors[retrieval.encoder], retrieval.encoder)
            judged[name] = scoring.evaluate(made, frame, retrieval.distance, run)
            judged[name].scores.to_parquet(paths.scores("sample", name), index=False)
    return root, judged


@pytest.fixture
def here(place, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", place[0])
    return place[1]


@pytest.fixture(scope="module")
def measured(place):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(paths, "ROOT", place[0])
        return study.measure("sample", RETRIEVALS, EVALUATION)


def rows_of(judged, retrieval="good-cosine", protocol="strict", gallery="all", relevance="articleType"):
    return tables.pick(judged[retrieval].scores, protocol=protocol, gallery=gallery, relevance=relevance)


# --- the table ---


def test_every_value_is_the_mean_over_queries_with_something_to_find(place, measured):
    for _, row in measured.table.iterrows():
        if row["metric"] == "macro mAP":
            continue
        name = {"mAP": "AP", "mAP@1000": "AP@1000"}.get(row["metric"], metrics.scored_as(row["metric"]))
        scores = rows_of(place[1], row["retrieval"], row["protocol"], row["gallery"], row["relevance"])
        answered = scores[scores["relevant"] > 0]
        assert row["value"] == pytest.approx(answered[name].mean(), nan_ok=True)
        assert (row["queries"], row["left_out"]) == (len(answered), len(scores) - len(answered))


def test_queries_with_nothing_to_find_are_counted(measured):
    rows = tables.pick(measured.table, protocol="strict", gallery="all", relevance="articleType", metric="mAP")
    assert rows["queries"].tolist() == [8] * 3
    assert rows["left_out"].tolist() == [2] * 3


def test_the_table_has_every_metric_at_every_place_of_every_retrieval(measured):
    table = measured.table
    counting = {f"{kind}@{k}" for kind in ("hit", "recall", "precision") for k in (1, 3)}
    known = {"mAP", "mAP@1000", "macro mAP", *counting}
    plain = {"macro mAP", *(metrics.mean_name(name) for name, _, _ in metrics.columns([1, 3]))}
    graded = {metrics.mean_name(name) for name, _, _ in metrics.columns([2, 50], graded=True)}
    assert known <= plain
    assert {"nDCG@2", "nDCG@50"} <= graded
    for (_, relevance), rows in table.groupby(["retrieval", "relevance"]):
        assert set(rows["metric"]) == (graded if relevance == "graded" else plain)
    places = table.drop_duplicates(["protocol", "gallery", "relevance"])
    # strict; its variants; held-out types by type and product in two galleries; two sizes of the thesis's, each twice
    assert len(places) == 2 * 4 + 4 + 2 * 2 + 2 * 2
    assert list(table["retrieval"].drop_duplicates()) == list(RETRIEVALS)
    assert table.groupby("retrieval")[["encoder", "distance"]].first().loc["good-manhattan"].tolist() == [
        "good",
        "manhattan",
    ]


def test_macro_weighs_each_label_the_same(world, place, measured):
    frame, _ = world
    for relevance in ("articleType", "gender+articleType"):
        scores = rows_of(place[1], relevance=relevance)
        total, labels = {}, catalog.label_names(frame, relevance)
        for _, row in scores[scores["relevant"] > 0].iterrows():
            total.setdefault(labels[row["query"]], []).append(row["AP"])
        expected = sum(sum(values) / len(values) for values in total.values()) / len(total)
        assert measured.values[f"good-cosine/strict/all/{relevance}/macro mAP"] == pytest.approx(expected)


def test_chance_is_the_mean_of_each_querys_chance(place, measured):
    scores = rows_of(place[1])
    scores = scores[scores["relevant"] > 0]
    relevant, size = scores["relevant"].to_numpy(), scores["size"].to_numpy()
    expected = {
        "mAP": metrics.chance_average_precision(relevant, size),
        "mAP@1000": metrics.chance_average_precision(relevant, size, 1000),
        "hit@3": metrics.chance_hit_at(relevant, size, 3),
        "recall@3": metrics.chance_recall_at(relevant, size, 3),
        "precision@3": metrics.chance_precision_at(relevant, size, 3),
    }
    rows = tables.pick(measured.table, protocol="strict", gallery="all", relevance="articleType")
    for name, values in expected.items():
        assert tables.pick(rows, metric=name)["chance"].tolist() == pytest.approx([values.mean()] * 3)
    graded = rows_of(place[1], relevance="graded")
    rows = tables.pick(measured.table, protocol="strict", gallery="all", relevance="graded", metric="nDCG@2")
    assert rows["chance"].tolist() == pytest.approx([graded["chance nDCG@2"].mean()] * 3)


def test_random_vectors_do_as_chance_does(world, run):
    frame, features = world
    short = run.model_copy(update={"relevances": ["articleType"], "galleries": ["all"], "thesis_sizes": [12]})
    found = {"mAP": [], "nDCG@2": [], "hit@3": []}
    for seed in range(30):
        vectors = np.random.default_rng(seed).normal(size=(30, 4)).astype(np.float32)
        scores = scoring.evaluate(FeatureSet(features.ids, vectors, "e"), frame, "cosine", short).scores
        for name, rows in found.items():
            relevance = "graded" if "nDCG" in name else "articleType"
            one = tables.pick(scores, protocol="strict", gallery="all", relevance=relevance)
            draws = statistics.draws(len(one), 2, 0)
            drop = [c for c in one if ("nDCG" in c) != (relevance == "graded") and ("@" in c or c == "AP")]
            table, _ = study.summarise(
                {"x": one.drop(columns=drop)}, np.zeros(len(one), int), draws, np.arange(len(one)), 0
            )
            rows.append(table.set_index("metric").loc[name, ["value", "chance"]].to_numpy(float))
    for name, rows in found.items():
        values, chances = np.array(rows).T
        assert values.mean() == pytest.approx(chances[0], abs=4 * values.std() / np.sqrt(len(values))), name


def test_intervals_hold_their_values_and_are_the_resampled_means(measured):
    table, keys = measured.table, study.keys(measured.table)
    known = table["value"].notna().to_numpy()
    assert (table["low"] <= table["value"] + 1e-6)[known].all()
    assert (table["high"] >= table["value"] - 1e-6)[known].all()
    for key, (_, row) in zip(keys, table.iterrows(), strict=True):
        low, high = statistics.interval(measured.resampled[key].astype(float)[:, None])
        assert (row["low"], row["high"]) == pytest.approx((low[0], high[0]), abs=1e-6, nan_ok=True), key


def test_the_interval_of_a_mean_equals_a_loop_over_the_same_draws_of_products(world, place, measured):
    scores = rows_of(place[1])
    values, products = scores["AP"].to_numpy(), catalog.products(world[0])[scores["query"]]
    means = []
    for count in statistics.draws(len(values), EVALUATION.resamples, EVALUATION.seed, products):
        drawn = [value for value, times in zip(values, count, strict=True) for _ in range(int(times))]
        means.append(np.nanmean(drawn))
    found = measured.resampled[f"good-cosine/{STRICT}/mAP"]
    np.testing.assert_allclose(found, means, atol=1e-6)


def test_keys_name_each_measurement_once(measured):
    keys = study.keys(measured.table)
    assert len(set(keys)) == len(keys)
    assert set(keys) == set(measured.resampled)
    assert f"good-cosine/{STRICT}/mAP" in keys
    assert "bad-cosine/thesis, query out/12/articleType/hit@1" in keys
    assert list(measured.values) == keys
    rows = tables.pick(measured.table, retrieval="bad-cosine", protocol="strict", gallery="test", metric="nDCG@2")
    assert measured.values["bad-cosine/strict/test/graded/nDCG@2"] == rows["value"].item()


def test_a_place_where_no_query_finds_anything_has_no_value(place):
    scores = rows_of(place[1])
    nothing = scores.assign(relevant=0).drop(columns=["nDCG@2", "nDCG@50", "chance nDCG@2", "chance nDCG@50"])
    nothing[study.metric_columns(nothing)] = np.nan
    table, samples = study.summarise(
        {"x": nothing}, np.zeros(len(nothing), int), statistics.draws(len(nothing), 9, 0), np.arange(len(nothing)), 0
    )
    assert "macro mAP" not in set(table["metric"])
    assert table[["value", "low", "high", "chance"]].isna().all(axis=None)
    assert (set(table["queries"]), set(table["left_out"])) == ({0}, {10})
    assert all(np.isnan(column).all() for column in samples.values())


def test_the_same_seed_gives_the_same_study(here, measured):
    again = study.measure("sample", RETRIEVALS, EVALUATION)
    pd.testing.assert_frame_equal(again.table, measured.table, check_exact=True)
    assert {key: column.tobytes() for key, column in again.resampled.items()} == {
        key: column.tobytes() for key, column in measured.resampled.items()
    }


def test_scores_that_were_not_made_are_named_with_how_to_make_them(here):
    more = {**RETRIEVALS, "other-cosine": params.Retrieval(encoder="other", distance="cosine")}
    with pytest.raises(tables.TableError, match=r"^other-cosine has no scores.*dvc repro knn_retrieval@other-cosine$"):
        study.measure("sample", more, EVALUATION)


def test_scores_of_one_relevance_have_its_own_metrics_only(here):
    graded = study.scores("sample", "good-cosine", protocol="strict", gallery="all", relevance="graded")
    assert [name for name in graded if "@" in name or name == "AP"] == [
        "nDCG@2",
        "chance nDCG@2",
        "nDCG@50",
        "chance nDCG@50",
    ]
    plain = study.scores("sample", "good-cosine", protocol="strict", gallery="test", relevance="product")
    assert "AP" in plain
    assert not [name for name in plain if "nDCG" in name]
    pd.testing.assert_series_equal(
        plain["AP"], rows_of(here, gallery="test", relevance="product")["AP"].reset_index(drop=True)
    )


# --- differences ---


def test_differences_are_paired_by_query(world, place, measured):
    pair = {"first": f"good-cosine/{STRICT}/mAP", "second": f"bad-cosine/{STRICT}/mAP", "why": "so"}
    pairs = pd.DataFrame([pair])
    row = study.differences(measured, pairs).iloc[0]
    paired = rows_of(place[1])["AP"].to_numpy() - rows_of(place[1], "bad-cosine")["AP"].to_numpy()
    products = catalog.products(world[0])[rows_of(place[1])["query"]]
    draws = statistics.draws(len(paired), EVALUATION.resamples, EVALUATION.seed, products)
    apart = np.abs(statistics.resampled_means(draws, paired[:, None]) - np.nanmean(paired))
    reach = np.quantile(apart[np.isfinite(apart)], 0.95)
    low, high = np.nanmean(paired) - reach, np.nanmean(paired) + reach
    assert row["difference"] == pytest.approx(np.nanmean(paired))
    assert (row["low"], row["high"]) == pytest.approx((low, high), abs=1e-6)
    assert row["why"] == "so"


def test_differences_turned_round_change_their_sign(measured):
    names = [f"{name}/{STRICT}/{metric}" for name in RETRIEVALS for metric in ("mAP", "macro mAP", "hit@1")]
    pairs = pd.DataFrame([(a, b) for a in names for b in names if a < b], columns=["first", "second"])
    turned = pairs.rename(columns={"first": "second", "second": "first"})
    one, other = study.differences(measured, pairs), study.differences(measured, turned)
    for here, there in (("difference", "difference"), ("low", "high"), ("high", "low"), ("low of all", "high of all")):
        np.testing.assert_allclose(one[here], -other[there], atol=1e-12)
    assert (one["high of all"] - one["low of all"] > 0).all()


def test_a_retrieval_differs_from_itself_by_exactly_0(measured):
    key = f"good-cosine/{STRICT}/mAP"
    row = study.differences(measured, pd.DataFrame({"first": [key], "second": [key]})).iloc[0]
    assert row[["difference", "low", "high", "low of all", "high of all"]].tolist() == [0] * 5


def test_retrievals_with_the_same_scores_differ_by_exactly_0(place):
    plain = rows_of(place[1])[["relevant", "size", "AP", "hit@1", "precision@3"]]
    same = {f"r{number}": plain for number in range(13)}
    table, samples = study.summarise(
        same, np.arange(len(plain)) % 3, statistics.draws(len(plain), 300, 0), np.arange(len(plain)), 0
    )
    where = {"protocol": "strict", "gallery": "all", "relevance": "articleType"}
    resampled = {f"{name}/{STRICT}/{m}": row for (name, m), row in samples.items()}
    table = table.assign(**where)
    made = tables.Measured(table, dict(zip(study.keys(table), table["value"], strict=True)), resampled)
    keys = [f"{name}/{STRICT}/{metric}" for name in same for metric in ("mAP", "macro mAP", "precision@3")]
    pairs = pd.DataFrame({"first": keys[3:], "second": keys[:3] * 12})
    found = study.differences(made, pairs)
    assert (found[["difference", "low", "high", "low of all", "high of all"]] == 0).all(axis=None)


def test_without_pairs_there_are_no_differences(measured):
    rows = tables.pick(measured.table, retrieval="good-cosine")
    one = tables.Measured(rows, measured.values, measured.resampled)
    assert study.differences(one, study.pairs_of(one, {"good": "w"})).empty


def test_differences_of_all_at_once_are_at_least_as_wide_as_normal_ones(measured):
    names = [f"{name}/{STRICT}/mAP" for name in RETRIEVALS]
    pairs = pd.DataFrame([(a, b) for a in names for b in names if a != b], columns=["first", "second"])
    table = study.differences(measured, pairs)
    for _, row in table.iterrows():
        samples = measured.resampled[row["first"]].astype(float) - measured.resampled[row["second"]]
        assert row["high of all"] - row["low of all"] >= 2 * 1.96 * samples.std(ddof=1)


def studied(*names):
    """A study's table with nothing in it but who was measured: `encoder-distance`."""
    rows = [(name, *name.rsplit("-", 1)) for name in names]
    return tables.Measured(pd.DataFrame(rows, columns=["retrieval", "encoder", "distance"]), {})


def pairs_of(measured, weights, expanded=None):
    pairs = study.pairs_of(measured, weights, "p/g/r/m", expanded)
    assert pairs["first"].str.endswith("/p/g/r/m").all()
    assert pairs["second"].str.endswith("/p/g/r/m").all()
    return [(row.what, row.first.split("/")[0], row.second.split("/")[0]) for row in pairs.itertuples(index=False)]


def test_pairs_change_one_thing_at_a_time():
    names = ["pad-cosine", "pad-euclidean", "stretch-cosine", "stretch-euclidean", "tuned-cosine", "tuned-euclidean"]
    weights = {"pad": "imagenet", "stretch": "imagenet", "tuned": "ours"}
    assert pairs_of(studied(*names), weights) == [
        ("distance", "pad-euclidean", "pad-cosine"),
        ("distance", "stretch-euclidean", "stretch-cosine"),
        ("distance", "tuned-euclidean", "tuned-cosine"),
        ("preparation", "stretch-cosine", "pad-cosine"),
        ("preparation", "stretch-euclidean", "pad-euclidean"),
        ("weights", "tuned-cosine", "pad-cosine"),
        ("weights", "tuned-euclidean", "pad-euclidean"),
    ]


def test_a_distance_that_a_rival_was_not_run_under_makes_no_pair():
    measured = studied("pad-cosine", "stretch-cosine", "stretch-manhattan", "tuned-manhattan")
    assert pairs_of(measured, {"pad": "imagenet", "stretch": "imagenet", "tuned": "ours"}) == [
        ("distance", "stretch-manhattan", "stretch-cosine"),
        ("preparation", "stretch-cosine", "pad-cosine"),
    ]


def test_a_concatenation_stands_for_itself_though_weights_have_its_name():
    measured = studied("pad-cosine", "tuned_head-cosine", "tuned-cosine")
    assert pairs_of(measured, {"pad": "imagenet", "tuned_head": "tuned"}) == [
        ("weights", "tuned_head-cosine", "pad-cosine"),
        ("weights", "tuned-cosine", "pad-cosine"),
    ]


def test_an_expansion_stands_against_its_encoder_and_for_no_weights():
    measured = studied("pad-cosine", "more-cosine", "more-euclidean", "lone-cosine")
    assert pairs_of(measured, {"pad": "imagenet"}, {"more": "pad", "lone": "unsearched"}) == [
        ("distance", "more-euclidean", "more-cosine"),
        ("neighbours", "more-cosine", "pad-cosine"),
    ]


def test_only_the_first_encoder_of_some_weights_stands_for_them():
    measured = studied("pad-cosine", "tuned-cosine", "tuned_too-cosine")
    assert pairs_of(measured, {"pad": "imagenet", "tuned": "ours", "tuned_too": "ours"}) == [
        ("preparation", "tuned_too-cosine", "tuned-cosine"),
        ("weights", "tuned-cosine", "pad-cosine"),
    ]


def test_one_retrieval_makes_no_pair():
    assert pairs_of(studied("pad-cosine"), {"pad": "imagenet"}) == []


def test_pairs_of_a_study_can_be_subtracted(measured):
    pairs = study.pairs_of(measured, {"good": "one", "bad": "two"})
    table = study.differences(measured, pairs)
    assert table["what"].tolist() == ["distance", "weights"]
    values = measured.values
    expected = [
        values[f"good-manhattan/{STRICT}/mAP"] - values[f"good-cosine/{STRICT}/mAP"],
        values[f"bad-cosine/{STRICT}/mAP"] - values[f"good-cosine/{STRICT}/mAP"],
    ]
    assert table["difference"].tolist() == pytest.approx(expected)


# --- files ---

VERDICTS = pd.DataFrame({"claim": ["one", "two", "three"], "verdict": ["differs", "not run", "differs"]})


def test_the_files_hold_the_table_the_headlines_and_the_verdicts(measured, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    export.write("sample", None, measured, {"more": pd.DataFrame({"x": [1 / 3]})}, VERDICTS)
    folder = paths.evaluation("sample")
    table = pd.read_csv(folder / "metrics.csv")
    pd.testing.assert_frame_equal(table, measured.table.round(6), check_dtype=False)
    assert (folder / "more.csv").read_bytes() == b"x\n0.333333\n"
    headline = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    assert list(headline) == list(RETRIEVALS)
    values = {key: round(value, 6) for key, value in measured.values.items()}
    for name, found in headline.items():
        assert found.pop("thesis mAP") == {
            size: values[f"{name}/thesis/{size}/articleType/mAP"] for size in ("12", "20")
        }
        assert found == {metric: values[f"{name}/{STRICT}/{metric}"] for metric in ("mAP", "macro mAP", "hit@1")}
    assert json.loads((folder / "verdicts.json").read_text(encoding="utf-8")) == {
        "count": {"differs": 2, "not run": 1},
        "claim": {"one": "differs", "two": "not run", "three": "differs"},
    }
    bars = pd.read_csv(folder / "mean_average_precision.csv")
    assert bars["mAP"].tolist() == [values[f"{name}/{STRICT}/mAP"] for name in RETRIEVALS]
    curve = pd.read_csv(folder / "precision_at_k.csv")
    assert curve["precision"].tolist() == [
        values[f"{name}/{STRICT}/precision@{k}"] for name in RETRIEVALS for k in (1, 3)
    ]


def test_the_same_study_gives_the_same_bytes(measured, tmp_path, monkeypatch):
    written = []
    for name in ("one", "two"):
        monkeypatch.setattr(paths, "ROOT", tmp_path / name)
        export.write("sample", None, measured, {}, VERDICTS)
        written.append({path.name: path.read_bytes() for path in paths.evaluation("sample").iterdir()})
    assert written[0] == written[1]


def test_a_trial_writes_into_a_folder_of_its_own(measured, tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "ROOT", tmp_path)
    export.write("sample", "trial", measured, {}, VERDICTS)
    assert {path.name for path in paths.evaluation("sample").iterdir()} == {"trial"}
    assert (paths.evaluation("sample", "trial") / "metrics.csv").exists()


# --- what is no metric, and keys ---


@pytest.mark.parametrize(
    ("column", "near"), [("hits@5", "'hit@10'"), ("reciprocal_rank", ""), ("AP5", "'AP'"), ("hit@", "'hit@10'")]
)
def test_a_column_that_is_no_metric_is_named(place, column, near):
    scores = {"good-cosine": rows_of(place[1]).assign(**{column: 0.5})}
    count = len(scores["good-cosine"])
    with pytest.raises(tables.TableError, match=f"the scores have a column '{column}'.*Allowed: .*{near}"):
        study.summarise(scores, np.zeros(count), np.ones((2, count)), np.arange(count), 0)


def test_every_measured_key_is_one_that_the_patterns_make(measured):
    assert {keys.fault(key, study.KEYS, {"retrievals": list(RETRIEVALS)}) for key in measured.values} == {""}


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("god-cosine/strict/all/articleType/mAP", "Did you mean 'good-cosine'"),
        ("good-cosine/strickt/all/articleType/mAP", "Did you mean 'strict'"),
        ("good-cosine/strict/al/articleType/mAP", "Did you mean 'all'"),
        ("good-cosine/strict/all/articletype/mAP", "Did you mean 'articleType'"),
        ("good-cosine/strict/all/articleType/map", "Did you mean 'mAP'"),
        ("good-cosine/strict/all/articleType/hit", "no mean is called 'hit'|a score must be of a metric"),
        ("good-cosine/strict/all/articleType/hit@five", "a score must be of a metric"),
        ("good-cosine/strict/all/mAP", "none of"),
        ("good-cosine/thesis/200.5/articleType/mAP", "'200.5' is no whole number from 1"),
        ("good-cosine/thesis/0/articleType/mAP", "'0' is no whole number from 1"),
        ("good-cosine/strict/all/articleType", "4 parts between slashes, and such a key has 5"),
    ],
)
def test_a_misspelt_key_is_named_with_the_nearest(key, words):
    assert re.search(words, keys.fault(key, study.KEYS, {"retrievals": list(RETRIEVALS)}))


# --- rows and products ---


def test_picking_keeps_the_rows_that_have_all_values(measured):
    rows = tables.pick(measured.table, metric=["mAP", "hit@1"], gallery="test", retrieval="bad-cosine")
    assert set(rows["metric"]) == {"mAP", "hit@1"}
    assert len(rows) == 2 * 3
    assert tables.pick(measured.table) is measured.table


def test_pictures_under_one_name_are_one_product_and_those_without_a_name_one_each(world):
    frame = world[0].copy()
    frame.loc[[3, 7], catalog.PRODUCT] = None
    products = catalog.products(frame)
    for one in range(len(frame)):
        for other in range(len(frame)):
            names = frame[catalog.PRODUCT].iloc[[one, other]]
            same = one == other or (names.notna().all() and names.iloc[0] == names.iloc[1])
            assert (products[one] == products[other]) == same


def test_differences_are_told_by_what_holds_for_all_of_them_at_once():
    rows = pd.DataFrame(
        {"difference": [0.2, -0.1, 0.05], "low of all": [0.1, -0.2, -0.01], "high of all": [0.3, -0.05, 0.1]}
    )
    said = "of 3 differences (-0.100 to +0.200) 1 better, 1 worse, 1 cannot be told"
    assert study.told(rows) == said
    assert study.told(rows[:0]) == "nothing to compare"
