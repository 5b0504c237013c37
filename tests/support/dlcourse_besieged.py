"""A course under attack: its folder, the secrets laid out in and around it, listeners, and what the grader leaves.

    course = Besieged(folder); course.release(); course.hand_in(cases); course.grade(); course.feedback()
    course.scores(name); course.page(name)

Each secret is the word CANARY and 16 hex digits, so that a test can look for it in all that was written.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import re
import secrets
import shutil
import socket
import stat
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack
from functools import cached_property
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import psutil
from dlcourse_hostile import CHAPTER, ROOT, SIGNED, Case, hand_in, notebook, points

from dlcourse.course.grading.book.inert import INVISIBLE
from dlcourse.course.grading.submission import Unreadable, open_submission, parse

VICTIM = "victim"
# Small, so that what never ends is stopped soon; honest answers need a hundredth of it.
LIMITS = {"call_cpu": 1.0, "cell_cpu": 3.0, "submission_cpu": 20.0, "wall": 4.0}
# For cases that are there to reach a limit. A call that sleeps is stopped after 1.6 s, a cell after 3.2, all after 16.
TIGHT = {"call_cpu": 0.4, "cell_cpu": 0.8, "submission_cpu": 4.0, "wall": 4.0}
# As `dlcourse course release` leaves it, without nbgrader, whose rows the first run of the grader makes.
RELEASE = """
import json, sys
from dataclasses import replace
from pathlib import Path
from dlcourse.course.grading import keys, lock
from dlcourse.course.grading.settings import forbidden, settings
from dlcourse.course.grading.spec import read_spec
course, assignment = Path.cwd(), sys.argv[1]
spec, here = read_spec(course, assignment), settings(course)
made = keys.create(here.id, outside=forbidden(here))
released = {"version": 1, "key": made.current("course").id, "released_at": "2026-01-01T09:00:00+00:00"}
lock.write_lock(course, replace(lock.as_it_is(course, spec), **released))
print(json.dumps({id: made.seeds(assignment, 1, id) for id in lock.exercises(spec)}))
"""
# `dlcourse course grade` with limits of our own.
GRADE = """
import hashlib, json, sys
from dlcourse.course.grading.judge import one

judge, told = one.grade_submission, json.load(sys.stdin)


def judged(content, *rest, **more):
    about = told[hashlib.sha256(content).hexdigest()]
    verdict = judge(content, *rest, limits=about["limits"], **more)
    if verdict.waited:
        sys.stderr.write(f"stopped by the clock: {about['name']}\\n")
    return verdict


one.grade_submission = judged
from dlcourse.cli import main
main()
"""
SCORES = """
import json, sys
from nbgrader.api import Gradebook
with Gradebook("sqlite:///gradebook.db") as book:
    print(json.dumps([
        (submission.student.id, grade.name, grade.auto_score)
        for submission in book.assignment_submissions(sys.argv[1])
        for notebook in submission.notebooks
        for grade in notebook.grades
    ]))
