"""The repository's own promises: README's commands, the pinned versions, continuous integration, lint, links."""

import ast
import os
import re
import runpy
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]

LEARN = "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e . && .venv/bin/dlcourse lab"
TEST = (
    'python3 -m venv .venv-test && .venv-test/bin/pip install -c constraints.txt -e ".[test]" && .venv-test/bin/pytest'
)


def pinned() -> dict[str, Requirement]:
    lines = [line for line in CONSTRAINTS.splitlines() if line and not line.startswith("#")]
    requirements = [Requirement(line) for line in lines]
    names = [canonicalize_name(requirement.name) for requirement in requirements]
    assert len(names) == len(set(names)), "a package is pinned twice"
    return dict(zip(names, requirements, strict=True))


def closure(name: str, extras: frozenset[str]) -> set[str]:
    """Every package that installing `name[extras]` needs on this machine, from the installed metadata."""
    seen: set[tuple[str, frozenset[str]]] = set()
    todo = [(canonicalize_name(name), extras)]
    while todo:
        current = todo.pop()
        if current in seen:
            continue
        seen.add(current)
        for line in metadata.requires(current[0]) or []:
            requirement = Requirement(line)
            marker = requirement.marker
            if marker is None or any(marker.evaluate({"extra": extra}) for extra in current[1] | {""}):
                todo.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return {package for package, _ in seen} - {canonicalize_name(name)}


# --- versions -------------------------------------------------------------------------------------------------------


def test_every_named_dependency_is_pinned():
    lines = PROJECT["dependencies"] + [line for extra in PROJECT["optional-dependencies"].values() for line in extra]
    for requirement in map(Requirement, lines):
        if (name := canonicalize_name(requirement.name)) == PROJECT["name"]:
            continue
        pins = list(pinned()[name].specifier)
        assert [pin.operator for pin in pins] == ["=="], f"constraints.txt does not pin one version of {name}"
        assert requirement.specifier.contains(pins[0].version), f"the pinned {name} is older than pyproject's bound"


def test_every_indirect_dependency_is_pinned():
    # torch's CUDA packages appear in a plain Linux build only: no constraint may name them.
    cuda = re.compile(r"nvidia-|cuda-|triton$")
    needed = {name for name in closure("dlcourse", frozenset({"test"})) if not cuda.match(name)}
    assert len(needed) > 100, "the walk over the installed metadata is broken"
    assert needed - set(pinned()) == set()


def test_constraints_fit_every_machine():
    for name, requirement in pinned().items():
        assert not requirement.url, name
        (pin,) = requirement.specifier
        assert "+" not in pin.version, f"{name} is pinned to a local version, which other machines do not find"
        assert not re.match(r"nvidia|cuda|triton", name), f"{name} belongs to CUDA builds only"
    assert str(pinned()["torch"].specifier) == "==2.13.0"
    assert "://" not in CONSTRAINTS


def test_constraints_fit_the_oldest_python():
    """Of a distribution that stays on 3.11.2 each version must be had as well."""
    oldest = PROJECT["requires-python"].removeprefix(">=") + ".0"
    for name in closure("dlcourse", frozenset({"test"})) & set(pinned()):
        wanted = metadata.metadata(name).get("Requires-Python") or ""
        assert SpecifierSet(wanted).contains(oldest), f"{name} {metadata.version(name)} wants Python {wanted}"


@pytest.mark.skipif(os.environ.get("CI") != "true", reason="a contributor may run newer versions")
def test_installed_versions_are_the_pinned_ones():
    for name in closure("dlcourse", frozenset({"test"})) & set(pinned()):
        installed = metadata.version(name).partition("+")[0]
        assert pinned()[name].specifier.contains(installed, prereleases=True), (name, installed)


def test_every_import_is_declared():
    extras = PROJECT["optional-dependencies"]
    named = PROJECT["dependencies"] + extras["author"] + extras["grading"]
    runtime = {canonicalize_name(Requirement(line).name) for line in named}
    testing = runtime | {canonicalize_name(Requirement(line).name) for line in extras["test"] + extras["hub"]}
    homes = metadata.packages_distributions()
    for room, declared in (("dlcourse", runtime), ("tests", testing)):
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                for name in {name.partition(".")[0] for name in names} - sys.stdlib_module_names:
                    distributions = {canonicalize_name(home) for home in homes.get(name, [])}
                    # Settings of a hub, which brings ngshare, are all that names this module.
                    mine = testing if path.name == "collect_ngshare.py" else declared
                    assert not distributions or distributions & mine, f"{path} imports {name}: declare it"


