"""The host's pages, as far as they can be held to the truth without a hub; tests/hub/ types their commands on one."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "deploy/README.md").read_text(encoding="utf-8")
HARDENING = (ROOT / "deploy/hardening.md").read_text(encoding="utf-8")
SETTINGS = (ROOT / "deploy/jupyterhub/jupyterhub_config.py").read_text(encoding="utf-8")
SYSTEMD = (Path(__file__).parent / "systemd_names.txt").read_text(encoding="utf-8").splitlines()
page = pytest.mark.parametrize("page", [GUIDE, HARDENING], ids=["guide", "hardening"])


def anchor(title: str) -> str:
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


@page
def test_the_contents_name_every_section(page):
    prose = re.sub(r"```.*?```", "", page, flags=re.DOTALL)
    sections = re.findall(r"^## (.+)$", prose, re.MULTILINE)
    contents = page[page.index("Contents:") : page.index("\n\n", page.index("Contents:"))]
    assert re.findall(r"\[(.+?)\]\(#(.+?)\)", contents) == [(title, anchor(title)) for title in sections]
    assert set(re.findall(r"\]\(#(.+?)\)", page)) <= {anchor(title) for title in sections}


@page
def test_links_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)(?:#([^)]+))?\)", page)
    assert links
    for name, part in links:
        target = ROOT / "deploy" / name
        assert target.is_file(), name
        if part:
            titles = re.findall(r"^#+ (.+)$", target.read_text(encoding="utf-8"), re.MULTILINE)
            assert part in map(anchor, titles), f"{name}#{part}"


@page
def test_shell_blocks_are_shell(page):
    blocks = re.findall(r"^ *```sh.*?\n(.*?)^ *```$", page, re.MULTILINE | re.DOTALL)
    assert len(blocks) > 2
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
        ("no folder for kernels' sockets", "dlcourse/course/hub.py"),
    ],
)
def test_messages_are_those_of_the_program(said, file):
    assert said in GUIDE
    assert said in (ROOT / file).read_text(encoding="utf-8")


def test_times_and_limits_are_those_of_the_settings():
    assert "cull_idle_timeout=1800" in SETTINGS
    assert "--timeout=3600" in SETTINGS
    assert "A kernel ends after half an hour without work, a server after an hour" in GUIDE


def unit_files() -> dict[str, configparser.ConfigParser]:
    """The unit files and drop-ins of both pages, by name."""
    found = {}
    for name, text in re.findall(r"^```ini (\S+)\n(.*?)^```$", GUIDE + HARDENING, re.MULTILINE | re.DOTALL):
        found[name] = configparser.ConfigParser(interpolation=None)
        found[name].optionxform = str
        found[name].read_string(text)
    return found


def test_unit_files_name_what_systemd_has():
    """systemd passes over a name that it does not know, and with it the limit; `systemd-analyze verify` would tell."""
    files = unit_files()
    assert set(files) == {
        *("dlcourse.slice", "jupyterhub.service"),
        *("user-.slice.d/50-dlcourse.conf", "dlcourse.slice.d/network.conf"),
    }
    named = [f"{section}.{name}" for file in files.values() for section in file.sections() for name in file[section]]
    assert [name for name in named if name not in SYSTEMD] == []
    assert "Slice.MemoryMx" not in SYSTEMD


def test_the_slice_the_group_and_the_limits_are_those_of_the_settings():
    assert 'SLICE = "dlcourse.slice"' in SETTINGS
    assert 'LEARNERS, INSTRUCTORS = "learners", "instructors"' in SETTINGS
    assert 'subject.isInGroup("learners")' in HARDENING
    login = unit_files()["user-.slice.d/50-dlcourse.conf"]["Slice"]
    assert f'\nc.Spawner.mem_limit = "{login["MemoryMax"]}"\n' in SETTINGS
    assert f'"TasksMax": "{login["TasksMax"]}"' in SETTINGS
    assert f'"MemorySwapMax": "{login["MemorySwapMax"]}"' in SETTINGS
    assert login["CPUQuota"] == "200%"
    assert "c.Spawner.cpu_limit = 2\n" in SETTINGS
    for said in ("2 GB of memory and no swap, two cores, 512 processes", "500 lines in the journal in 30 seconds"):
        assert said in HARDENING
    assert '"LogRateLimitBurst": "500"' in SETTINGS
    assert '"LogRateLimitIntervalSec": "30s"' in SETTINGS


def test_unit_properties_of_the_settings_are_systemds():
    block = SETTINGS[SETTINGS.index("unit_extra_properties = {  #") :]
    names = re.findall(r'^        "(\w+)": "', block[: block.index("}")], re.MULTILINE)
    assert len(names) > 6
    assert [name for name in [*names, "RestrictNamespaces", "Slice"] if f"Service.{name}" not in SYSTEMD] == []


def test_the_web_server_counts_passwords_and_nothing_else():
    """Where the hub takes a password: its form, and its API's tokens, which ask for one where nobody is logged in."""
    (block,) = re.findall(r"^```nginx\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    (key, pattern) = re.search(r'^map "\$request_method \$uri" (\$\w+) \{\n.*?"~(.+?)" ', block, re.M | re.S).groups()
    (zone,) = re.findall(rf"^limit_req_zone {re.escape(key)} zone=(\w+):", block, re.MULTILINE)
    assert f"limit_req zone={zone} " in block
    assert all(re.search(pattern, f"POST {path}") for path in ("/hub/login", "/hub/api/users/ann/tokens"))
    others = ("GET /hub/login", "GET /hub/api/users/ann/tokens", "POST /user/ann/api/kernels", "POST /hub/spawn/ann")
    assert [other for other in others if re.search(pattern, other)] == []


def test_the_proxy_is_the_one_that_the_tests_run():
    named = re.findall(r"configurable-http-proxy@([\d.]+)", GUIDE + (ROOT / ".ci/run").read_text(encoding="utf-8"))
    assert len(named) == 3
    assert len(set(named)) == 1
