"""Engines side by side under pools and runs: every picture once, and who made it."""

from __future__ import annotations

import gc
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest
from PIL import Image

from pyhades import BulkRun, Remover
from pyhades.engines import Hybrid, OnnxRuntime, Patience, Pyhades
from pyhades.errors import ArgumentError, ArgumentTypeError, ClosedError, EngineError
from pyhades.segmentation.bulk import SessionPool
from pyhades.segmentation.bulk.manifest import beside
from pyhades.segmentation.bulk.seating import plan_beside
from pyhades.topology import plan_workers
from tests.support.bulk_runs import lines, results, write_folder
from tests.support.engines import Gate, Scripted, failing, failing_from, slow
from tests.support.segmentation_models import SIDE, model, node, scores

pytest.importorskip("onnxruntime")

DATA = model(
    [*scores([[20, -10]]), node("Sigmoid", "l", "y")], ["n", 1, SIDE, SIDE],
    inputs={"x": ["n", 3, SIDE, SIDE]},
)  # fmt: skip
TOLD = {"mean": 0, "std": 1, "activation": "none", "range": "none", "check": False}
GPU = OnnxRuntime(batch=4, threads=1)
"""onnxruntime's CPU provider in the part of a GPU: it takes four at once."""


def remover(*engines, patience=None):
    engine = engines[0] if len(engines) == 1 else Hybrid(engines, patience)
    return Remover(DATA, engine=engine, threads=1, **TOLD)


def pictures(count):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (40 + n, 50, 3), np.uint8) for n in range(count)]


@pytest.fixture
def folder(tmp_path):
    return write_folder(tmp_path / "in", 24)


def run_of(made, folder, out, **options):
    given = {"workers": 1, "threads_per_worker": 1, "sync": "none", **options}
    return BulkRun(folder, out, remover=made, **given)


def test_results_are_those_of_the_engine_that_they_name():
    given = pictures(40)
    with remover(GPU) as theirs, remover(Pyhades()) as ours:
        want = {each.engine_label: [each.cut(p).encode() for p in given] for each in (theirs, ours)}
    with (
        remover(GPU, Pyhades()) as made,
        SessionPool(made, workers=1, threads_per_worker=1) as pool,
    ):
        outcomes = [rendered for _, rendered in pool.run(given)]
        tallies = {tally.label: tally.pictures for tally in pool.engines}
    for number, rendered in enumerate(outcomes):
        alpha, expected = (
            np.asarray(Image.open(io.BytesIO(data)))[..., 3].astype(int)
            for data in (rendered.data, want[rendered.engine][number])
        )
        assert np.abs(alpha - expected).max() <= 1  # of a batch, sums have another order
        if rendered.engine == "pyhades":
            assert rendered.data == want["pyhades"][number]
    assert Counter(rendered.engine for rendered in outcomes) == tallies
    assert set(tallies) == {"onnxruntime:cpu", "pyhades"} and sum(tallies.values()) == 40


@pytest.mark.parametrize(
    "crews", [{"decoders": 1}, {"encoders": 1}, {"decoders": 1, "encoders": 1}], ids=str
)
def test_crews_beside_engines(crews):
    given = pictures(20)
    with remover(GPU, Pyhades()) as made, SessionPool(made, workers=1, **crews) as pool:
        outcomes = list(pool.run(given))
    assert [item.shape for item, _ in outcomes] == [item.shape for item in given]
    assert {rendered.engine for _, rendered in outcomes} <= {"onnxruntime:cpu", "pyhades"}


def test_onnxruntime_alone_has_a_consumer_for_every_worker():
    with remover(OnnxRuntime()) as made, SessionPool(made, workers=2) as pool:
        assert all(r.engine == "onnxruntime:cpu" for _, r in pool.run(pictures(12)))
        assert pool.holders == 4 and "engines: OnnxRuntime(" in repr(pool)
        (tally,) = pool.engines
        assert tally.pictures == 12 and tally.label in str(tally)


def test_our_engine_alone_asks_nobody():
    with remover(Pyhades()) as made, SessionPool(made, workers=2) as pool:
        list(pool.run(pictures(3)))
        assert made.behind_queue() is None and pool.engines == [] and pool.holders == 2


def test_workers_get_the_cores_that_others_leave():
    cores = len(plan_workers(threads_per_worker=1, processes="one").workers)
    wide = Hybrid([OnnxRuntime(threads=cores), Pyhades()])
    assert len(plan_beside(wide, None, 1).workers) == 1
    assert len(plan_beside(wide, 3, 1).workers) == 3
    for other in (None, Pyhades(), OnnxRuntime(), Hybrid([OnnxRuntime("cuda"), Pyhades()])):
        assert len(plan_beside(other, None, 1).workers) == cores
    if cores > 1:
        one = Hybrid([OnnxRuntime(threads=1), Pyhades()])
        assert len(plan_beside(one, None, 1).workers) == cores - 1


