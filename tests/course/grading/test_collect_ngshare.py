"""`nbgrader collect` by ngshare: its own client, and in place of the service answers as a student would have them."""

import base64
import importlib
import json
import os
import sys
from pathlib import Path

import pytest

ASSIGNMENT, NOTEBOOK = "01-neurons", "01-neurons-exercises.ipynb"
EARLY, LATE = (f"2026-03-0{day} 12:00:00.123456 UTC" for day in (1, 2))
POISON = "2024-01-01 111111111111111111111111111111m"
PLANTED = b"open('was-run', 'w')"


def file(path: str, text: bytes = PLANTED) -> dict:
    return {"path": path, "content": base64.encodebytes(text).decode()}


def honest(student: str, at: str = EARLY) -> dict:
    files = [
        file(NOTEBOOK, student.encode()),
        file("submission_secret.txt", b"5" * 128),
        file("timestamp.txt", b"1999"),
    ]
    return {"success": True, "timestamp": at, "files": files}


@pytest.fixture
def made(monkeypatch):
    """The module. What its import brings goes again: nbgrader_config.py looks whether ngshare is there."""
    monkeypatch.setenv("USER", "teacher")
    before = dict(sys.modules)
    name = "dlcourse.course.grading.collect_ngshare"
    yield importlib.import_module(name)
    for name in [name for name in sys.modules if name.startswith("ngshare_exchange") or name.endswith("_ngshare")]:
        if name not in before:
            del sys.modules[name]


class Service:
    """ngshare's answers, by student; `said` is the collector's log."""

    def __init__(self, module, course: Path, caplog):
        self.module, self.course, self.said = module, course, caplog
        self.answers = {student: honest(student) for student in ("ann", "bob", "zoe")}
        self.listed: list = []

    def request(self, method, url, **_):
        *_, course, assignment = url.split("/")[:6]
        assert (method, course, assignment) == ("GET", "dlcourse", ASSIGNMENT)
        student = url.split("/")[6:]
        if student:
            answer = self.answers[student[0]]
        else:
            found = [{"student_id": s, "timestamp": a["timestamp"]} for s, a in self.answers.items()]
            answer = {"success": True, "submissions": found + self.listed}
        response = sys.modules["ngshare_exchange.exchange"].requests.Response()
        response.status_code, response._content = 200, json.dumps(answer).encode()
        return response

    def collect(self, student: str = "*", course: str = "dlcourse", **options) -> str:
        from nbgrader.coursedir import CourseDirectory

        at = CourseDirectory(root=str(self.course), course_id=course, assignment_id=ASSIGNMENT, student_id=student)
        collector = self.module.Collect(coursedir=at, **options)
        collector._ngshare_url = "http://ngshare"
        collector.log.setLevel("INFO")
        collector.log.propagate = True
        self.said.clear()
        collector.start()
        return self.said.text

    def files(self) -> dict[str, bytes]:
        """All below the test's folder, but the collected stamps and secrets."""
        return {
            str(path.relative_to(self.course.parent)): path.read_bytes()
            for path in self.course.parent.rglob("*")
            if path.is_file() and path.name not in ("timestamp.txt", "submission_secret.txt")
        }

    def of(self, *students: str) -> dict[str, bytes]:
        return {f"course/submitted/{it}/{ASSIGNMENT}/{NOTEBOOK}": it.encode() for it in students}


@pytest.fixture
def service(made, tmp_path, monkeypatch, caplog):
    course = tmp_path / "here/course"
    course.mkdir(parents=True)
    monkeypatch.chdir(course)
    served = Service(made, course, caplog)
    monkeypatch.setattr("ngshare_exchange.exchange.requests.request", served.request)
    return served


def test_the_honest_arrive_closed_with_the_services_time(service):
    assert "Not copied" not in service.collect()
    assert service.files() == service.of("ann", "bob", "zoe")
    folder = service.course / "submitted/ann" / ASSIGNMENT
    assert sorted(os.listdir(folder)) == [NOTEBOOK, "submission_secret.txt", "timestamp.txt"]
    assert (folder / "timestamp.txt").read_text() == EARLY
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert os.listdir(folder.parent) == [ASSIGNMENT]


@pytest.mark.parametrize(
    "path",
    [
        "/ABSOLUTE/planted.ipynb",
        "../planted.ipynb",
        "../../../../planted.ipynb",
        "../../ann/01-neurons/planted.ipynb",
        "sub/planted.ipynb",
        "sub\\planted.ipynb",
        ".planted.ipynb",
        "nbgrader_config.py",
        "page.html",
        "two\nlines.ipynb",
        "\udcff.ipynb",
        "n" * 300 + ".ipynb",
        "ä" * 200 + ".ipynb",  # 406 bytes
        "..",
        "",
        None,
    ],
)
def test_of_eve_only_what_is_honest_arrives(service, path):
    eve = service.answers["eve"] = honest("eve")
    name = path and path.replace("/ABSOLUTE", str(service.course.parent))
    eve["files"].insert(0, {**file("x"), "path": name})
    text = service.collect()
    assert service.files() == service.of("ann", "bob", "eve", "zoe")
    assert "Not copied, of eve: " in text
    assert "4 collected" in text
    assert "two\nlines" not in text


