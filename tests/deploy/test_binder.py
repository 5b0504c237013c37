"""Binder's environment: what repo2docker makes of `.binder/`, and what of it runs without an engine."""

import json
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from dlcourse_dockerfile import Instruction, instructions
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from dlcourse.course.lab import SETTINGS, START, surroundings
from dlcourse.device import cpu_budget

ROOT = Path(__file__).resolve().parents[2]
BINDER = ROOT / ".binder"
INDEX = "https://download.pytorch.org/whl/cpu"
CUDA = re.compile(r"nvidia|cuda|triton")


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split("==") for line in lines if "==" in line and not line.startswith("#"))


def requirements() -> list[str]:
    lines = (BINDER / "requirements.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


# --- the image ------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def repo2docker(tmp_path_factory) -> subprocess.CompletedProcess:
    """What it prints for a folder that holds all it looks at."""
    tree = tmp_path_factory.mktemp("tree")
    shutil.copytree(BINDER, tree / ".binder")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tree)
    line = [sys.executable, "-m", "repo2docker", "--user-id=1000", "--user-name=jovyan", "--no-build", "--debug", "."]
    result = subprocess.run(line, cwd=tree, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result


@pytest.fixture(scope="module")
def rendered(repo2docker) -> list[Instruction]:
    """The Dockerfile that it would build."""
    return instructions(repo2docker.stdout[repo2docker.stdout.index("FROM ") :])


def position(rendered: list[Instruction], name: str, part: str) -> int:
    places = [place for place, it in enumerate(rendered) if it.name == name and part in it.value]
    assert len(places) == 1, f"{len(places)} instructions {name} with {part!r}"
    return places[0]


def test_the_python_is_one_that_the_course_supports(repo2docker):
    (version,) = re.findall(r"Building conda environment for python=(\S+)", repo2docker.stderr)
    assert f"python-{version}" == (BINDER / "runtime.txt").read_text().strip()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert SpecifierSet(project["requires-python"]).contains(version)


def test_the_course_is_installed_once_its_sources_are_there(rendered):
    sources = position(rendered, "COPY", "src/ ${REPO_DIR}/")
    install = position(rendered, "RUN", "pip install")
    assert rendered[install].value.endswith('/bin/pip install --no-cache-dir -r ".binder/requirements.txt"')
    check = position(rendered, "RUN", "./.binder/postBuild")
    assert sources < install < check


def test_every_visitor_passes_the_start_script_and_is_not_root(rendered):
    (entry,) = [it.value for it in rendered if it.name == "ENV" and it.value.startswith("R2D_ENTRYPOINT=")]
    assert entry == 'R2D_ENTRYPOINT="${REPO_DIR}/.binder/start"'
    assert [it.value for it in rendered if it.name == "USER"][-1] == "${NB_USER}"
    assert rendered[-1].name == "CMD"


def test_no_cuda_is_asked_for(rendered):
    assert [it for it in rendered if CUDA.search(it.value.lower())] == []
    assert [line for line in requirements() if CUDA.search(line)] == []


# --- what pip installs ----------------------------------------------------------------------------------------------


def test_the_requirements_are_the_course_with_the_tested_versions_and_a_cpu_torch():
    options = [line.split(maxsplit=1) for line in requirements() if line.startswith("-")]
    assert dict(options) == {"--extra-index-url": INDEX, "-c": "../constraints.txt", "-e": "."}
    (torch,) = [Requirement(line) for line in requirements() if not line.startswith("-")]
    # Named in full: where the index cannot be reached, pip must fail, and not take the build with CUDA.
    assert str(torch) == f"torch=={pins()['torch']}+cpu"


@pytest.mark.network  # it asks a package index; by hand, when versions change
@pytest.mark.skipif((sys.platform, platform.machine()) != ("linux", "x86_64"), reason="Binder's images are Linux's")
def test_pip_finds_all_of_it_in_the_pinned_versions(tmp_path):
    report = tmp_path / "report.json"
    line = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--ignore-installed", f"--report={report}"]
    # Where torch's index cannot be reached, the same build must be within reach otherwise: no time is lost on trying.
    impatient = {**os.environ, "PIP_RETRIES": "0", "PIP_TIMEOUT": "30"}
    result = subprocess.run(
        [*line, "-r", ".binder/requirements.txt"], cwd=ROOT, env=impatient, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    found = {
        re.sub(r"[-_.]+", "-", it["metadata"]["name"].lower()): it["metadata"]["version"]
        for it in json.loads(report.read_text())["install"]
    }
    assert found["torch"].endswith("+cpu")
    assert [name for name in found if CUDA.search(name)] == []
    pinned = {re.sub(r"[-_.]+", "-", name.lower()): version for name, version in pins().items()}
    del found["dlcourse"]
    assert {name: version.partition("+")[0] for name, version in found.items()} == {
        name: pinned[name] for name in found
    }


# --- what is left out -----------------------------------------------------------------------------------------------


def test_the_image_holds_what_learners_open_and_not_the_tests(tmp_path):
    ask = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    tracked = subprocess.run(ask, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = [name for name in tracked.split("\0") if name]
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    patterns = [line for line in (BINDER / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    ask = "import sys; from repo2docker.buildpacks.base import exclude_paths; print(*exclude_paths('.', sys.argv[1:]))"
    line = [sys.executable, "-c", ask, *patterns]
    told = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=True).stdout.split()
    kept = {name for name in told if (tmp_path / name).is_file()}
    wanted = re.compile(
        r"(dlcourse|exercises|\.binder)/|chapters/[^/]*\.(ipynb|quiz\.toml)$|(pyproject|glossary)\.toml$|constraints\.txt$"
        r"|README\.md$|LICENSE$"
    )
    assert {name for name in names if wanted.match(name)} - kept == set()
    assert {name.partition("/")[0] for name in set(names) - kept} == {
        ".ci", ".github", "benchmarks", "deploy", "solutions", "tests",
    }  # fmt: skip


# --- start ----------------------------------------------------------------------------------------------------------


def started(command: list, **environment: str) -> subprocess.CompletedProcess:
    """`command` under `.binder/start`, in an environment of these variables and no other."""
    paths = [str(Path(sys.executable).parent), "/usr/local/bin", "/usr/bin", "/bin"]
    bare = {"PATH": os.pathsep.join(paths), "PYTHONPATH": str(ROOT)}
    return subprocess.run([BINDER / "start", *command], env={**bare, **environment}, capture_output=True, text=True)


def exported(**environment: str) -> dict[str, str]:
    result = started(["env", "-0"], REPO_DIR=str(ROOT), **environment)
    assert result.returncode == 0, result.stderr
    return dict(line.split("=", 1) for line in result.stdout.split("\0") if line)


def test_the_settings_are_those_of_dlcourse_lab(monkeypatch):
    for name in surroundings():
        monkeypatch.delenv(name, raising=False)
    wanted = surroundings()
    wanted["JUPYTER_CONFIG_PATH"] = f"{BINDER / 'jupyter'}:{wanted['JUPYTER_CONFIG_PATH']}"
    seen = exported()
    assert {name: seen.get(name) for name in wanted} == wanted
    assert seen["JUPYTER_PATH"] == str(SETTINGS)
    seen = exported(JUPYTER_CONFIG_PATH="/a", JUPYTER_PATH="/b:/c")
    assert seen["JUPYTER_CONFIG_PATH"] == f"{BINDER / 'jupyter'}:{SETTINGS}:/a"
    assert seen["JUPYTER_PATH"] == f"{SETTINGS}:/b:/c"


@pytest.mark.parametrize(("limit", "threads"), [("1.5", 1), ("2.0", 2), ("0.5", 1), ("12", 12), ("08", 8)])
def test_threads_are_the_whole_cores_of_the_pods_share(limit, threads):
    assert exported(CPU_LIMIT=limit)["OMP_NUM_THREADS"] == str(threads)


@pytest.mark.parametrize("limit", [{}, {"CPU_LIMIT": ""}, {"CPU_LIMIT": "None"}, {"CPU_LIMIT": "$(id)"}])
def test_without_a_share_the_cgroup_says_how_many(limit):
    assert exported(**limit)["OMP_NUM_THREADS"] == str(cpu_budget())


def test_the_server_takes_the_scripts_place():
    result = started(["sh", "-c", 'printf "%s|" "$@"; exit 3', "sh", "a b", "*"], REPO_DIR="/nowhere", CPU_LIMIT="1")
    assert (result.returncode, result.stdout) == (3, "a b|*|")
    assert "REPO_DIR" in started(["true"]).stderr  # and without its folder it says what is missing


@pytest.mark.parametrize("name", ["start", "postBuild"])
def test_the_scripts_parse_and_may_be_run(name):
    subprocess.run(["bash", "-n", BINDER / name], check=True)
    assert os.access(BINDER / name, os.X_OK)


def test_the_check_of_the_build_refuses_a_torch_with_cuda(tmp_path):
    script = (BINDER / "postBuild").read_text()
    check = re.search(r"python - <<'END'\n(.*?)^END$", script, re.MULTILINE | re.DOTALL)[1]
    fake = tmp_path / "torch.py"
    fake.write_text("__version__ = '2.0'\nclass version: cuda = '12.6'\n")
    result = subprocess.run([sys.executable, "-c", check], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1
    assert "does not fit Binder" in result.stderr
    fake.write_text("class version: cuda = None\n")
    subprocess.run([sys.executable, "-c", check], cwd=tmp_path, check=True)


def test_the_servers_own_settings_name_the_start_notebook():
    settings = json.loads((BINDER / "jupyter/jupyter_server_config.json").read_text())
    assert {app["default_url"] for app in settings.values()} == {f"/lab/tree/{START}"}


@pytest.mark.slow
@pytest.mark.parametrize("app", ["notebook", "lab"])  # repo2docker's own command, and the one people change it to
def test_a_visitor_lands_at_the_start_notebook_of_the_checkout(tmp_path, app):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    line = ["jupyter", app, "--ip=127.0.0.1", f"--port={port}", "--no-browser", "--IdentityProvider.token=t"]
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path),
        "REPO_DIR": str(ROOT),
    }
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [BINDER / "start", *line, "--allow-root", "--ServerApp.port_retries=0"],
            cwd=ROOT,
            env=environment,
            stdout=log,
            stderr=log,
        )
    try:
        address = f"http://127.0.0.1:{port}"
        deadline = time.monotonic() + 60
        while True:
            try:
                landed = urlopen(f"{address}/?token=t").geturl()
                break
            except URLError:
                assert server.poll() is None, (tmp_path / "log").read_text()
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.2)
        assert landed == f"{address}/lab/tree/{START}?token=t"
        served = json.load(urlopen(f"{address}/api/contents/{START}?token=t"))["content"]["cells"]
        ours = json.loads((ROOT / START).read_text(encoding="utf-8"))["cells"]
        assert [cell["id"] for cell in served] == [cell["id"] for cell in ours]
    finally:
        server.terminate()
        server.wait(30)
