"""The image for Kubernetes, as far as no engine is needed: what stands in its Dockerfile, and that pip can do it."""

import importlib.util
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from dlcourse_dockerfile import Instruction, instructions, stages
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "deploy/jupyterhub"
TEXT = (FOLDER / "Dockerfile").read_text(encoding="utf-8")
STAGES = stages(TEXT)
COURSE = STAGES["course"]
ARGS = dict(it.value.split("=", 1) for it in instructions(TEXT) if it.name == "ARG")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def copies(stage: list[Instruction]) -> list[str]:
    """What a stage copies out of the build's context."""
    values = [it.value.split() for it in stage if it.name == "COPY"]
    return [source for value in values if not value[0].startswith("--from=") for source in value[:-1]]


def run(stage: list[Instruction], part: str) -> str:
    (found,) = [it.value for it in stage if it.name == "RUN" and part in it.value]
    return found


# --- the parser -----------------------------------------------------------------------------------------------------


def test_the_parser_joins_lines_and_refuses_what_it_cannot_read():
    text = "# a\nFROM a AS one\nRUN b \\\n    # c\n    && d\n\nCOPY <<END /e\n# kept\nEND\nUSER f\n"
    assert instructions(text) == [
        ("FROM", "a AS one"),
        ("RUN", "b && d"),
        ("COPY", "<<END /e\n# kept"),
        ("USER", "f"),
    ]
    assert list(stages("FROM a\nFROM b AS two\n")) == ["0", "two"]
    for wrong in ("RUN a \\", "from a", "USER", "COPY <<END /e\n"):
        with pytest.raises(ValueError, match="instruction"):
            instructions(wrong)


# --- what stands in it ----------------------------------------------------------------------------------------------


def test_both_stages_start_from_one_pinned_python_that_the_course_supports():
    assert list(STAGES) == ["wheel", "course"]
    assert [it.value.partition(" ")[0] for it in instructions(TEXT) if it.name == "FROM"] == ["python:${PYTHON}"] * 2
    version, _, flavour = ARGS["PYTHON"].partition("-")
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert SpecifierSet(PROJECT["requires-python"]).contains(version)
    assert flavour == "slim-bookworm"  # no compilers
    assert ":latest" not in TEXT


def test_what_is_copied_is_there_and_what_is_given_is_used():
    for stage in STAGES.values():
        assert copies(stage) != []
        assert [source for source in copies(stage) if not (ROOT / source).exists()] == []
    assert [it.value for it in COURSE if it.value.startswith("--from=")] == ["--from=wheel /wheel /tmp/wheel"]
    for name in ARGS:
        place = next(
            at for at, it in enumerate(instructions(TEXT)) if it.name == "ARG" and it.value.startswith(f"{name}=")
        )
        assert any(f"${{{name}}}" in it.value for it in instructions(TEXT)[place:]), name


def test_it_runs_as_nobody_in_particular_what_the_chart_starts():
    assert [it.value for it in COURSE if it.name == "USER"] == ["1000"]
    last = [it.name for it in COURSE]
    assert last.index("USER") > max(place for place, name in enumerate(last) if name in ("RUN", "COPY"))
    (command,) = [json.loads(it.value) for it in COURSE if it.name == "CMD"]
    values = yaml.safe_load((FOLDER / "values.yaml").read_text(encoding="utf-8"))
    assert command == values["singleuser"]["cmd"][: len(command)]
    assert importlib.util.find_spec(command[-1])
    assert "--uid 1000 " in run(COURSE, "useradd")


def test_no_compiler_and_no_cache_stays():
    packages = run(COURSE, "apt-get").partition("apt-get install ")[2].partition(" && ")[0].split()
    assert packages == ["--yes", "--no-install-recommends", "tini"]
    assert "rm -rf /var/lib/apt/lists/*" in run(COURSE, "apt-get")
    for value in (run(STAGES["wheel"], "pip wheel"), run(COURSE, "pip install")):
        assert "--no-cache-dir" in value
    assert run(COURSE, "pip install").endswith("rm -r /tmp/wheel /tmp/constraints.txt")


def test_the_wheel_is_installed_in_the_tested_versions_with_a_cpu_torch():
    assert " --no-deps --wheel-dir /wheel ." in run(STAGES["wheel"], "pip wheel")
    install = run(COURSE, "pip install")
    assert "--constraint /tmp/constraints.txt" in install
    assert '"$(echo /tmp/wheel/dlcourse-*.whl)[hub]"' in install
    assert '"torch==${TORCH}"' in install
    assert ARGS["TORCH"] == f"{pins()['torch']}+cpu"  # in full: without the index pip fails, and takes none with CUDA
    assert ARGS["TORCH_INDEX"] == "https://download.pytorch.org/whl/cpu"
    assert f"--build-arg TORCH={pins()['torch']} " in TEXT


def hub_of_the_chart(constraints: Path) -> None:
    """Do to the file what the image does to its own."""
    sed = run(COURSE, "pip install").partition(" && ")[0].replace("/tmp/constraints.txt", str(constraints))
    subprocess.run(["bash", "-c", sed], env={**os.environ, **ARGS}, check=True)


def test_the_charts_hub_takes_the_place_of_one_pin_and_no_other(tmp_path):
    file = tmp_path / "constraints.txt"
    shutil.copy(ROOT / "constraints.txt", file)
    before = file.read_text().splitlines()
    hub_of_the_chart(file)
    changed = [(old, new) for old, new in zip(before, file.read_text().splitlines(), strict=True) if old != new]
    assert changed == [(f"jupyterhub=={pins()['jupyterhub']}", f"jupyterhub=={ARGS['JUPYTERHUB']}")]
    (wanted,) = [it for it in map(Requirement, PROJECT["optional-dependencies"]["hub"]) if it.name == "jupyterhub"]
    assert wanted.specifier.contains(ARGS["JUPYTERHUB"])