# --- README ---------------------------------------------------------------------------------------------------------


def test_the_two_commands_are_one_line_each_in_their_own_block():
    blocks = re.findall(r"^```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert blocks[:2] == [LEARN + "\n", TEST + "\n"]


def test_ci_runs_the_command_of_the_readme():
    shown = subprocess.run([ROOT / ".ci/run", "--command"], capture_output=True, text=True, check=True, cwd="/")
    assert shown.stdout == TEST + "\n"


def test_every_chapter_is_in_the_readme_and_every_named_one_exists():
    table = set(re.findall(r"\(chapters/([\w-]+)\.ipynb\)", README))
    assert table == {path.stem for path in (ROOT / "chapters").glob("[0-9]*-*.md")}


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md"])
def test_links_to_files_and_headings_resolve(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    headings = {
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    }
    for link in re.findall(r"\]\((?!https?:)([^)]+)\)", text):
        path, _, anchor = link.partition("#")
        assert (ROOT / path).exists(), f"{name} links to {link}, which is not there"
        assert path or anchor in headings, f"{name} links to the heading {link}, which is not there"


# --- CI -------------------------------------------------------------------------------------------------------------

SKIPS = runpy.run_path(str(ROOT / ".ci/skips.py"))

SUITE = """
import pytest

@pytest.mark.skip(reason="no such hardware")
def test_marked(): pass

def test_called(): pytest.skip("left out")

@pytest.mark.xfail(reason="known", strict=True)
def test_expected(): assert False

def test_passes(): pass
"""


@pytest.mark.parametrize("workers", ["0", "2"])
def test_no_skip_escapes_the_report(tmp_path, workers):
    (tmp_path / "test_some.py").write_text(SUITE)
    (tmp_path / "test_module.py").write_text('import pytest\npytest.importorskip("not_a_package_at_all")\n')
    report = tmp_path / "report.xml"
    command = [sys.executable, "-m", "pytest", "-q", "-n", workers, "-c", os.devnull, f"--rootdir={tmp_path}"]
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    subprocess.run(
        [*command, "-p", "xdist.plugin", f"--junitxml={report}", str(tmp_path)],
        cwd=tmp_path,
        check=True,
        capture_output=True,
        env={**clean, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},  # the others take seconds to load, and skip nothing
    )
    found = SKIPS["skips"](report)
    assert sorted(test.rpartition("::")[2] for test, _ in found) == ["test_called", "test_marked", "test_module"]
    allowed = [{"test": "*::test_marked", "reason": "no such*"}, {"test": "*::test_called", "reason": "another reason"}]
    assert sorted(test.rpartition("::")[2] for test, _ in SKIPS["unexplained"](found, allowed)) == [
        "test_called",
        "test_module",
    ]
    assert SKIPS["main"]([str(report)]) == 1


def test_allowed_skips_have_reasons():
    entries = tomllib.loads((ROOT / ".ci/allowed_skips.toml").read_text(encoding="utf-8"))["skip"]
    for entry in entries:
        assert set(entry) == {"test", "reason", "why"}
        assert entry["test"].strip("*"), "an entry for every test allows everything"
        assert len(entry["why"]) > 20


# --- lint -----------------------------------------------------------------------------------------------------------


def test_ruff_is_content():
    ruff = [sys.executable, "-m", "ruff"]
    for arguments in (["check", "--no-cache", "."], ["format", "--no-cache", "--check", "."]):
        result = subprocess.run([*ruff, *arguments], cwd=ROOT, capture_output=True, text=True)
        assert result.returncode == 0, result.stdout + result.stderr


def test_shell_scripts_parse():
    subprocess.run(["bash", "-n", ROOT / ".ci/run"], check=True)
    assert os.access(ROOT / ".ci/run", os.X_OK)
