"""The features of very many pictures: mapped from disk, checked by shard, never held."""

import json
import resource
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest

from pipeline.encoders import mapped, store

META = {"encoder_id": "e:1", "dimension": "3", "encoder": "e"}


@pytest.fixture(autouse=True)
def large(monkeypatch):
    monkeypatch.setattr(store, "LARGE", 10)
    monkeypatch.setattr(mapped, "ROWS", 8)


@pytest.fixture
def folder(tmp_path, rng):
    ids, vectors = [f"id{row}" for row in range(50)], rng.normal(size=(50, 3)).astype(np.float32)
    store.write(tmp_path / "e.sqlite", META, 50, [(ids, vectors)])
    return tmp_path / "e.sqlite"


def test_the_manifest_has_each_shards_hash_and_another_program_reads_the_array(folder):
    told = json.loads((folder / "manifest.json").read_text())
    assert {name: told[name] for name in META} == META
    assert (told["pictures"], told["rows"], len(told["shards"])) == (50, 8, 7)
    raw = (folder / "vectors.npy").read_bytes()
    vectors = np.frombuffer(raw[-50 * 12 :], "<f4").reshape(50, 3)
    assert (vectors == np.load(folder / "vectors.npy")).all()
    assert told["shards"][6] == mapped.hashlib.sha256(vectors[48:].tobytes()).hexdigest()


def changed(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda it: changed(it / "vectors.npy", -1), "1 of 7 shards are not what was written, the first of them 6"),
        (lambda it: changed(it / "vectors.npy", -50 * 12), "the first of them 0"),
        (lambda it: changed(it / "ids.jsonl", 3), "ids.jsonl is not what was written"),
        (lambda it: (it / "vectors.npy").write_bytes((it / "vectors.npy").read_bytes()[:-9]), "greater than file size"),
        (lambda it: (it / "vectors.npy").write_bytes(b"nothing"), "is damaged"),
        (lambda it: np.save(it / "vectors.npy", np.zeros((50, 3))), r"has float64 \(50, 3\)"),
        (lambda it: np.save(it / "vectors.npy", np.zeros((50, 4), "f4")), r"has float32 \(50, 4\)"),
        (lambda it: np.save(it / "vectors.npy", np.array([{}] * 50), allow_pickle=True), "is damaged"),
        (lambda it: (it / "vectors.npy").unlink(), "is damaged"),
        (lambda it: (it / "ids.jsonl").unlink(), "is damaged"),
        (lambda it: (it / "manifest.json").unlink(), "is no features file"),
        (lambda it: (it / "manifest.json").write_text("{}"), "is no features file"),
        (lambda it: (it / "manifest.json").write_text("[]"), "is no features file"),
        (lambda it: told(it, schema=2), "another schema. Expected 1. Received: 2"),
        (lambda it: told(it, rows=0), "shards of 0 pictures. Expected 8"),
        (
            lambda it: (changed(it / "vectors.npy", -1), told(it, rows=-1, shards=[])),
            "shards of -1 pictures. Expected 8",
        ),
        (lambda it: (it / "manifest.json").write_text("[" * 200_000), "is no features file"),
        (lambda it: told(it, shards=[]), "is damaged"),
        (lambda it: told(it, pictures=51), r"has float32 \(50, 3\)"),
        (lambda it: told(it, dimension="many"), "is damaged"),
        (lambda it: told(it, encoder_id=7), "is damaged"),
    ],
)
def test_what_is_not_what_was_written_is_refused_by_name(folder, damage, words):
    damage(folder)
    with pytest.raises(store.StoreError, match=f"^e.sqlite.*{words}"):
        store.read(folder)


def told(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_kill_at_any_moment_leaves_the_old_folder_whole(folder, tmp_path):
    before, kills = store.read(folder).vectors.tobytes(), 0
    for bytes_ in (200, 20_000, 60_000, 90_000):
        command = [sys.executable, "-c", KILLED, str(folder), str(bytes_)]
        kills += subprocess.run(command, capture_output=True).returncode == -signal.SIGXFSZ
        assert store.read(folder).vectors.tobytes() == before
    assert kills == 4
    shutil.rmtree(tmp_path / "e.sqlite.partial")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["e.sqlite"]


KILLED = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from pipeline.encoders import store

store.LARGE = 10
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python ignores it, and would raise
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)
parts = (([str(row)], np.ones((1, 3), np.float32)) for row in range(9_000))
store.write(Path(sys.argv[1]), {"encoder_id": "e:2", "dimension": "3", "encoder": "e"}, 9_000, parts)
"""


def test_a_disk_that_fills_up_is_an_error_and_leaves_nothing(tmp_path):
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    parts = (([str(row)], np.ones((1, 3), np.float32)) for row in range(9_000))
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(OSError):
            store.write(tmp_path / "e.sqlite", META, 9_000, parts)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())


def test_who_reads_joins_and_ranks_them_holds_less_than_they_are(tmp_path):
    """400 MB of features, and 800 of both, and a process that may take 300 MB more than it has."""
    found = subprocess.run([sys.executable, "-c", BOUNDED, str(tmp_path)], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
    assert found.stdout.splitlines() == ["(200000, 512)", "(200000, 1024) True", "[0, 1, 2, 7, 4, 5, 6, 3]"]


BOUNDED = """
import resource, sys
from pathlib import Path
import numpy as np
from pipeline import params, paths
from pipeline.encoders import concatenation, mapped, store
from pipeline.evaluation import blocks
from pipeline.evaluation.asked import Asked

paths.ROOT = Path(sys.argv[1])
store.LARGE = 10
count, rng = 200_000, np.random.default_rng(0)
meta = {"encoder_id": "e:1", "dimension": "512", "encoder": "e"}
def parts():
    for start in range(0, count, 2_000):
        yield [str(row) for row in range(start, start + 2_000)], rng.random((2_000, 512), np.float32)
own = int(Path("/proc/self/status").read_text().partition("VmData:")[2].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (own + 300_000_000,) * 2)
store.write(paths.features("sample", "e"), meta, count, parts(), {"7": "3"})
features = store.read(paths.features("sample", "e"))
print(features.vectors.shape)
both = concatenation.concatenate("sample", "both", params.Concatenation(first="e", second="e", share=0.5))
print(both.vectors.shape, bool((both.vectors[7] == both.vectors[3]).all()))
rows, numbers = np.arange(8), np.arange(count)
asked = Asked(store.FeatureSet(numbers, both.vectors, "e"), rows, numbers, numbers, [], {"type": numbers % 7}, None)
spans = blocks.spans(count, len(rows))
found = blocks.together([blocks.found(asked, "cosine", slice(0, 8), span, 1, 2.0) for span in spans])
nearest = found.positions[:, 0]  # the copy of each of two, and whoever is nearest to the others
print([int(nearest[row]) if nearest[row] in (3, 7) else int(row) for row in rows])
"""
