"""What grading costs beside `nbgrader autograde`: the same 20 honest submissions, in one run, in turns.

    python benchmarks/grading.py
    python benchmarks/grading.py --rounds 3 --workers 1

The submissions are to chapter 01's exercise: four with our answers, three as they were released, four half done, five
with right answers in other styles, four with wrong ones (the answers that tests/checks holds the checks against). Both
graders start from the same files, in course folders of their own, by the command that an instructor types; starting up
counts. nbgrader runs each notebook in a kernel of its own, in order; we fork one process a pass, in a jail, and judge
outside of it, two submissions at once (--workers). Each gives a score to every test, and all must be equal.

Isolation: the same command with --unsafe-no-sandbox, and the difference for one submission, of two passes each.

CPU seconds hold those of every child that was waited for. Absolute times mean nothing on another machine; ratios do,
those of the CPU most of all. Put nothing hostile in: nbgrader runs it on your account. Exits with 1 when scores differ
or a target is missed.
"""

import argparse
import ast
import inspect
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/checks"), str(ROOT / "tests/support")]

ASSIGNMENT = "01-neurons"
NOTEBOOK = f"{ASSIGNMENT}/{ASSIGNMENT}-exercises.ipynb"
COURSE = ("dlcourse", "chapters", "exercises", "solutions", "glossary.toml", "nbgrader_config.py", "pyproject.toml")
TIMES, JAIL = 15, 100  # targets: times nbgrader's submissions a minute; milliseconds that the jail adds to one
CLASS = ["solution"] * 4 + ["untouched"] * 3 + ["half done"] * 4 + ["other style"] * 5 + ["wrong"] * 4
ANSWERS = {  # cell -> exercise and name
    "sigmoid-answer": ("01.sigmoid", "sigmoid"),
    "perceptron-answer": ("01.perceptron", "Perceptron"),
    "debug-answer": ("01.debug", "logistic_step"),
    "cross_entropy-answer": ("01.cross_entropy", "cross_entropy"),
    "xor-answer": ("01.xor", "xor_weights"),
    "hinges-answer": ("01.hinges", "linear_pieces"),
}
ABOVE = "import math\nfrom itertools import pairwise\n\nfrom torch.nn import functional\n"
IMPORTED = {"torch", "math", "pairwise", "functional"}

READ_SCORES = """
import json
from nbgrader.api import Gradebook

with Gradebook("sqlite:///gradebook.db") as gradebook:
    print(json.dumps(sorted(
        (submission.student.id, grade.name, grade.auto_score)
        for submission in gradebook.assignment_submissions({assignment!r})
        for notebook in submission.notebooks
        for grade in notebook.grades
        if grade.cell.cell_type == "code"
    )))
"""


Scores = dict[tuple[str, str], float]  # (student, test) -> score


class Cost(NamedTuple):
    wall: float  # seconds
    cpu: float


