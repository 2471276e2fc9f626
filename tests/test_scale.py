"""Work on Dask's workers: the same bytes as here, whoever is killed or cut off on the way; and none of it unasked."""

import contextlib
import hashlib
import os
import re
import shutil
import subprocess
import sys
import threading

import children
import dasks
import pandas as pd
import pytest
from dasks import ROWS, SHARDS, SLOWER, as_stages, done, forty, forty_ids  # noqa: F401
from small_world import run, world  # noqa: F401

from pipeline import environment, params, paths, scale
from pipeline.encoders import extract
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
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("a network namespace needs root and iproute2's `ip`")
    calm, _ = forty(params.Scale())
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL", "15s")
    with contextlib.ExitStack() as stack:
        host = stack.enter_context(namespace("away"))
        place = stack.enter_context(dasks.scheduler(tmp_path, host))
        stack.enter_context(dasks.worker(place, tmp_path))
        away = stack.enter_context(dasks.worker(place, tmp_path, "ip", "netns", "exec", "away"))
        dasks.until(lambda: (tmp_path / "worker.log").read_text().count("Registered to") == 2)

        def cut():
            dasks.until(lambda: len(done()) >= 6)
            subprocess.run(["ip", "link", "set", "away0", "down"], check=True)

        cutter = threading.Thread(target=cut)
        cutter.start()
        found, _ = forty(place)
        cutter.join()
        assert away.poll() is None
    said = (tmp_path / "scheduler.log").read_text()
    assert -1 < said.find("Remove worker addr: tcp://10.213.7.2") < said.find("Remove client")  # while it worked
    assert hashlib.sha256(found).hexdigest() == hashlib.sha256(calm).hexdigest()


@contextlib.contextmanager
def namespace(name):
    """A network namespace with a link to this one, whose end here is `<name>0`; the address of that end."""
    made = [f"netns add {name}", f"link add {name}0 type veth peer name eth0 netns {name}"]
    made += [f"addr add 10.213.7.1/24 dev {name}0", f"link set {name}0 up"]
    inside = ["addr add 10.213.7.2/24 dev eth0", "link set eth0 up", "link set lo up"]
    for command in [*made, *(f"-n {name} {one}" for one in inside)]:
        subprocess.run(["ip", *command.split()], check=True)
    try:
        yield "10.213.7.1"
    finally:
        subprocess.run(["ip", "netns", "delete", name], check=True)


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
