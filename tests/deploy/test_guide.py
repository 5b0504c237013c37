"""The host's guide, as far as it can be held to the truth without a hub; tests/hub/ types its commands on one."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "deploy/README.md").read_text(encoding="utf-8")
PROSE = re.sub(r"```.*?```", "", GUIDE, flags=re.DOTALL)


def anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


def test_the_contents_name_every_section():
    sections = re.findall(r"^## (.+)$", PROSE, re.MULTILINE)
    contents = GUIDE[GUIDE.index("Contents:") : GUIDE.index("\n## ")]
    assert re.findall(r"\[(.+?)\]\(#(.+?)\)", contents) == [(title, anchor(title)) for title in sections]
    assert set(re.findall(r"\]\(#(.+?)\)", GUIDE)) <= {anchor(title) for title in sections}


def test_links_lead_somewhere():
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#([^)]+))?\)", GUIDE)
    assert len(links) > 5
    for name, part in links:
        target = ROOT / "deploy" / name
        assert target.is_file(), name
        if part:
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert part in map(anchor, titles), f"{name}#{part}"


def test_shell_blocks_are_shell():
    blocks = re.findall(r"^ *```sh.*?\n(.*?)^ *```$", GUIDE, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 5
    for block in blocks:
        subprocess.run(["bash", "-n"], input=block, text=True, check=True)


def test_files_of_ours_that_are_named_are_there():
    for name in re.findall(r"/opt/dlcourse/[\w.]+/course/(deploy/[\w./]+)", GUIDE):
        assert (ROOT / name).exists(), name


def test_what_is_installed_is_what_the_readme_and_constraints_have():
    (pin,) = re.findall(r"^torch==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    assert set(re.findall(r"torch==([\d.]+)\+cpu", GUIDE)) == {pin}


@pytest.mark.parametrize(
    ("said", "file"),
    [
        ("the limits of memory and cores are NOT enforced", "deploy/jupyterhub/jupyterhub_config.py"),
        ("is an account of the machine", "deploy/jupyterhub/jupyterhub_config.py"),
        ("The course could not be brought up to date", "dlcourse/course/hub.py"),
        ("Not enough memory: this cell was not run", "dlcourse/course/kernel.py"),
    ],
)
def test_messages_are_those_of_the_program(said, file):
    assert said in GUIDE
    assert said in (ROOT / file).read_text(encoding="utf-8")


def test_times_and_limits_are_those_of_the_settings():
    settings = (ROOT / "deploy/jupyterhub/jupyterhub_config.py").read_text(encoding="utf-8")
    assert "cull_idle_timeout=1800" in settings
    assert "--timeout=3600" in settings
    assert "A kernel ends after half an hour without work, a server after an hour" in GUIDE
