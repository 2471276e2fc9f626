"""TREC's files: an independent program takes the study's measurements from them."""

import gzip

import pytest
import pytrec_eval

from pipeline import params
from pipeline.data import catalog
from pipeline.encoders import store
from pipeline.evaluation import scoring, trec


@pytest.fixture
def study(shop, run, monkeypatch):
    """One retrieval of the small catalogue, whose ids have blanks, and more queries than it has test pictures."""
    frame, vectors = shop
    frame = frame.assign(**{catalog.ID: [f"a picture/{name}" for name in frame[catalog.ID]]})
    monkeypatch.setattr(catalog, "load", lambda data: frame)
    features = store.FeatureSet(frame[catalog.ID].to_numpy(object), vectors["right"], "right:1")
    monkeypatch.setattr(store, "read", lambda path: features)
    retrievals = {"it": params.Retrieval(encoder="right", distance="cosine")}
    made = params.load().model_copy(update={"retrievals": retrievals, "knn_retrieval": run})
    return made, frame, features


def lines(path):
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return pytrec_eval.parse_run(file) if path.name.endswith(trec.RUN) else pytrec_eval.parse_qrel(file)


def test_trec_eval_takes_the_study_s_average_precisions_under_every_protocol(study, run):
    made, frame, features = study
    folder = trec.write(made, "it", 1000)
    scores = scoring.evaluate(features, frame, "cosine", run).scores
    names = frame[catalog.ID].str.replace(" ", "%20").to_numpy()
    judged = 0
    for path in folder.glob(f"*.{trec.QRELS}"):
        protocol, gallery, relevance = path.name.removesuffix(f".{trec.QRELS}").split(".")
        found = pytrec_eval.RelevanceEvaluator(lines(path), {"map"}).evaluate(
            lines(folder / f"{protocol}.{gallery}.{trec.RUN}")
        )
        written = scores.astype({"protocol": str, "gallery": str, "relevance": str})
        for column in ("protocol", "gallery", "relevance"):
            written[column] = written[column].str.replace(r"\W+", "_", regex=True)
        mine = written[
            (written["protocol"] == protocol) & (written["gallery"] == gallery) & (written["relevance"] == relevance)
        ]
        expected = {
            names[query]: value for query, value in zip(mine["query"], mine["AP"], strict=True) if value == value
        }
        assert expected == pytest.approx({query: values["map"] for query, values in found.items()}, abs=1e-9), path.name
        judged += len(expected)
    places = scores[scores["relevance"] != "graded"].groupby(["protocol", "gallery", "relevance"], observed=True)
    kept = [place for place, _ in places if not place[0].startswith("thesis")]
    assert len(list(folder.glob(f"*.{trec.QRELS}"))) == len(kept)
    assert judged > 70


def test_so_many_queries_are_drawn_each_with_a_whole_ranking(study):
    made, frame, _ = study
    run_of = lines(trec.write(made, "it", 3) / f"strict.all.{trec.RUN}")
    assert len(run_of) == 3
    duplicates = catalog.duplicates(frame)
    for query, found in run_of.items():
        row = frame.index[frame[catalog.ID] == query.replace("%20", " ")][0]
        assert len(found) == (duplicates != duplicates[row]).sum()
        assert sorted(found.values()) == list(range(-len(found), 0))


def test_a_retrieval_that_is_none_is_refused(study):
    with pytest.raises(ValueError, match=r"Allowed: \['it'\]\. Received: 'itt'\. Did you mean 'it'"):
        trec.write(study[0], "itt")