def check_once(out, count):
    """Every picture has one line and one result."""
    found = Counter(line["input"] for line in lines(out))
    assert len(found) == count and set(found.values()) == {1}
    done = [line for line in lines(out) if line["status"] == "done"]
    assert len(results(out)) == len(done)
    return done


@pytest.mark.parametrize("what", ["fails", "hangs", "is late", "gives nonsense"])
def test_an_engine_that_does_not_work_costs_no_picture(folder, tmp_path, what):
    gate = Gate(first=1, last=2 if what == "is late" else 1 << 30)
    behaviour = {
        "fails": failing_from(1), "hangs": gate, "is late": gate,
        "gives nonsense": lambda call, planes: planes[:, :1, ::2] * np.nan,
    }[what]  # fmt: skip
    device = Scripted("device", behaviour, batch=4)
    with remover(device, Scripted("other", slow(0.02))) as made:
        run = run_of(made, folder, tmp_path / "out", engine_timeout=0.5)

        def tell(outcome):
            if what == "is late" and run._workforce.pool.engines[0].failures:
                gate.open()

        report = run.run(tell)
    gate.open()
    assert (report.done, report.failed) == (24, 0)
    done = check_once(tmp_path / "out", 24)
    assert {line["engine"] for line in done} <= {"device", "other"}
    note = next(note for note in report.notes if note.startswith("engine device"))
    assert "pictures went to other engines" in note


def test_a_run_whose_engines_are_gone_ends_with_an_error_for_the_rest(folder, tmp_path):
    device, other = Scripted("device", failing_from(2)), Scripted("other", failing)
    with remover(device, other) as made:
        report = run_of(made, folder, tmp_path / "out").run()
    done = check_once(tmp_path / "out", 24)
    assert report.done + report.failed == 24 and report.done == len(done) <= 2
    reasons = [line["reason"] for line in lines(tmp_path / "out") if line["status"] == "failed"]
    assert reasons[-1].startswith("no engine is left: device (3 failures in a row")


def test_broken_pictures_are_nobodys_failures(folder, tmp_path):
    (folder / "broken.jpg").write_bytes(b"no picture")
    with remover(GPU, Pyhades()) as made:
        run = run_of(made, folder, tmp_path / "out")
        report = run.run()
        assert (report.done, report.failed) == (24, 1)
        assert not any(tally.failures for tally in run._workforce.pool.engines)


def test_leaving_a_run_in_the_middle_waits_for_no_engine_that_hangs(folder, monkeypatch):
    monkeypatch.setattr("pyhades.engines.exchange.PARTING_SECONDS", 0.1)
    gate = Gate(first=0)
    with remover(Scripted("device", gate, batch=2), Scripted("other", slow(0.01))) as made:
        with SessionPool(made, workers=1) as pool:
            outcomes = pool.run(pictures(40), in_order=False)
            next(outcomes)
            assert gate.entered.wait(10)
            began = time.monotonic()
        assert time.monotonic() - began < 20 and gate.cancelled.is_set()
    gate.open()


def test_results_of_another_engine_count_as_other_options(folder, tmp_path):
    out = tmp_path / "out"
    with remover(Pyhades()) as ours, remover(GPU) as theirs:
        run_of(ours, folder, out).run()
        assert all("engine" not in json.loads(line).get("options", {})
                   for line in beside(out).read_text().splitlines())  # fmt: skip
        with pytest.raises(ArgumentError, match="engine was 'pyhades' and is 'onnxruntime:cpu'"):
            run_of(theirs, folder, out, resume=True).run()
        report = run_of(theirs, folder, out, resume=True, resume_anyway=True).run()
        assert (report.done, report.skipped) == (0, 24)
        assert run_of(ours, folder, out, resume=True).run().skipped == 24


def test_memory_counts_those_who_prepare_pictures_for_engines(folder, tmp_path):
    with remover(GPU, Pyhades()) as made:
        run = run_of(made, folder, tmp_path / "out", max_memory="8G")
        pool, memory = run._workforce.pool, run._workforce.memory
        assert pool.holders == 2 * 4 + 2 and memory.most_items == 2 * pool.holders
        assert run.run().done == 24


