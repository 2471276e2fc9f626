"""A small world to verify in: a study of five stages, published, with everything that it made in DVC's cache."""

import json
import shutil
import sqlite3

import nbformat
import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from pipeline.checking import runs

SEED = {"finetunes.a": {"seed": 0, "epochs": 3}, "data.name": "sample"}
OUT = "outputs/sample"
STAGES = {  # what each reads, is given and makes
    "ingest": (["build/code/ingest.json"], {"data.name": "sample"}, ["catalog.csv"]),
    "finetuning@a": (
        ["build/code/finetuning.json", f"{OUT}/catalog.csv"],
        SEED,
        ["weights/a", "finetuning/a/metrics.json"],
    ),
    "feature_extraction@a": (
        ["build/code/feature_extraction.json", "build/notebooks/02.ipynb", f"{OUT}/weights/a"],
        {"encoders.a": {"weights": "a"}},
        ["features/a.sqlite", "notebooks/02/a.ipynb"],
    ),
    "evaluation": (
        ["build/code/evaluation.json", f"{OUT}/features"],
        {"data.name": "sample"},
        ["evaluation/metrics.csv", "evaluation/facts.json"],
    ),
    "report": (["build/code/report.json", f"{OUT}/evaluation/metrics.csv"], {}, ["report"]),
}
MACHINE = {"processor": "Xeon", "cores": 2, "variables": {"TF_NUM_INTRAOP_THREADS": "2"}}


def features(path, vectors):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    store = sqlite3.connect(path)
    store.execute("CREATE TABLE image_features (image_name TEXT, features BLOB)")
    rows = [(str(number), row.astype("<f4").tobytes()) for number, row in enumerate(vectors)]
    store.executemany("INSERT INTO image_features VALUES (?, ?)", rows)
    store.commit()
    store.close()


def metrics(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    low, high = [value - 0.05 for value in values], [value + 0.05 for value in values]
    pd.DataFrame({"retrieval": ["a", "b"], "value": values, "low": low, "high": high}).to_csv(path, index=False)


def notebook(path, said):
    path.parent.mkdir(parents=True, exist_ok=True)
    cell = nbformat.v4.new_code_cell("print(1)", id="one", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=said)]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)


class World:
    """The project's folder: files, lock, reference."""

    def __init__(self, place):
        self.place, self.out = place, place / OUT
        self.vectors = np.random.default_rng(0).random((6, 4))

    def make(self):
        (self.out / "weights/a").mkdir(parents=True)
        (self.out / "catalog.csv").write_text("id\n1\n")
        (self.out / "weights/a/backbone.weights.h5").write_bytes(b"weights")
        (self.out / "weights/a/card.json").write_text("{}")
        self.json("finetuning/a/metrics.json", {"mAP": 0.5})
        features(self.out / "features/a.sqlite", self.vectors)
        notebook(self.out / "notebooks/02/a.ipynb", "650 pictures")
        metrics(self.out / "evaluation/metrics.csv", [0.5, 0.7])
        self.json("evaluation/facts.json", {"pictures": 650})
        (self.out / "report").mkdir()
        (self.out / "report/index.html").write_text("<p>0.5</p>")
        self.json("machine.json", MACHINE)
        (self.place / "params.yaml").write_text("data: {name: sample}\nretrievals: {}\n")

    def json(self, name, values):
        path = self.out / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))

    def hash(self, path, code):
        return code.get(path, "0" * 32) if path.startswith("build/") else runs.hash_of(self.place / path)

    def lock(self, params=None, code=None, only=None):
        """Writes the lock of what lies here, as a run would; `only`: the stages that ran, others keep their entries."""
        before = YAML(typ="safe").load((self.place / "dvc.lock").read_text())["stages"] if only else {}
        entries = {}
        for name, (deps, given, outs) in STAGES.items():
            entries[name] = {
                "cmd": "run",
                "deps": [{"path": path, "md5": self.hash(path, code or {})} for path in deps],
                "params": {"params.yaml": (params or {}).get(name, given)},
                "outs": [{"path": f"{OUT}/{path}", "md5": self.hash(f"{OUT}/{path}", {})} for path in outs],
            }
        kept = {name: before[name] for name in before if name not in only} if only else {}
        (self.place / "dvc.lock").write_text(json.dumps({"schema": "2.0", "stages": {**entries, **kept}}))

    def publish(self):
        """Keeps what lies here as the reference, and puts all of it into the cache."""
        reference = self.place / "reference/sample"
        reference.mkdir(parents=True)
        shutil.copyfile(self.place / "dvc.lock", reference / "dvc.lock")
        shutil.copyfile(self.place / "params.yaml", reference / "params.yaml")
        shutil.copyfile(self.out / "machine.json", reference / "machine.json")
        shutil.copyfile(self.out / "evaluation/facts.json", reference / "facts.json")
        for path in filter(lambda path: path.is_file(), self.out.rglob("*")):
            self.keep(runs.hash_of(path), path.read_bytes())
        for folder in ("weights/a", "report"):
            members = sorted(runs.members(self.out / folder).items())
            listed = json.dumps([{"md5": known, "relpath": name} for name, known in members], sort_keys=True)
            self.keep(runs.hash_of(self.out / folder), listed.encode())

    def keep(self, known, data):
        place = self.place / runs.CACHE / known[:2] / known[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)

    def edit_lock(self, stage, kind, path, known="f" * 32):
        values = json.loads((self.place / "dvc.lock").read_text())
        next(entry for entry in values["stages"][stage][kind] if entry["path"] == f"{OUT}/{path}")["md5"] = known
        (self.place / "dvc.lock").write_text(json.dumps(values))