# --- what reaches the builder ---------------------------------------------------------------------------------------


EXCLUDE = """
import sys
from repo2docker.buildpacks.base import exclude_paths
print(*exclude_paths('.', sys.argv[1:]), sep='\\0')
"""


@pytest.fixture(scope="module")
def context(tmp_path_factory) -> Path:
    """A copy of the course folder as the builder gets it, with what must never get there planted first."""
    tree = tmp_path_factory.mktemp("context")
    ask = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    tracked = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, tree / name)
    for secret in ("gradebook.db", "grading/keys/course.key", ".git/config", "submitted/a/b.ipynb", "secrets.yaml"):
        (tree / secret).parent.mkdir(parents=True, exist_ok=True)
        (tree / secret).write_text("secret")
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    line = [sys.executable, "-c", EXCLUDE, *patterns]
    told = subprocess.run(line, cwd=tree, capture_output=True, text=True, check=True).stdout.rstrip("\n").split("\0")
    for path in sorted(tree.rglob("*"), reverse=True):
        if str(path.relative_to(tree)) not in told and not (path.is_dir() and any(path.iterdir())):
            path.rmdir() if path.is_dir() else path.unlink()
    return tree


def test_only_what_is_copied_reaches_the_builder(context):
    top = {path.name for path in context.iterdir()} - {".dockerignore"}  # a builder always gets that one
    assert top == {source.partition("/")[0] for stage in STAGES.values() for source in copies(stage)}
    assert [path.name for path in (context / "deploy").rglob("*") if path.is_file()] == ["ngshare_config.py"]
    for stage in STAGES.values():
        assert [source for source in copies(stage) if not (context / source).exists()] == []


@pytest.mark.network  # it asks a package index; by hand, when versions change
@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="the image is Linux's")
def test_pip_can_do_both_stages(context, tmp_path):
    source, wheels, constraints = tmp_path / "source", tmp_path / "wheel", tmp_path / "constraints.txt"
    source.mkdir()
    for name in copies(STAGES["wheel"]):
        (shutil.copytree if (context / name).is_dir() else shutil.copy)(context / name, source / name)
    pip = [sys.executable, "-m", "pip"]
    build = run(STAGES["wheel"], "pip wheel").replace("/wheel", str(wheels)).split()
    subprocess.run([*pip, *build[1:]], cwd=source, check=True, capture_output=True)
    (wheel,) = wheels.glob("dlcourse-*.whl")
    inside = zipfile.ZipFile(wheel).namelist()
    assert "dlcourse/_content/chapters/00-start.ipynb" in inside
    assert [name for name in inside if "solution" in name or name.startswith("tests")] == []

    shutil.copy(context / "constraints.txt", constraints)
    hub_of_the_chart(constraints)
    _, install, _ = run(COURSE, "pip install").split(" && ")
    install = install.replace("/tmp/wheel", str(wheels)).replace("/tmp/constraints.txt", str(constraints))
    assert install.startswith("pip install ")
    report = tmp_path / "report.json"
    dry = f"{sys.executable} -m {install} -q --dry-run --ignore-installed --report {report}"
    # Where torch's index cannot be reached, the same build must be within reach otherwise: no time is lost on trying.
    environment = {**os.environ, **ARGS, "PIP_RETRIES": "0", "PIP_TIMEOUT": "30"}
    result = subprocess.run(["bash", "-c", dry], env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    found = {
        it["metadata"]["name"].lower(): it["metadata"]["version"] for it in json.loads(report.read_text())["install"]
    }
    assert found["torch"] == ARGS["TORCH"]
    assert found["jupyterhub"] == ARGS["JUPYTERHUB"]
    assert {"nbgrader", "ngshare-exchange", "jupyterlab"} <= {name.replace("_", "-") for name in found}
    assert [name for name in found if re.match(r"nvidia|cuda|triton", name)] == []


# --- the exchange's settings ----------------------------------------------------------------------------------------

ASK = """
import json, sys
from pathlib import Path
from traitlets.config import PyFileConfigLoader
from nbgrader.coursedir import CourseDirectory
from nbgrader.exchange import ExchangeFactory
config = PyFileConfigLoader(sys.argv[1]).load_config()
course, exchange = CourseDirectory(config=config), ExchangeFactory(config=config)
submit = exchange.Submit(coursedir=course, config=config)
print(json.dumps([type(submit).__module__, submit.ngshare_url, submit.assignment_dir, course.course_id]))
"""


def test_nbgrader_hands_in_to_the_service_that_the_hub_knows():
    environment = {**os.environ, "JUPYTERHUB_USER": "kim", "DLCOURSE_EXERCISES": "/home/jovyan/dlcourse-work/exercises"}
    line = [sys.executable, "-c", ASK, FOLDER / "ngshare_config.py"]
    result = subprocess.run(line, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    values = yaml.safe_load((FOLDER / "values.yaml").read_text(encoding="utf-8"))
    service = values["hub"]["services"]["ngshare"]["url"]
    assert json.loads(result.stdout) == [
        "ngshare_exchange.submit",
        f"{service}/services/ngshare",
        "/home/jovyan/dlcourse-work/exercises",
        "dlcourse",
    ]