"""
# What only a page that acts has need of, in tags and in attributes.
ACTING = (
    *("script", "style", "link", "meta", "base", "title", "iframe", "frame", "frameset", "object", "embed", "applet"),
    *("form", "input", "button", "select", "textarea", "isindex", "img", "image", "picture", "source", "audio"),
    *("video", "track", "svg", "math", "template", "slot", "portal", "noscript", "noembed", "plaintext", "xmp"),
    *("marquee", "body", "html", "head", "dialog", "details", "animate", "set", "foreignobject", "keygen", "area"),
)
LOADING = ("src", "srcset", "srcdoc", "action", "formaction", "data", "style", "background", "poster", "http-equiv")
FEEDBACK = "from nbgrader.apps.nbgraderapp import main; main()"
# What the grader itself writes below the course; all else must stay as it is, to the byte.
WRITTEN = ("gradebook.db", "gradebook.db-journal", "grading/results", "grading/log", "grading/.lock", "autograded")
PR_SET_CHILD_SUBREAPER = 36


class Besieged:
    """The course folder, the home and the keys of whoever grades, and all that may tell of a break-in."""

    def __init__(self, top: Path, chapter: str = CHAPTER) -> None:
        self.chapter, self.points = chapter, points(chapter)
        self.top, self.course, self.home, self.keys = top, top / "course", top / "home", top / "keys"
        self.mark = f"dlcourse-hostile-{secrets.token_hex(6)}"
        self.secrets: dict[str, str] = {}
        self.heard: list[str] = []  # what reached a listener
        self.cases: dict[str, Case] = {}
        self._open = ExitStack()
        self._lay_out()
        self._listen()
        self.bystander = self._open_process()

    def close(self) -> None:
        self._open.close()

    # --- before ---------------------------------------------------------------------------------------------------

    def secret(self, of: str) -> str:
        self.secrets[of] = f"CANARY{secrets.token_hex(8)}"
        return self.secrets[of]

    def _lay_out(self) -> None:
        for room in ("solutions", "exercises"):
            shutil.copytree(ROOT / room / self.chapter, self.course / room / self.chapter)
        shutil.copy(ROOT / "nbgrader_config.py", self.course)
        path = self.course / "solutions" / self.chapter / f"{self.chapter}-exercises.ipynb"
        text = path.read_text(encoding="utf-8")
        for marker, of in (("### BEGIN SOLUTION", "a solution"), ("### BEGIN HIDDEN TESTS", "a hidden test")):
            # Inside the region: the release leaves it out.
            text, count = re.subn(rf'(\s*)"(\s*){marker}\\n",', rf'\g<0>\1"\2# {self.secret(of)}\\n",', text)
            assert count == text.count(marker) >= len(self.points)
        path.write_text(text, encoding="utf-8")
        self.home.mkdir()
        self.keys.mkdir(mode=0o700)
        (self.home / "secret.txt").write_text(self.secret("a file of the grader's home"), encoding="utf-8")
        (self.home / ".bashrc").write_text("# mine\n", encoding="utf-8")
        (self.keys / "other.json").write_text(self.secret("a file beside the keys"), encoding="utf-8")
        (self.keys / "other.json").chmod(0o600)
        (self.course / "notes.txt").write_text(self.secret("a file of the course"), encoding="utf-8")

    def _listen(self) -> None:
        self.port_of_tcp = self._server(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)).getsockname()[1]
        self._server(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", self.port_of_tcp))
        self.unix = Path("/tmp", f"{self.mark}.sock")  # short: a socket's path may hold 107 bytes
        self._open.callback(self.unix.unlink, missing_ok=True)
        self._server(socket.AF_UNIX, socket.SOCK_STREAM, str(self.unix))
        self._server(socket.AF_UNIX, socket.SOCK_STREAM, f"\0{self.mark}-listener")

    def _server(self, family: int, kind: int, address: Any) -> socket.socket:
        server = self._open.enter_context(socket.socket(family, kind))
        server.bind(address)
        if kind == socket.SOCK_STREAM:
            server.listen()

        def hear() -> None:
            while True:
                try:
                    if kind == socket.SOCK_STREAM:
                        caller, said = server.accept()
                        caller.close()
                    else:
                        said = server.recvfrom(100)
                except OSError:
                    return
                self.heard.append(f"{family.name} {kind.name}: {said!r}")

        threading.Thread(target=hear, daemon=True).start()
        if kind == socket.SOCK_STREAM:
            self._open.callback(server.shutdown, socket.SHUT_RDWR)  # wakes the thread
        return server

    def _open_process(self) -> subprocess.Popen:
        """A process of the same user that has nothing to do with grading."""
        token = self.secret("the environment of another process")
        command = [sys.executable, "-c", "input()", self.secret("the command line of another process")]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, env={"SECRET": token})
        self._open.callback(process.wait)
        self._open.callback(process.kill)
        return process

    @property
    def environment(self) -> dict[str, str]:
        """Of the grader."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "CI", "DLCOURSE_SANDBOX") if name in os.environ}
        kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
        kept |= {"HOME": str(self.home), "DLCOURSE_KEYS": str(self.keys), "PYTHONPATH": str(ROOT)}
        kept |= {"JUPYTER_NO_CONFIG": "1", "OMP_NUM_THREADS": "1", "DLCOURSE_PROGRESS": "0"}
        if "the grader's environment" not in self.secrets:
            self.secret("the grader's environment")
        return {**kept, "SECRET_OF_THE_GRADER": self.secrets["the grader's environment"]}

    def release(self) -> None:
        """Releases the chapter, which makes the keys."""
        seeds = json.loads(self._python(RELEASE, self.chapter).stdout)
        self.seeds = {str(seed) for each in seeds.values() for seed in each}
        for path in self.keys.glob("*.json"):
            if path.name != "other.json":
                for key in json.loads(path.read_text(encoding="utf-8"))["keys"]:
                    self.secrets[f"the {key['kind']} key"] = key["secret"]

    def _python(
        self, program: str, *arguments: str, said: str = "", allowed: tuple[int, ...] = (0,)
    ) -> subprocess.CompletedProcess:
        """said: what the program reads from its standard input."""
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=self.course,
            env=self.environment,
            input=said,
            capture_output=True,
            text=True,
        )
        if done.returncode not in allowed:
            raise AssertionError(
                f"{arguments} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )
        return done

    def hand_in(self, cases: list[Case]) -> None:
        """Every case hands in, under its own name; before them one whose work the others want."""

        def precious(hand) -> None:
            hand.solve(*self.points)
            hand.add(f"# {self.secret('the work of another student')}", before="")

        why = "solved, and left alone by all the others"
        honest = Case(VICTIM, "honest", precious, dict(self.points), why, chapter=self.chapter)
        self.cases = {each.name: each for each in (honest, *cases)}
        for each in self.cases.values():
            hand_in(each, self.submitted(each.name), self.places)

    def submitted(self, name: str) -> Path:
        return self.course / "submitted" / name / self.chapter

    @property
    def places(self) -> dict[str, str]:
        """What an attacker may know of this machine."""
        return {
            **{"COURSE": str(self.course), "HOME": str(self.home), "KEYS": str(self.keys), "TMP": str(self.top)},
            **{"PACKAGE": str(ROOT / "dlcourse"), "VICTIM": VICTIM, "MARK": self.mark},
            **{"PORT": str(self.port_of_tcp), "UNIX": str(self.unix), "ABSTRACT": f"{self.mark}-listener"},
            "PID": str(self.bystander.pid),
        }

    # --- the attack -----------------------------------------------------------------------------------------------

    def grade(self, workers: int = 2) -> None:
        """Grades all that was handed in, in one run, and looks at the machine before and after."""
        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)  # what the grader leaves behind becomes our child
        try:
            self.before = self.state()
            own = {child.pid for child in psutil.Process().children()}
            arguments = ("course", "grade", self.chapter, "--workers", str(workers))
            done = self._python(GRADE, *arguments, said=json.dumps(self._told()), allowed=(0, 1))
            # 1: some need a human. Each of those cases fails by itself, and says which it is.
            self.after = self.state()
            self.said = done.stdout + done.stderr
            self.by_the_clock = set(re.findall("^stopped by the clock: (.*)$", done.stderr, re.MULTILINE))
            self.left = [child for child in psutil.Process().children(recursive=True) if child.pid not in own]
            self.left_running = [f"{child.pid} {child.cmdline()}" for child in self.left if _runs(child)]
        finally:
            libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)

    def _told(self) -> dict[str, dict[str, Any]]:
        """What GRADE must know of each notebook that can be read."""
        told = {}
        for case in self.cases.values():
            about = {"name": case.name, "limits": TIGHT if case.tight else LIMITS}
            with contextlib.suppress(Unreadable):
                digest = hashlib.sha256(self._handed_in(case.name)).hexdigest()
                told.setdefault(digest, about)
        return told

    def _handed_in(self, name: str) -> bytes:
        return open_submission(self.submitted(name), f"{self.chapter}-exercises.ipynb")

    def state(self) -> dict[str, str]:
        """What every file outside the results is: its kind, mode, owner and content."""
        ours = {str(self.course / name) for name in WRITTEN}
        found = {}
        for top in (self.top, ROOT / "dlcourse", Path(sys.prefix) / "lib" / "python3.11"):
            for folder, folders, names in os.walk(top):
                kept = [name for name in folders if os.path.join(folder, name) not in ours and name != "__pycache__"]
                folders[:] = [name for name in kept if name != "site-packages"]
                found |= {
                    path: _what(path) for name in (*kept, *names) if (path := os.path.join(folder, name)) not in ours
                }
        return found

    def marked_files(self) -> list[str]:
        """Files with our mark in their names, where a program may leave some."""
        tops = [*("/", "/tmp", "/var/tmp", "/dev/shm", "/run", "/etc"), self.top, self.course, self.home, ROOT]
        return [
            os.path.join(top, name)
            for top in tops
            if os.path.isdir(top)
            for name in os.listdir(top)
            if self.mark in name and os.path.join(top, name) != str(self.unix)
        ]

    # --- after ----------------------------------------------------------------------------------------------------

    def results(self, name: str) -> list[dict[str, Any]]:
        folder = self.course / "grading" / "results" / self.chapter / name
        return [json.loads(path.read_bytes())["body"] for path in sorted(folder.glob("*.json"))]

    def result(self, name: str) -> dict[str, Any]:
        (result,) = self.results(name)
        return result

    def scores(self, name: str) -> dict[str, float]:
        """Score by exercise. A submission that nobody could read has nothing."""
        result = self.result(name)
        assert result["status"] == "graded", result["trouble"]
        if not result["tests"]:
            return dict.fromkeys(self.points, 0)
        return {test["id"].removesuffix("-test"): test["score"] for test in result["tests"]}

    def gradebook(self) -> dict[str, dict[str, float]]:
        table: dict[str, dict[str, float]] = {}
        for student, cell, score in json.loads(self._python(SCORES, self.chapter).stdout):
            if cell.endswith("-test"):
                table.setdefault(student, {})[cell.removesuffix("-test")] = score
        return table

    def told(self, name: str) -> str:
        """All that the student may read of the grading: the autograded notebook, our reasons and diagnoses."""
        folder = self.course / "autograded" / name / self.chapter
        pages = [path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.ipynb"))]
        outputs = [json.dumps(cell.get("outputs", "")) for page in pages for cell in json.loads(page)["cells"]]
        verdicts = [test["reason"] + test["shown"] for result in self.results(name) for test in result["tests"]]
        return "\n".join([*outputs, *verdicts])

    def feedback(self, names: Iterable[str] | None = None) -> None:
        """Makes the pages of these students, of all when none are named, by `nbgrader generate_feedback`."""
        self.pages = list(self.cases if names is None else names)
        others = ",".join(self.cases.keys() - set(self.pages))
        self._python(FEEDBACK, "generate_feedback", self.chapter, f"--CourseDirectory.student_id_exclude={others}")

    def page(self, name: str) -> "Page":
        path = self.course / "feedback" / name / self.chapter / f"{self.chapter}-exercises.html"
        return Page(path.read_text(encoding="utf-8"))

    def unfit(self, name: str) -> list[str]:
        """What stands in a student's page and must not: what could act, and what he cannot have written himself."""
        page, own = self.page(name), self._own_words(name)
        acts = page.acts - self.plain_page.acts
        secret = {
            **dict.fromkeys(self.hidden_lines, "a line of the solution or of a hidden test"),
            **dict.fromkeys(self.seeds, "a hidden seed"),
            **dict.fromkeys((str(self.top), str(ROOT), sys.prefix), "a place of the grader"),
            **{"SECRET_OF_THE_GRADER": "the grader's environment", "DLCOURSE_KEYS": "the grader's environment"},
            **dict.fromkeys(self.cases[name].hushed, "what must not be told"),
        }
        found = [f"{what}: {text}" for text, what in secret.items() if text in page.text and text not in own]
        others = set(re.findall(SIGNED, page.text)) - {name}
        return [*map(str, acts.elements()), *found, *(f"the words of {other}" for other in others)]

    def _own_words(self, name: str) -> str:
        try:
            return "\n".join(cell.source for cell in parse(self._handed_in(name)))
        except Unreadable:
            return ""

    @cached_property
    def plain_page(self) -> "Page":
        """The page of an honest student: what acts in it is the template's."""
        return self.page(VICTIM)

    @cached_property
    def hidden_lines(self) -> set[str]:
        """The lines of solutions and hidden tests that no released notebook holds."""
        released = "\n".join(cell["source"] for cell in notebook("exercises", self.chapter)["cells"])
        sources = [cell["source"] for cell in notebook("solutions", self.chapter)["cells"]]
        lines = {line.strip() for source in sources for line in source.splitlines() if "###" not in line}
        return {line for line in lines if len(line) > 20 and line not in released}

    def found_secrets(self) -> list[str]:
        """Where a secret stands that must not: in anything that grading wrote, or said."""
        own = {"the work of another student": VICTIM}
        texts = {"what the grader said": self.said.encode()}
        for name in ("grading/results", "grading/log", "autograded", "feedback"):
            for path in (self.course / name).rglob("*"):
                if path.is_file():
                    texts[str(path.relative_to(self.course))] = path.read_bytes()
        return [
            f"{of} in {where}"
            for where, text in texts.items()
            for of, token in self.secrets.items()
            if token.encode() in text and f"/{own.get(of)}/" not in where
        ]


class Page(HTMLParser):
    """A page of feedback: its text, and how often it holds what could act or load something."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.acts: Counter[str] = Counter()
        self._texts: list[str] = []
        # For no parser reads a page as every browser does: what begins like such a tag counts, wherever it stands.
        self.acts.update(f"<{name.lower()}" for name in re.findall(rf"<[\s/!?]*({'|'.join(ACTING)})\b", html, re.I))
        self.feed(html)
        self.close()
        self.text = "".join(self._texts).replace(INVISIBLE, "")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            aligned = name == "style" and re.fullmatch(r"text-align: ?(left|right|center);?", value or "")
            leads = name in ("href", "xlink:href") and not (value or "").startswith("#")
            if name.startswith("on") or leads or (name in LOADING and not aligned):
                self.acts[f"{tag} {name}={value}"] += 1

    def handle_data(self, data: str) -> None:
        if self.cdata_elem is None:  # the template's own style and script
            self._texts.append(data)

    def handle_comment(self, data: str) -> None:
        self.acts[f"<!--{data}"] += 1

    handle_decl = handle_pi = unknown_decl = handle_comment


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _what(path: str) -> str:
    about = os.lstat(path)
    content = ""
    if stat.S_ISREG(about.st_mode):
        content = f"{about.st_nlink} {hashlib.sha256(Path(path).read_bytes()).hexdigest()}"
    elif stat.S_ISLNK(about.st_mode):
        content = os.readlink(path)
    return f"{stat.filemode(about.st_mode)} {about.st_uid}:{about.st_gid} {content}"
