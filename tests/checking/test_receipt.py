"""Receipts: signed, checked, forged; and a run's provenance in the forms of its field."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from checked_world import OUT, STAGES
from ruamel.yaml import YAML

from pipeline import paths
from pipeline.checking import commands, crate, receipt, runs
from pipeline.checking.verify import EDITED, SAME, verify


@pytest.fixture
def found(world):
    here, reference = runs.of_folder(world.place), runs.published("sample")
    return receipt.make(here, reference, verify(here, reference, list(STAGES), {}, {}), "sample", 1.23)


@pytest.fixture
def written(world, found):
    return receipt.write(paths.receipts("sample"), found)


@pytest.fixture
def key(tmp_path):
    if shutil.which("ssh-keygen") is None:
        pytest.skip("no OpenSSH here")
    path = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "someone", "-f", str(path)], check=True)
    return path


def test_it_says_what_was_found_where(found, world):
    assert (found["verdict"], found["seconds"], found["data"]) == (SAME, 1.2, "sample")
    assert found["machine"]["processor"] == "Xeon"
    assert found["reference"] == found["lock"] == receipt.digest((world.place / "dvc.lock").read_bytes())
    assert {row["stage"]: row["outs"] for row in found["stages"]}["ingest"].keys() == {f"{OUT}/catalog.csv"}


def test_a_right_one_has_nothing_wrong(written):
    assert receipt.check(written, runs.published("sample"))[1] == []
    assert receipt.signed_by(written) == "not signed"


def forge(path, change):
    values = json.loads(path.read_text())
    change(values)
    path.write_text(json.dumps(values))


FORGERIES = [
    (lambda v: v["stages"][0]["outs"].update({f"{OUT}/catalog.csv": "f" * 32}), "ingest: says 'same bytes', and its"),
    (lambda v: v["stages"].pop(), "report: not in the receipt"),
    (lambda v: v["stages"][0].update(verdict=EDITED), "its verdict 'same bytes' is not the worst"),
    (lambda v: v.update(reference="0"), "another publication"),
]


@pytest.mark.parametrize(("change", "said"), FORGERIES, ids=[said for _, said in FORGERIES])
def test_one_that_contradicts_itself_or_the_publication_is_told(written, change, said):
    forge(written, change)
    assert any(said in text for text in receipt.check(written, runs.published("sample"))[1])


@pytest.mark.parametrize("text", ["", "[]", '{"stages": 1}', "[" * 100_000, '{"format": "other", "stages": []}'])
def test_what_is_no_receipt_is_refused(tmp_path, text):
    path = tmp_path / "r.json"
    path.write_text(text)
    with pytest.raises(runs.RunError, match="is no receipt"):
        receipt.read(path)


@pytest.mark.parametrize("change", [{"machine": "x"}, {"stages": [{"stage": [], "verdict": "edited", "outs": {}}]}])
def test_a_receipt_of_another_form_is_refused(written, change):
    forge(written, lambda values: values.update(change))
    with pytest.raises(runs.RunError, match="is no receipt of this form"):
        receipt.read(written)


def test_a_signature_is_checked_by_the_key_and_by_who_is_known(written, key):
    receipt.sign(written, key)
    assert receipt.signed_by(written).startswith("signed with a key that allowed_signers does not name: SHA256:")
    public = Path(f"{key}.pub").read_text()
    (written.parent / receipt.ALLOWED).write_text(f"me@example.org {public}")
    assert receipt.signed_by(written) == "signed by me@example.org"
    forge(written, lambda values: values.update(seconds=0.1))
    assert receipt.signed_by(written).startswith("WRONG SIGNATURE")


def test_a_signature_made_for_something_else_is_none(written, key):
    command = ["ssh-keygen", "-q", "-Y", "sign", "-n", "git", "-f", str(key), str(written)]
    subprocess.run(command, check=True, capture_output=True)
    assert receipt.signed_by(written).startswith("WRONG SIGNATURE")


def test_a_key_that_is_none_is_refused(written, tmp_path):
    with pytest.raises(runs.RunError, match="ssh-keygen does not sign"):
        receipt.sign(written, tmp_path / "none")


def test_the_page_shows_others_receipts_and_what_is_wrong_with_them(written, found):
    forge(written, lambda values: values["stages"][0]["outs"].clear())
    (written.parent / "none.json").write_text("{}")
    page = commands.page("verified.html.j2", title="t", **commands.section(found, runs.published("sample")))
    assert "ingest: says &#39;same bytes&#39;, and its hashes are not the published ones" in page
    assert "none.json is no receipt" in page
    assert "<script" not in page


def test_the_crate_has_what_the_profile_demands(world, found):
    (world.place / "CITATION.cff").write_text(
        "title: T\nabstract: A\nlicense: MIT\nauthors: [{name: N}]\n", encoding="utf-8"
    )
    (world.place / "docs").mkdir()
    (world.place / "docs/manifest.yaml").write_text(
        '"001": {T1: {title: t, cell: 02#one, but: drawn}, T2: {title: t, why: lost}, T3: {title: t, cell: 03#one}, '
        "T4: {title: t, cell: 02#two}}"
    )
    run = runs.of_folder(world.place)
    for path in crate.write(run, found):
        assert path.parent == world.place
    graph = json.loads((world.place / crate.CRATE).read_text())["@graph"]
    by_id = {entity["@id"]: entity for entity in graph}
    assert len(by_id) == len(graph)
    root, workflow = by_id["./"], by_id["dvc.yaml"]
    assert root["mainEntity"] == {"@id": "dvc.yaml"}
    assert {"File", "SoftwareSourceCode", "ComputationalWorkflow"} == set(workflow["@type"])
    assert {"license", "name", "description", "datePublished"} <= root.keys()
    actions = [entity for entity in graph if entity["@type"] == "CreateAction"]
    assert len(actions) == len(STAGES) + 1
    named = [part["@id"] for action in actions for part in [action["instrument"], *action["object"], *action["result"]]]
    named += [part["@id"] for kind in ("hasPart", "mentions", "conformsTo") for part in root[kind]]
    assert set(named) <= by_id.keys()
    assert any(entity["@id"] == f"{OUT}/weights/a/" and entity["@type"] == "Dataset" for entity in graph)
    manifest = YAML(typ="safe").load((world.place / crate.MANIFEST).read_text())
    assert {"file": f"{OUT}/evaluation/metrics.csv", "comment": "made by evaluation"} in manifest["manifest"]
    notebook = {row["file"]: row["comment"] for row in manifest["manifest"]}[f"{OUT}/notebooks/02/a.ipynb"]
    assert notebook == "made by feature_extraction@a; shows 001, T1 (cell one; drawn)"
    assert manifest["summary"].startswith("python -m pipeline.run verify: same bytes")


def test_the_command_ends_with_the_verdicts_status(world, monkeypatch, capsys):
    monkeypatch.setattr(commands.params, "load", lambda: type("S", (), {"data": type("D", (), {"name": "sample"})}))
    monkeypatch.setattr(commands.record, "names", lambda study: list(STAGES))
    monkeypatch.setattr(commands.record, "today", lambda study, here: {})
    assert commands.verify_command([]) == 0
    assert "5 stages: 5 same bytes; 0 are known to have run here" in capsys.readouterr().out
    (world.out / "features/a.sqlite").unlink()
    assert commands.verify_command([]) == 6
    assert "feature_extraction@a" in capsys.readouterr().out
    assert commands.verify_command(["--json"]) == 6
    assert json.loads(capsys.readouterr().out)["verdict"] == "missing"
    assert commands.verify_command(["--receipt", str(paths.verified("sample") / "receipt.json")]) == 0
    assert "missing; 0 of 5 stages ran; not signed" in capsys.readouterr().out
