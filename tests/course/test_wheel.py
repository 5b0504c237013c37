"""What leaves the house: the files of the wheel, and that none of them holds a solution or a hidden test."""

import json
import re
import zipfile
from pathlib import Path

import pytest
from hatchling.builders.wheel import WheelBuilder

ROOT = Path(__file__).parents[2]
CONTENT = "dlcourse/_content/"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> dict[str, bytes]:
    """Name -> bytes of every file in the wheel that `pip wheel .` makes."""
    (path,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")), versions=["standard"])
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def in_checkout(*patterns: str) -> set[str]:
    return {path.relative_to(ROOT).as_posix() for pattern in patterns for path in ROOT.glob(pattern) if path.is_file()}


def test_wheel_carries_the_course(wheel):
    carried = {name.removeprefix(CONTENT) for name in wheel if name.startswith(CONTENT)}
    visible = {name for name in in_checkout("exercises/**/*") if "/." not in name}
    chapters = in_checkout("chapters/*.ipynb", "chapters/*.quiz.toml")
    assert len(chapters) >= 4
    assert len(visible) >= 1
    assert carried == visible | chapters | {"chapters/needs.toml", "chapters/notation.md", "glossary.toml"}
    for name in carried:
        assert wheel[CONTENT + name] == (ROOT / name).read_bytes()


def test_wheel_carries_the_package_and_nothing_else(wheel):
    package = {name for name in wheel if name.startswith("dlcourse/") and not name.startswith(CONTENT)}
    assert package == {name for name in in_checkout("dlcourse/**/*") if "__pycache__" not in name}
    others = {name for name in wheel if not name.startswith("dlcourse/")}
    assert {re.sub(r"^dlcourse-[^/]+\.dist-info/", "", name) for name in others} == {
        "METADATA",
        "RECORD",
        "WHEEL",
        "entry_points.txt",
        "licenses/LICENSE",
    }


def test_wheel_carries_what_the_widgets_show_in_the_browser(wheel):
    rooms = {path.parent.name for path in (ROOT / "dlcourse/widgets").glob("*/widget.py")}
    assert rooms
    for room in rooms:
        assert f"dlcourse/widgets/{room}/{room}.js" in wheel
        assert f"dlcourse/widgets/{room}/{room}.css" in wheel
    for name in in_checkout("dlcourse/widgets/**/*.js", "dlcourse/widgets/**/*.css"):
        assert wheel[name] == (ROOT / name).read_bytes(), name


# ---- secrets


def secrets(solution: Path) -> tuple[list[str], list[str]]:
    """What a solutions notebook must keep to itself: its marked regions (of a cell without markers, all of it), and of
    those each line of 40 characters or more, but for lines that the notebook also gives: a broken program to mend
    shares most of its lines with the mended one."""
    regions, given = [], ""
    for cell in json.loads(solution.read_text(encoding="utf-8"))["cells"]:
        text = unindented("".join(cell["source"]))
        if cell["metadata"].get("nbgrader", {}).get("solution") and "### BEGIN " not in text:
            regions.append(text)
        else:
            given += re.sub(r"^### BEGIN .*\n(?:.*\n)*?### END ", "", text, flags=re.MULTILINE)
        regions += re.findall(r"^### BEGIN .*\n((?:.*\n)*?)### END ", text, re.MULTILINE)
    lines = [line for region in regions for line in region.splitlines() if len(line) >= 40]
    return regions, [line for line in lines if line not in given]


def unindented(text: str) -> str:
    return "\n".join(map(str.strip, text.split("\n")))


def text_of(name: str, raw: bytes) -> str:
    """A file's text without indentation; of a notebook, the sources of its cells."""
    text = raw.decode("utf-8")
    if name.endswith(".ipynb"):
        text = "\n".join("".join(cell["source"]) for cell in json.loads(text)["cells"])
    return unindented(text)


def test_no_solution_and_no_hidden_test_is_released(wheel):
    released = {f"(wheel) {name}": raw for name, raw in wheel.items()}
    for name in in_checkout("exercises/**/*", "chapters/*"):
        released[name] = (ROOT / name).read_bytes()
    texts = {name: text_of(name, raw) for name, raw in released.items()}
    assert sum(name.endswith("-exercises.ipynb") for name in texts) >= 2

    leaks = []
    for solution in sorted((ROOT / "solutions").glob("*/*.ipynb")):
        regions, lines = secrets(solution)
        assert len(regions) >= 3, f"{solution.name}: too few to be true"
        assert len(lines) >= 3, f"{solution.name}: too few to be true"
        leaks += [
            f"{name} gives away from {solution.name}: {secret.strip()}"
            for name, text in texts.items()
            for secret in regions + lines
            if secret in text
        ]
    leaks += [f"{name} has markers" for name, text in texts.items() if name.endswith(".ipynb") and "### BEGIN " in text]
    assert leaks == []
