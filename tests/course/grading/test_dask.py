"""The same map over a Dask cluster: workers that die, a scheduler that goes, workers that do not fit."""

import os
import signal
import sys
from pathlib import Path

import pytest
from dlcourse_grading import ASSIGNMENT, CLASS, begun, hand_in, results, set_variable, stand_in

from dlcourse.course import CourseError
from dlcourse.course.grading import pools
from dlcourse.course.grading.grade import grade

SUPPORT = Path(__file__).parents[2] / "support"


def cluster_of(count, **options):
    from distributed import LocalCluster

    return LocalCluster(
        n_workers=count, threads_per_worker=1, dashboard_address="127.0.0.1:0", memory_limit=0, **options
    )


@pytest.fixture(scope="module")
def shared_ledger(tmp_path_factory):
    """The environment of workers: they import the stand-in and share one ledger."""
    path = tmp_path_factory.mktemp("ledger") / "ledger"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(SUPPORT), str(SUPPORT.parents[1])]))
        patch.setenv("DLCOURSE_TEST_LEDGER", str(path))
        yield path


@pytest.fixture(scope="module")
def cluster(shared_ledger):
    with cluster_of(2) as made:
        yield made


@pytest.fixture
def ledger(shared_ledger):
    shared_ledger.unlink(missing_ok=True)
    return shared_ledger


def run(course, address, **options):
    told = []
    options = {"unsafe": True, "grade_one": stand_in, "on_trouble": told.append, **options}
    return grade(course, ASSIGNMENT, dask=address, **options), told


def test_a_class_over_a_cluster(course, cluster, book):
    twin = (course / "submitted/ann/toy/toy-exercises.ipynb").read_bytes()
    hand_in(course, "eve", content=twin)  # the same bytes twice: two results
    hand_in(course, "ben", points=[2, 0], trouble=["no memory"])
    report, told = run(course, cluster.scheduler_address)
    assert (report.status, told) == (0, ["ben: no memory; once more, alone, later"])
    assert begun() == ["ann", "ann", "ben", "ben", "cat", "dan"]
    assert {row.student: row.score for row in report.rows} == {"ann": 5, "ben": 2, "cat": 5, "dan": 5, "eve": 5}
    assert sorted(results(course)) == [*CLASS, "eve"]
    assert len(book.entered) == 5
    report, _ = run(course, cluster.scheduler_address)
    assert all(row.kept for row in report.rows)


def test_workers_without_a_sandbox(course, cluster, monkeypatch):
    from distributed import Client

    before = {path.name for path in course.rglob("*")}
    with Client(cluster.scheduler_address, set_as_default=False) as client:
        client.run(set_variable, "DLCOURSE_SANDBOX", "none-such")
        try:
            with pytest.raises(pools.NoJail, match=r"(?s)tcp://.*no sandbox is called 'none-such'"):
                run(course, cluster.scheduler_address, unsafe=False)
        finally:
            client.run(set_variable, "DLCOURSE_SANDBOX", None)
    assert begun() == []
    assert {path.name for path in course.rglob("*")} == before


def test_workers_with_another_version(course, cluster, monkeypatch):
    monkeypatch.setattr(pools, "__version__", "99.0")
    with pytest.raises(CourseError, match=r"Every Dask worker needs dlcourse 99\.0, as here: tcp://.* has 0\."):
        run(course, cluster.scheduler_address)
    assert begun() == []


def test_no_scheduler(course, monkeypatch):
    monkeypatch.setattr(pools, "CONNECT", 0.5)
    with pytest.raises(CourseError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:1: "):
        run(course, "tcp://127.0.0.1:1")
    with pytest.raises(CourseError, match=r"No Dask scheduler answers at nonsense://x: "):
        run(course, "nonsense://x")


def test_no_workers(course, shared_ledger, monkeypatch):
    monkeypatch.setattr(pools, "CONNECT", 0.5)
    with cluster_of(0) as empty, pytest.raises(CourseError, match="has no worker"):
        run(course, empty.scheduler_address)


def test_without_dask(course, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(CourseError, match=r"needs the package distributed.*pip install 'dlcourse\[grading\]'"):
        run(course, "tcp://127.0.0.1:1")


def test_workers_that_all_went(course, shared_ledger, monkeypatch):
    monkeypatch.setattr(pools, "DESERTED", 1)
    monkeypatch.setattr(pools, "COUNT", 0.1)
    for student in CLASS:
        hand_in(course, student, sleep=0.3)
    with cluster_of(1) as made, pytest.raises(CourseError, match=r"has had no worker for 1 s"):
        run(course, made.scheduler_address, on_progress=lambda done, total, who: made.scale(0) if done == 2 else None)
    assert len(results(course)) >= 2


@pytest.mark.slow
def test_a_scheduler_that_goes(course, shared_ledger, monkeypatch):
    """What is graded stays, and the rest is graded here."""
    for number in range(20):
        hand_in(course, f"s{number}", sleep=0.2)
    monkeypatch.setattr(pools, "GONE", 3)
    made = cluster_of(2)
    try:
        with pytest.raises(CourseError, match=r"The Dask scheduler at .* is gone"):
            run(
                course,
                made.scheduler_address,
                on_progress=lambda done, total, who: made.close(timeout=2) if done == 6 else None,
            )
    finally:
        made.close(timeout=2)
    done = results(course)
    assert 6 <= len(done) < 24
    assert all(each.status == "graded" for found in done.values() for each in found)
    report, _ = run(course, None, resume=True)
    assert {row.student for row in report.rows if row.kept} == set(done)
    assert len(results(course)) == 24


@pytest.mark.slow
def test_two_thousand_with_a_worker_killed_on_the_way(course, shared_ledger, book):
    names = [f"s{number:04}" for number in range(2000)]
    for name in (*CLASS, *names[4:]):
        hand_in(course, name, points=[2, 0] if name.endswith("7") else [2, 3])
    killed = []

    def kill(done, total, who):
        if done in (300, 900):
            nanny = list(made.workers.values())[len(killed)]
            os.kill(nanny.pid, signal.SIGKILL)
            killed.append(nanny.pid)

    with cluster_of(2) as made:
        report, _ = run(course, made.scheduler_address, on_progress=kill)
    assert (report.status, len(report.rows), len(killed)) == (0, 2000, 2)
    found = results(course)
    assert len(found) == 2000
    assert {len(each) for each in found.values()} == {1}
    assert {each.status for (each,) in found.values()} == {"graded"}
    assert {name: each.score for name, (each,) in found.items() if each.score != 5} == {
        name: 2 for name in names[4:] if name.endswith("7")
    }
    assert sorted(name for name, _ in book.entered) == sorted(found)
    assert len(begun()) < 2000 + 50  # only what a killed worker had in hand is done twice