def test_frames_of_an_animation_name_all_engines_that_made_them():
    frames = [Image.fromarray(array[:40]) for array in pictures(6)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    engines = Scripted("a", slow(0.01)), Scripted("b", slow(0.01))
    with remover(*engines) as made, SessionPool(made, workers=1) as pool:
        ((_, rendered),) = pool.run([file.getvalue()])
    assert set(rendered.engine.split(" and ")) <= {"a", "b"} and rendered.engine


def test_single_pictures_say_who_made_them():
    a, b = Scripted("a", slow(0.005)), Scripted("b", slow(0.005))
    found, lock = [], threading.Lock()
    with remover(a, b) as made:

        def cut():
            for _ in range(5):
                with lock:
                    found.append(made.cut(pictures(1)[0]).engine)

        threads = [threading.Thread(target=cut) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        session = made.session(threads=1)
        session.close()
    assert set(found) <= {"a", "b"} and len(found) == 15


def test_engines_that_all_fail_tell_so_for_a_single_picture():
    engines = Scripted("a", failing), Scripted("b", failing)
    with remover(*engines, patience=Patience(failures=1)) as made:
        # Whoever is there first gets it first.
        for reason in (
            "a: the device is gone; b: |b: the device is gone; a: ",
            "no engine is left",
        ):
            with pytest.raises(EngineError, match=reason):
                made.cut(pictures(1)[0])


def test_an_engine_that_cannot_be_had_ends_it_at_once():
    """A hybrid is what was asked for, or an error."""
    closed = []

    class Unwilling(Scripted):
        def network(self, model):
            raise EngineError("there is no device")

    class Willing(Scripted):
        def network(self, model):
            network = super().network(model)
            network.close = lambda: closed.append(True)
            return network

    with pytest.raises(EngineError, match="there is no device"):
        remover(Willing("a"), Unwilling("b"))
    assert closed


def test_engines_of_a_hybrid_in_a_hybrid_stand_for_themselves():
    a, b, c = (Scripted(name) for name in "abc")
    assert Hybrid([Hybrid([a, b]), c]).engines == (a, b, c)
    with pytest.raises(ArgumentError, match="one twice"):
        Hybrid([Hybrid([a, b]), a])
    for wrong in (["onnxruntime"], "pyhades", [Pyhades]):
        with pytest.raises(ArgumentTypeError, match="expected engines such as"):
            Hybrid(wrong)


# Who ends, and who does not.


def consumers_of(label):
    return [thread for thread in threading.enumerate() if f"pyhades {label} " in thread.name]


def test_a_remover_that_nobody_closes_takes_its_consumers_along():
    made = remover(Scripted("forgotten"), Scripted("other"))
    made.cut(pictures(1)[0])
    assert consumers_of("forgotten")
    del made
    deadline = time.monotonic() + 20
    while consumers_of("forgotten") and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert not consumers_of("forgotten")


def test_runs_that_nobody_takes_hold_no_threads():
    with remover(Scripted("unasked"), Pyhades()) as made:
        pool = SessionPool(made, workers=1)
        never = pool.run(pictures(3))
        assert not consumers_of("unasked") and not consumers_of("cutter")
        one, two = pool.run(pictures(9)), pool.run(pictures(9))
        next(one), next(two)
        assert len(consumers_of("unasked")) == 2
        pool.close()
        assert not consumers_of("unasked") and not consumers_of("cutter")
        assert list(never) == []
        with pytest.raises(ArgumentError, match="most_items"):
            SessionPool(made, workers=1, most_items=0).run(pictures(1))
        assert not consumers_of("unasked")


def test_a_remover_that_is_closed_in_the_middle_loses_no_picture():
    with remover(GPU, Pyhades()) as made, SessionPool(made, workers=1) as pool:
        outcomes = []
        for outcome in pool.run(pictures(30)):
            outcomes.append(outcome)
            made.close()
            made.close()
    assert len(outcomes) == 30
    with pytest.raises(ClosedError):
        made.cut(pictures(1)[0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_consumers_of_its_own():
    with remover(Scripted("a"), Scripted("b")) as made:
        made.cut(pictures(1)[0])
        child = os.fork()
        if child == 0:
            os._exit(0 if made.cut(pictures(1)[0]).engine in "ab" else 1)
        deadline = time.monotonic() + 60
        while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
            time.sleep(0.01)
        if ended == (0, 0):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        assert ended == (child, 0)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["pool", "run", "single"])
def test_ctrl_c_ends_a_process_whose_engine_hangs(tmp_path, way):
    """Long before the minutes that an engine may take."""
    write_folder(tmp_path / "in", 24)
    told = [sys.executable, "-m", "tests.support.hanging", way, str(tmp_path)]
    with subprocess.Popen(
        told, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "hangs\n"
        process.send_signal(signal.SIGINT)
        _, complaint = process.communicate(timeout=50)
    assert process.returncode in (-signal.SIGINT, 1) and "KeyboardInterrupt" in complaint


@pytest.mark.slow
def test_a_process_that_ends_in_the_middle_of_a_run_is_not_aborted(tmp_path):
    """C++ of a thread that comes back to an interpreter that is gone calls abort."""
    told = [sys.executable, "-m", "tests.support.hanging", "leaving", str(tmp_path)]
    done = subprocess.run(told, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0 and "terminate called" not in done.stderr


@pytest.mark.slow
def test_engines_go_to_spawned_processes():
    engine = Hybrid([GPU, Pyhades()])
    with (
        Remover(DATA, engine=engine, threads=1, **TOLD) as made,
        ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool,
    ):
        want = made.cut(pictures(1)[0]).alpha.astype(int)
        for engine_label, alpha in pool.map(cut_elsewhere, [made] * 4, pictures(1) * 4):
            assert engine_label in engine.label and np.abs(alpha - want).max() <= 1


def cut_elsewhere(made, picture):
    cutout = made.cut(picture)
    return cutout.engine, cutout.alpha.astype(int)
