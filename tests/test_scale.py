"""Work on Dask's workers: the same bytes as here, whoever is killed or cut off on the way; and none of it unasked."""

import contextlib
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading

import children
import dasks
import namespaces
import pandas as pd
import pytest
from dasks import ROWS, SHARDS, SLOWER, as_stages, done, forty, forty_ids  # noqa: F401
from small_world import run, world  # noqa: F401

from pipeline import environment, params, paths, scale
from pipeline.encoders import extract, store
from pipeline.evaluation import scoring

SLURM = {"cores": 2, "memory": "4GB", "walltime": "01:00:00", "jobs": 2}


def forty_on(scheduler):
    """As `forty`, in a child that is killed."""
    extract.SHARD_ROWS = ROWS
    os.environ.update(environment.variables())
    scale.facts.cache_clear()
    where = params.Scale(engine="dask", scheduler=scheduler, patience=60)
    target = paths.features("sample", "forty")
    extract.extract_features("sample", "forty", SLOWER, forty_ids(), target, where)


class OnScheduler:
    """`forty_on` as work of a child."""

    def __init__(self, scheduler):
        self.scheduler = scheduler

    def __call__(self):
        forty_on(self.scheduler)


def test_four_kills_of_workers_and_one_of_the_whole_run_end_with_the_same_bytes(forty, as_stages, tmp_path):  # noqa: F811
    calm, _ = forty(params.Scale())
    shutil.rmtree(paths.BUILD / "features")
    with contextlib.ExitStack() as stack:
        place = stack.enter_context(dasks.scheduler(tmp_path))
        workers = [stack.enter_context(dasks.worker(place, tmp_path)) for _ in range(2)]
        killed = []

        def kill():
            for count in (4, 10, 16, 22):
                dasks.until(lambda count=count: len(done()) >= count)
                lost = workers.pop(0)
                lost.kill()
                killed.append(len(done()))
                workers.append(stack.enter_context(dasks.worker(place, tmp_path)))

        killer = threading.Thread(target=kill)
        killer.start()
        child = children.start(OnScheduler(place.scheduler), paths.ROOT, paths.BUILD)
        dasks.until(lambda: len(done()) >= 26, seconds=180)
        child.kill()
        child.join()
        killer.join()
        assert len(killed) == 4 and max(killed) < SHARDS
        kept = {file.stem: file.with_suffix(".npy").stat().st_mtime_ns for file in done()}
        assert len(kept) >= 26
        found, times = forty(place)
    assert hashlib.sha256(found).hexdigest() == hashlib.sha256(calm).hexdigest()
    assert len(times) == SHARDS
    assert {name: times[f"{name}.npy"] for name in kept} == kept