class Course:
    """A course folder of its own, with the class's work in submitted/, and how to type commands in it."""

    def __init__(self, folder: Path, work: dict[str, dict[str, str]]):
        self.folder = folder
        for name in COURSE:
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, folder / name)
        for student, sources in work.items():
            notebook = json.loads((ROOT / "exercises" / NOTEBOOK).read_bytes())
            for cell in notebook["cells"]:
                cell["source"] = sources.get(cell["metadata"].get("nbgrader", {}).get("grade_id"), cell["source"])
            path = folder / "submitted" / student / NOTEBOOK
            path.parent.mkdir(parents=True)
            path.write_text(json.dumps(notebook), encoding="utf-8")
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DLCOURSE_", "JUPYTER_"))},
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(folder),
            "OMP_NUM_THREADS": "1",
            "DLCOURSE_PROGRESS": "0",
            "DLCOURSE_KEYS": str(folder.with_name(f"{folder.name}-keys")),
            "JUPYTER_CONFIG_DIR": str(folder / "none"),
            "JUPYTER_NO_CONFIG": "1",
            "IPYTHONDIR": str(folder.with_name(f"{folder.name}-ipython")),
        }

    def type(self, *command: str) -> str:
        """Run a module of Python; what it printed. A status other than 0 ends the benchmark."""
        line = [sys.executable, "-m", *command] if command[0] != "-c" else [sys.executable, *command]
        done = subprocess.run(line, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            said = done.stdout[-3000:] + done.stderr[-3000:]
            raise SystemExit(f"{' '.join(command)} ended with {done.returncode}:\n{said}")
        return done.stdout

    def cost(self, *command: str) -> Cost:
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        self.type(*command)
        wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
        return Cost(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)

    def scores(self) -> Scores:
        said = self.type("-c", READ_SCORES.format(assignment=ASSIGNMENT))
        return {(student, test): score for student, test, score in json.loads(said.splitlines()[-1])}


def answers() -> dict[str, dict[str, list[str]]]:
    """cell -> kind of answer -> sources for that cell: ours, and those that tests/checks holds the check against."""
    import wrong_answers_ch01  # noqa: F401, it fills the two lists
    from dlcourse_answers import RIGHT, WRONG

    cells = json.loads((ROOT / "solutions" / NOTEBOOK).read_bytes())["cells"]
    ours = {cell["metadata"].get("nbgrader", {}).get("grade_id"): "".join(cell["source"]) for cell in cells}
    found = {}
    for cell, (exercise, name) in ANSWERS.items():
        found[cell] = {"solution": [ours[cell]]}
        for kind, entries in (("other style", RIGHT), ("wrong", WRONG)):
            texts = [written_out(answer, name) for other, _, answer, *_ in entries if other == exercise]
            found[cell][kind] = [text for text in texts if text]
            assert found[cell][kind], f"no answer to {exercise} can be written out: {kind}"
    return found


def written_out(answer: Callable, name: str) -> str | None:
    """The source of an answer with the functions and classes that it uses, at the end under the name that the task
    gives it; None if it uses a thing of another kind."""
    module = sys.modules[answer.__module__]
    texts: dict[str, str] = {}
    todo = [answer]
    while todo:
        thing = todo.pop()
        text = inspect.getsource(thing)
        texts[thing.__name__] = text.partition("\n")[2] if text.startswith("@") else text  # without our decorator
        used = {node.id for node in ast.walk(ast.parse(texts[thing.__name__])) if isinstance(node, ast.Name)}
        for other in (used & vars(module).keys()) - texts.keys() - IMPORTED:
            if getattr(vars(module)[other], "__module__", None) != module.__name__:
                return None
            todo.append(vars(module)[other])
    again = [] if answer.__name__ == name else [f"{name} = {answer.__name__}\n"]
    return "\n\n".join([ABOVE, *reversed(texts.values()), *again])


def class_of(kinds: list[str]) -> dict[str, dict[str, str]]:
    """student -> cell -> source: for each student other answers, as far as there are enough."""
    pool, work = answers(), {}
    for number, kind in enumerate(kinds):
        done = list(ANSWERS)[number % 2 :: 2] if kind == "half done" else list(ANSWERS)
        like = "solution" if kind == "half done" else kind
        work[f"student{number:02}"] = {
            cell: pool[cell][like][number % len(pool[cell][like])] for cell in done if like != "untouched"
        }
    return work


def tell(name: str, costs: list[Cost], count: int) -> None:
    wall, cpu = (statistics.median(part) for part in zip(*costs, strict=True))
    each = f"{60 * count / wall:7.1f} a minute   {wall:6.1f} s   {cpu / count:5.2f} CPU seconds each"
    print(f"  {name:<34} {each}", flush=True)


def ratio(these: list[Cost], those: list[Cost], part: str) -> float:
    """The median over the turns."""
    return statistics.median(getattr(a, part) / getattr(b, part) for a, b in zip(these, those, strict=True))


def extra(these: list[Cost], those: list[Cost], part: str, count: int) -> float:
    """Milliseconds more for one submission, the median over the turns."""
    apart = [getattr(a, part) - getattr(b, part) for a, b in zip(these, those, strict=True)]
    return 1e3 * statistics.median(apart) / count


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="exit status: 0 if all scores are equal and the targets are met, else 1",
    )
    parser.add_argument("--rounds", type=int, default=1, help="turns of each (default: 1, which takes minutes)")
    parser.add_argument("--workers", type=int, default=2, help="submissions that we grade at once (default: 2)")
    parser.add_argument("--students", type=int, default=len(CLASS), help="fewer, to see quickly that everything works")
    options = parser.parse_args()
    if options.rounds < 1 or options.workers < 1 or not 1 <= options.students <= len(CLASS):
        parser.error(f"--rounds and --workers want 1 or more, --students 1 to {len(CLASS)}")
    work = class_of([CLASS[index * len(CLASS) // options.students] for index in range(options.students)])
    with tempfile.TemporaryDirectory(prefix="dlcourse-grading-") as folder:
        os.chmod(folder, 0o755)  # the jail's user, who is nobody, reads the package
        theirs, ours = (Course(Path(folder, name), work) for name in ("nbgrader", "dlcourse"))
        theirs.type("nbgrader", "generate_assignment", ASSIGNMENT, "--force")
        ours.type("dlcourse", "course", "release", ASSIGNMENT, "--no-exchange")
        autograde = ("nbgrader", "autograde", ASSIGNMENT, "--force")
        grade = ("dlcourse", "course", "grade", ASSIGNMENT, f"--workers={options.workers}", "--regrade")
        sides = {
            "nbgrader autograde": (theirs, autograde),
            f"dlcourse course grade, {options.workers} workers": (ours, grade),
            "the same without a jail": (ours, (*grade, "--unsafe-no-sandbox")),
        }
        print(f"{len(work)} submissions to {ASSIGNMENT}, {options.rounds} turns, one thread each", flush=True)
        costs: dict[str, list[Cost]] = {name: [] for name in sides}
        scores: dict[str, list[Scores]] = {name: [] for name in sides}
        for turn in range(options.rounds):
            for name in list(sides) if turn % 2 == 0 else list(sides)[::-1]:
                course, command = sides[name]
                costs[name].append(course.cost(*command))
                scores[name].append(course.scores())
    for name, spent in costs.items():
        tell(name, spent, len(work))
    nbgrader, jailed, free = costs.values()
    given = scores[next(iter(scores))][0]
    passed = sum(score > 0 for score in given.values())
    print(f"  nbgrader passes {passed} of {len(given)} tests")
    apart = {  # over all turns and both ways of ours
        (name, *key): f"nbgrader {given.get(key)}, {name} {turn.get(key)}"
        for name, turns in scores.items()
        for turn in turns
        for key in given.keys() | turn
        if given.get(key) != turn.get(key)
    }
    for (_, *key), text in sorted(apart.items()):
        print(f"DIFFERS  {' '.join(key)}: {text}")
    speed, thrift = (ratio(nbgrader, jailed, part) for part in ("wall", "cpu"))
    jail, wait = (extra(jailed, free, part, len(work)) for part in ("cpu", "wall"))
    targets = [
        (given and not apart, f"equal scores: {len(apart)} of {len(given)} differ"),
        (speed >= TIMES, f"at least {TIMES} times nbgrader's submissions a minute: {speed:.1f} (by CPU {thrift:.1f})"),
        (
            jail <= JAIL,
            f"at most {JAIL} ms a submission for the jail: {jail:.0f} ms of CPU, {wait:.0f} ms by the clock",
        ),
    ]
    judged = options.students == len(CLASS)
    for met, text in targets:
        print(f"{('met   ' if met else 'MISSED') if judged else '      '}  {text}")
    return int(bool(apart) or (judged and not all(met for met, _ in targets)))


if __name__ == "__main__":
    sys.exit(main())