BROKEN = {
    "too large": (lambda a: a["files"].append(file("big.ipynb", b"x" * 2**21)), "larger than is taken"),
    "a large secret": (lambda a: a["files"][1].update(file("submission_secret.txt", b"5" * 2000)), "larger than is"),
    "bad base64": (lambda a: a["files"][0].update(content="!!!!"), "cannot be decoded"),
    "half base64": (lambda a: a["files"][0].update(content="abc"), "cannot be decoded"),
    "not ASCII": (lambda a: a["files"][0].update(content="ääää"), "cannot be decoded"),
    "no content": (lambda a: a["files"][0].pop("content"), "has no content"),
    "twice": (lambda a: a["files"].append(file(NOTEBOOK)), "two files of one name"),
    "many": (lambda a: a["files"].extend([file("x.py")] * 1000), "more than 1,000 files"),
    "no files": (lambda a: a.update(files=7), "did not hand it out"),
    "odd files": (lambda a: a.update(files=[7]), "did not hand it out"),
    "refused": (lambda a: a.update(success=False), "did not hand it out"),
    "poison": (lambda a: a.update(timestamp=POISON), "gives no time"),
    "no time": (lambda a: a.update(timestamp=None), "gives no time"),
}


@pytest.mark.parametrize(("spoil", "why"), BROKEN.values(), ids=BROKEN)
def test_a_broken_submission_is_told_in_one_line_and_the_others_arrive(service, monkeypatch, spoil, why):
    monkeypatch.setattr(service.module, "LIMIT", 2**20)
    service.answers["eve"] = honest("eve")
    spoil(service.answers["eve"])
    text = service.collect()
    assert service.files() == service.of("ann", "bob", "zoe")
    (line,) = [line for line in text.splitlines() if "Left out: " in line]
    assert "Left out: eve: " in line
    assert why in line
    assert not (service.course / "submitted/eve").exists()


def test_all_of_a_submission_together_has_a_limit(service, monkeypatch):
    assert service.module.LIMIT == 40 * 2**20
    monkeypatch.setattr(service.module, "LIMIT", 100)
    files = [file("a.ipynb", b"x" * 60), file("b.ipynb", b"x" * 40)]
    assert len(service.module.content({"timestamp": EARLY, "files": files})[0]) == 3
    files[1] = file("b.ipynb", b"x" * 41)
    with pytest.raises(service.module.NotTaken, match="with 40 bytes of room"):
        service.module.content({"timestamp": EARLY, "files": files})


def test_as_many_files_as_are_taken(service, monkeypatch):
    files = [file("a.ipynb"), file("b.ipynb")]
    monkeypatch.setattr(service.module, "MAX_ENTRIES", 2)
    assert len(service.module.content({"timestamp": EARLY, "files": files})[0]) == 3
    with pytest.raises(service.module.NotTaken, match="more than 2 files"):
        service.module.content({"timestamp": EARLY, "files": [*files, file("c.ipynb")]})


@pytest.mark.parametrize("stamp", [POISON, None])
def test_one_whose_time_is_in_the_list_alone_is_left_out(service, stamp):
    with pytest.raises(service.module.NotTaken, match="gives no time"):
        service.module.content({"timestamp": stamp, "files": []})


@pytest.mark.parametrize(
    "record",
    [*({"student_id": name, "timestamp": EARLY} for name in ("../x", "..", ".", "")), {"student_id": 7}, 7, {}],
)
def test_an_odd_line_of_the_list_is_left_out(service, record):
    service.listed = [record]
    assert "no name of a student" in service.collect()
    assert service.files() == service.of("ann", "bob", "zoe")


def test_a_newer_one_is_taken_when_told_and_a_broken_one_takes_nobodys_place(service):
    service.collect()
    service.answers["ann"] = honest("ann", LATE)
    service.answers["ann"]["files"][0] = file(NOTEBOOK, b"newer")
    service.answers["bob"] = honest("bob", LATE)
    service.answers["bob"]["files"][0]["content"] = "!!!!"
    assert "0 collected, 3 were here (--update takes newer ones)" in service.collect()
    assert service.files() == service.of("ann", "bob", "zoe")
    assert "1 collected, 1 were here, 1 left out" in service.collect(update=True)
    newer = {f"course/submitted/ann/{ASSIGNMENT}/{NOTEBOOK}": b"newer"}
    assert service.files() == service.of("bob", "zoe") | newer


def test_one_student_is_collected_when_one_is_asked_for(service):
    service.collect("bob")
    assert service.files() == service.of("bob")


@pytest.mark.parametrize("others", [[LATE, POISON], [POISON, LATE, EARLY]])
def test_the_last_of_each_counts_whatever_the_lists_order(service, others):
    """ngshare lists all that a student handed in; by the last one it is decided whether there is a newer one."""
    service.collect("ann")
    service.listed = [{"student_id": "ann", "timestamp": time} for time in others]
    assert "Left out: ann: ngshare gives no time" in (text := service.collect("ann", update=True))
    assert "1 collected, 0 were here, 1 left out" in text
    assert service.files() == service.of("ann")


def test_what_has_no_time_is_replaced_when_told(service):
    service.collect("ann")
    (service.course / "submitted/ann" / ASSIGNMENT / "timestamp.txt").unlink()
    assert "1 collected, 0 were here" in service.collect("ann", update=True)


def test_before_duedate_is_refused_and_so_is_no_list(service, monkeypatch):
    from nbgrader.exchange import ExchangeError

    with pytest.raises(ExchangeError, match="without --before-duedate"):
        service.collect(before_duedate=True)
    monkeypatch.setattr(service.module.Collect, "ngshare_api_get", lambda *_: None)
    with pytest.raises(ExchangeError, match="did not list"):
        service.collect()
    with pytest.raises(ExchangeError, match="No course id"):
        service.collect(course="")
    assert service.files() == {}
