"""params/claims.yaml against the documents: no cell of a table, no configuration and no document is missing, and each
claim leads to a figure of chapter 5.
"""

from collections import Counter

import nbformat
import pytest
from clones import compose

from pipeline import params, paths, stages
from pipeline.claims import registry, summary, verdicts
from pipeline.claims.claim import Document, Middle, Quotients, Untestable
from pipeline.evaluation import sample_picture
from pipeline.evaluation.within import BETWEEN

REGISTRY = registry.load()
# Table 5.2.1: four models by Recall@1, @5, @10 and mAP. Table 5.2.2: by silhouette, intra, inter, ratio. 6.1.1: two by
# four.
TABLE_521 = {
    ("scratch", 1.0, 1.0, 1.0, 0.378605),
    ("simclr", 1.0, 1.0, 1.0, 0.459474),
    ("finetuned", 1.0, 1.0, 1.0, 0.541431),
    ("padded", 1.0, 1.0, 1.0, 0.708221),
}
TABLE_522 = {
    ("scratch", -0.453485, 0.767261, 0.990459, 1.290903),
    ("simclr", -0.270317, 0.709757, 0.996486, 1.403981),
    ("finetuned", -0.515556, 0.054785, 0.203822, 3.720384),
    ("padded", -0.078462, 0.168644, 0.359602, 2.132321),
}
TABLE_611 = {("padded", 0.707221, 0.054785, 0.203822, 3.720384), ("finetuned", 0.541431, 0.168644, 0.359602, 2.132321)}


def reported(table, columns):
    """The registry's cells of a table, a row per model."""
    models = dict.fromkeys(
        name.removeprefix(f"001-{table}-").split("-")[0] for name in REGISTRY if name.startswith(f"001-{table}-")
    )
    return {(model, *(REGISTRY[f"001-{table}-{model}-{column}"].reported for column in columns)) for model in models}


@pytest.mark.parametrize(
    ("table", "columns", "expected"),
    [
        ("5.2.1", ["recall-1", "recall-5", "recall-10", "map"], TABLE_521),
        ("5.2.2", ["silhouette", "intra", "inter", "ratio"], TABLE_522),
        ("6.1.1", ["map", "intra", "inter", "ratio"], TABLE_611),
    ],
)
def test_every_cell_of_the_tables_is_a_claim(table, columns, expected):
    assert reported(table, columns) == expected
    said = {name: claim for name, claim in REGISTRY.items() if summary.base(name) == name and claim.document == "001"}
    cells = [claim for claim in said.values() if claim.place == f"table {table}"]
    assert sum(claim.reported is not None for claim in cells) >= len(expected) * len(columns)


def test_every_configuration_from_a_to_i_has_its_thresholds():
    said = {name for name in REGISTRY if summary.base(name) == name}
    steps = Counter(name.split("-")[1] for name in said if name.startswith("001-4.3") and "-at-" in name)
    assert steps == {"4.3a": 4, "4.3b": 4, "4.3c": 3, "4.3e": 2, "4.3f": 4, "4.3g": 2, "4.3h": 2, "4.3i": 2}
    assert "001-4.3d-cross" in REGISTRY


def test_every_document_has_claims_and_the_counts_of_the_data_are_among_them():
    count = Counter(claim.document for claim in REGISTRY.values())
    assert count["001"] > 150
    assert all(count[document] >= 5 for document in ("000", "002", "003", "004"))
    counts = {
        "001-4.2-gender": 5,
        "001-4.2-mastercategory": 7,
        "001-4.2-subcategory": 45,
        "001-4.2-articletype": 143,
        "001-4.2-basecolour": 47,
        "001-4.2-first-year": 2008,
        "001-4.2-last-year": 2019,
    }
    assert {name: REGISTRY[name].reported for name in counts} == counts


def cells(chapter):
    return {cell.id for cell in nbformat.read(paths.ROOT / f"notebooks/{chapter}.ipynb", as_version=4).cells}


@pytest.mark.parametrize("name", REGISTRY)
def test_a_claim_that_can_be_measured_names_the_cell_that_shows_it(name):
    claim = REGISTRY[name]
    if isinstance(claim.judge, Document | Quotients | Untestable):
        return
    if claim.see:
        chapter, cell = claim.see.split("#")
        assert cell in cells(chapter.split("/")[0])
    else:
        assert claim.how, "a claim without a figure is one that no suite can run yet, and says how it could be"


def test_retrievals_that_claims_compare_are_spelt_as_a_suite_spells_them(tmp_path):
    known = set()
    for suite in ("offline", "thesis", "all"):
        study = params.load(compose(tmp_path / "params.yaml", f"suite={suite}"))
        known |= {*study.retrievals, *(stage.name for stage in stages.STAGES if stage.section in params.SYSTEMS)}
    for name, claim in REGISTRY.items():
        pairs = getattr(claim.judge, "pairs", [])
        unknown = {key.split("/")[0] for pair in pairs for key in pair if not key.startswith("pca/")} - known
        assert not unknown or claim.how, f"{name}: {unknown}"


def test_on_drawn_pictures_nothing_is_reproduced_or_contradicted():
    table = verdicts.verdicts(REGISTRY, {"data/pictures": 44_441.0}, {}, comparable=False)
    printed = [isinstance(claim.judge, Quotients) for claim in REGISTRY.values()]
    assert table.loc[printed, "verdict"].tolist() == [summary.REPRODUCED]  # the document's own arithmetic
    rest = {summary.INCONSISTENT, summary.NOT_TESTABLE, summary.NOT_RUN}  # so no substitute has answered
    assert set(table["verdict"].drop(index=table.index[printed])) == rest
    assert params.load().data.source == "drawn"


OWN = {
    "001": ("resnet50", "mobilenet_v2_stretch", "network/mobilenet_v2/"),
    "002": ("resnet50",),
}  # what the documents' own networks are called here


def networks(claim):
    """The parts of a claim's keys that name what was run, such as an encoder or a system's item."""
    data = ("data/", "index_study/", "hybrid/", "recommendation/", "user_photos/")
    return [key for key in registry.asked_keys(claim) if not key.startswith(data)]


@pytest.mark.parametrize("name", REGISTRY)
def test_what_another_network_says_is_an_entry_of_its_own_that_names_it(name):
    claim = REGISTRY[name]
    said = summary.base(name)
    assert (said != name) == claim.meaning.startswith("the statement")
    if said != name:
        base = REGISTRY[said]
        assert " for " in claim.meaning.split(":")[0], "the substitute and what it stands for"
        assert base.document == claim.document
    else:
        assert all(any(own in key for own in OWN.get(claim.document, ())) for key in networks(claim)) or name in {
            "001-6.2-other-backbones",  # the five families themselves
        }


def test_numbers_of_a_table_are_those_of_the_quotients():
    rows = REGISTRY["001-5.2-ratio-quotient"].judge.rows
    assert {tuple(row) for row in rows} == {(inter, intra, ratio) for _, _, intra, inter, ratio in TABLE_522}


def test_the_thesiss_counts_are_told_once():
    """What the claims report of a threshold is what the search for the thesis's picture asks for."""
    reported = {
        (name.rpartition("-")[2], float(limit)): count
        for name, limit, count in (
            (*claim.judge.key.split("/")[1:], claim.reported)
            for claim in REGISTRY.values()
            if isinstance(claim.judge, Middle) and "mobilenet_v2" in claim.judge.key and BETWEEN not in claim.judge.key
        )
    }
    asked = sample_picture.REPORTED.items()
    assert reported == {(distance, limit): count for distance, of in asked for limit, count in of.items()}