def test_a_worker_that_is_cut_off_is_done_without(forty, as_stages, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL", "15s")
    with contextlib.ExitStack() as stack:
        host, _ = stack.enter_context(namespaces.namespace("away", "10.213.7"))
        calm, _ = forty(params.Scale())
        place = stack.enter_context(dasks.scheduler(tmp_path, host))
        stack.enter_context(dasks.worker(place, tmp_path))
        away = stack.enter_context(dasks.worker(place, tmp_path, "ip", "netns", "exec", "away"))
        dasks.until(lambda: (tmp_path / "worker.log").read_text().count("Registered to") == 2)

        def cut():
            dasks.until(lambda: len(done()) >= 6)
            namespaces.ip("link set away0 down")

        cutter = threading.Thread(target=cut)
        cutter.start()
        found, _ = forty(place)
        cutter.join()
        assert away.poll() is None
    said = (tmp_path / "scheduler.log").read_text()
    assert -1 < said.find("Remove worker addr: tcp://10.213.7.2") < said.find("Remove client")  # while it worked
    assert hashlib.sha256(found).hexdigest() == hashlib.sha256(calm).hexdigest()


def test_rankings_by_queries_and_by_blocks_are_those_made_here(world, run, as_stages, tmp_path, monkeypatch):  # noqa: F811
    frame, features = world
    monkeypatch.setattr(paths, "BUILD", tmp_path / "build")
    monkeypatch.setattr(scoring, "PART", 3)
    calm = scoring.evaluate(features, frame, "manhattan", run, params.Scale())
    with dasks.scheduler(tmp_path) as place, dasks.worker(place, tmp_path):
        for gallery in ("whole", "blocks"):
            there = place.model_copy(update={"gallery": gallery})
            found = scoring.evaluate(features, frame, "manhattan", run, there)
            pd.testing.assert_frame_equal(found.scores, calm.scores, check_exact=True)
            pd.testing.assert_frame_equal(found.distances, calm.distances, check_exact=True)
            pd.testing.assert_frame_equal(found.neighbours.frame(), calm.neighbours.frame(), check_exact=True)
    assert not list((tmp_path / "build/scale").iterdir())


def test_the_benchmark_says_whether_a_runs_files_are_the_published_ones(world, run, as_stages, tmp_path):  # noqa: F811
    frame, features = world
    frame.to_parquet(tmp_path / "catalog.parquet", index=False)
    file, facts = tmp_path / "features/padded.sqlite", {"encoder_id": features.encoder_id, "encoder": "padded"}
    facts["dimension"] = str(features.vectors.shape[1])
    store.write(file, facts, len(frame), [(features.ids.tolist(), features.vectors)])
    calm = scoring.evaluate(features, frame, "manhattan", run, params.Scale())
    parts = {"scores/{}": calm.scores, "scores/{}.distances": calm.distances, "neighbours/{}": calm.neighbours.frame()}
    outs = []
    for name, table in parts.items():
        table.to_parquet(tmp_path / "table", index=False)
        md5 = hashlib.md5((tmp_path / "table").read_bytes()).hexdigest()
        outs.append({"path": f"outputs/small/{name.format('padded-manhattan')}.parquet", "md5": md5})
    stage = {"outs": outs, "params": {"params.yaml": {"knn_retrieval": run.model_dump(mode="json")}}}
    command = [sys.executable, "-m", "benchmarks.scale", "--run", str(tmp_path), "padded", "--distance", "manhattan"]
    command += ["--lock", str(tmp_path / "lock"), "--workers", "1"]
    for told, code in (("the published bytes", 0), (f"OTHER BYTES: distances: {outs[1]['md5']}, not 0", 1)):
        (tmp_path / "lock").write_text(json.dumps({"stages": {"knn_retrieval@padded-manhattan": stage}}))
        result = subprocess.run(command, cwd=paths.ROOT, capture_output=True, text=True)
        assert (result.returncode, result.stdout.count(f"    {told}\n")) == (code, 2), result.stdout + result.stderr
        outs[1]["md5"] = "0"


def test_a_worker_with_other_variables_or_code_is_refused_by_name(as_stages, tmp_path, monkeypatch):  # noqa: F811
    with dasks.scheduler(tmp_path) as place, dasks.worker(place, tmp_path):
        monkeypatch.setenv(environment.THREADS, "7")
        scale.facts.cache_clear()
        with (
            pytest.raises(scale.ScaleError, match=f"would give other bytes .{environment.THREADS}: 2, not 7"),
            scale.workers(place) as each,
        ):
            list(each(len, [("abc",)]))


def test_no_scheduler_is_said_in_one_line(as_stages, tmp_path):  # noqa: F811
    place = params.Scale(engine="dask", scheduler=str(tmp_path / "none.json"), patience=1)
    with pytest.raises(scale.ScaleError, match=r"no worker came within 1 s to .*none\.json"), scale.workers(place):
        pass


@pytest.mark.parametrize(("lost", "said"), [("worker", "no worker has been there for 40 s"), ("scheduler", "was lost")])
def test_when_all_are_lost_on_the_way_it_ends_and_says_so(forty, as_stages, tmp_path, monkeypatch, lost, said):  # noqa: F811
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT", "15s")
    shutil.rmtree(paths.BUILD / "features", ignore_errors=True)  # what an earlier test has left done
    file = tmp_path / "scheduler.json"
    options = ["--scheduler-file", str(file), "--port", "0", "--host", "127.0.0.1"]
    place = params.Scale(engine="dask", scheduler=str(file), patience=40)
    with dasks.process("scheduler", options, tmp_path) as scheduler, dasks.worker(place, tmp_path) as worker:

        def lose():
            dasks.until(lambda: len(done()) >= 6, seconds=180)
            {"worker": worker, "scheduler": scheduler}[lost].kill()

        loser = threading.Thread(target=lose)
        loser.start()
        with pytest.raises(scale.ScaleError, match=said):
            forty(place)
        loser.join()
    assert 6 <= len(done()) < SHARDS


def test_a_fault_of_a_piece_is_the_works_fault(as_stages, tmp_path):  # noqa: F811
    with (
        dasks.scheduler(tmp_path) as place,
        dasks.worker(place, tmp_path),
        pytest.raises(ValueError, match="invalid literal"),
        scale.workers(place) as each,
    ):
        list(each(int, [("1",), ("no",)]))


def test_a_worker_keeps_no_result_once_it_is_here(as_stages, tmp_path):  # noqa: F811
    with dasks.scheduler(tmp_path) as place, dasks.worker(place, tmp_path), scale.workers(place) as each:
        from distributed import get_client

        results = each(bytes, [(10**6,)] * 12)
        next(results)
        dasks.until(lambda: get_client().run(lambda dask_worker: len(dask_worker.data)).popitem()[1] == 0)
        assert len(list(results)) == 11


def test_here_nothing_of_dask_is_needed_or_loaded():
    code = (
        "import sys; sys.modules.update(dict.fromkeys(('dask', 'distributed', 'dask_jobqueue')))\n"  # none can be had
        "from pipeline import params, scale; import pipeline.evaluation.scoring, pipeline.run\n"
        "with scale.workers(scale.chosen()) as each, scale.shared([1], scale.chosen()) as value:\n"
        "    assert list(each(divmod, [(7, 2), (9, 4)])) == [(3, 1), (2, 1)] and scale.opened(value) == [1]\n"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=paths.ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


def test_without_dask_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(paths, "BUILD", tmp_path)
    monkeypatch.setitem(sys.modules, "dask", None)
    place = params.Scale(engine="dask", scheduler="tcp://127.0.0.1:1")
    with pytest.raises(scale.ScaleError, match=r"pip install -e \.\[cluster\]"), scale.workers(place):
        pass


def test_a_notebook_is_told_by_its_stage_and_one_by_hand_computes_here(monkeypatch):
    monkeypatch.delenv(scale.VARIABLE, raising=False)
    assert scale.chosen() == params.Scale()
    place = params.Scale(engine="dask", scheduler="tcp://a:1")
    monkeypatch.setenv(scale.VARIABLE, place.model_dump_json())
    assert scale.chosen() == place


@pytest.mark.parametrize(
    "given",
    [{"engine": "dask"}, {"scheduler": "tcp://a:1"}, {"engine": "dask", "scheduler": "a", "slurm": SLURM}],
)
def test_a_place_is_one_place(given):
    with pytest.raises(params.ParamsError, match=r"engine: dask needs a scheduler or slurm, one of the two"):
        params.check(params.Scale, given, "params.yaml")


def test_no_stage_follows_from_where_it_is_computed():
    from pipeline import graph, sources, stages

    assert not re.search(r"\bscale\b", graph.text())
    assert {"pipeline.scale", "pipeline.params.scale"} <= sources.PLUMBING
    study = params.load()
    elsewhere = study.model_copy(update={"scale": params.Scale(engine="dask", scheduler="tcp://a:1")})
    for stage in stages.chapters():
        for item in [None] if (items := stages.items_of(study, stage)) is None else items:
            assert stages.parameters(study, stage, item) == stages.parameters(elsewhere, stage, item)
