"""Settings of a hub on one machine: each names something that exists, and says what the guide promises.

That they work is for tests/hub/ to show, with a real hub.
"""

import asyncio
import copy
import importlib
import io
import os
import pwd
import re
from contextlib import redirect_stderr
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from jupyterhub.spawner import LocalProcessSpawner
from systemdspawner import SystemdSpawner
from traitlets.config import Config

from dlcourse.course.server_port import HeldPort

JUPYTERHUB = Path(__file__).parents[2] / "deploy/jupyterhub"
GUIDE = (JUPYTERHUB.parent / "README.md").read_text(encoding="utf-8")
CLASSES = {
    "JupyterHub": "jupyterhub.app.JupyterHub",
    "ConfigurableHTTPProxy": "jupyterhub.proxy.ConfigurableHTTPProxy",
    "Authenticator": "jupyterhub.auth.Authenticator",
    "LocalAuthenticator": "jupyterhub.auth.LocalAuthenticator",
    "PAMAuthenticator": "jupyterhub.auth.PAMAuthenticator",
    "Spawner": "jupyterhub.spawner.Spawner",
    "SystemdSpawner": "systemdspawner.SystemdSpawner",
    "OAuthenticator": "oauthenticator.oauth2.OAuthenticator",
    "GenericOAuthenticator": "oauthenticator.generic.GenericOAuthenticator",
    "CourseDirectory": "nbgrader.coursedir.CourseDirectory",
    "Exchange": "nbgrader.exchange.default.Exchange",
    "ExchangeFactory": "nbgrader.exchange.ExchangeFactory",
}


def found(dotted: str):
    module, _, name = dotted.rpartition(".")
    return getattr(importlib.import_module(module), name)


@pytest.fixture
def load(monkeypatch):
    """`load(file)`: the configuration that it makes, its own names, and what it said to the log."""

    def load(name: str, *, systemd: bool = False) -> tuple[Config, dict, str]:
        config, log, real = Config(), io.StringIO(), Path.is_dir
        names = {"get_config": lambda: config}
        with monkeypatch.context() as patched, redirect_stderr(log):
            patched.setattr(
                Path, "is_dir", lambda path: systemd if str(path).startswith("/run/systemd") else real(path)
            )
            exec(compile((JUPYTERHUB / name).read_text(encoding="utf-8"), name, "exec"), names)
        return config, names, log.getvalue()

    return load


@pytest.mark.parametrize("name", ["jupyterhub_config.py", "login_oidc.py", "nbgrader_config.py"])
def test_every_setting_exists(load, name, monkeypatch):
    monkeypatch.setenv("DLCOURSE_EXERCISES", "/home/x/exercises")
    config, _, _ = load(name, systemd=True)
    assert config
    for kind, values in config.items():
        assert set(values) <= set(found(CLASSES[kind]).class_traits(config=True)), kind


def test_settings_named_in_the_files_own_words_exist():
    """What a docstring tells the administrator to write."""
    for name in ("jupyterhub_config.py", "login_oidc.py"):
        text = (JUPYTERHUB / name).read_text(encoding="utf-8").split('"""')[1]
        lines = re.findall(r"^    c\.(\w+)\.(\w+) =", text, re.MULTILINE)
        assert lines
        for kind, trait in lines:
            assert trait in found(CLASSES[kind]).class_traits(config=True), trait


def test_options_of_servers_exist(load):
    config, _, _ = load("jupyterhub_config.py")
    known = found("jupyter_server.services.kernels.kernelmanager.MappingKernelManager").class_traits(config=True)
    for option in config.Spawner.args:
        kind, trait = re.fullmatch(r"--(\w+)\.(\w+)=.+", option).groups()
        assert (kind, trait in known) == ("MappingKernelManager", True)


def test_classes_named_by_text_exist(load):
    config, _, _ = load("login_oidc.py")
    assert config.LocalAuthenticator.allowed_groups == set()  # of the machine's groups: a newcomer has no account yet
    assert found(config.JupyterHub.authenticator_class).__name__ == "LocalGenericOAuthenticator"


def test_what_is_handed_in_is_collected_by_owners_and_not_by_names(load):
    config, _, _ = load("nbgrader_config.py")
    assert found(config.ExchangeFactory.collect).__module__ == "dlcourse.course.grading.collect"


def test_without_systemd_it_says_that_nothing_is_enforced(load):
    config, _, said = load("jupyterhub_config.py")
    assert "NOT enforced" in said
    assert issubclass(config.JupyterHub.spawner_class, LocalProcessSpawner)
    config, _, said = load("jupyterhub_config.py", systemd=True)
    assert said == ""
    assert issubclass(config.JupyterHub.spawner_class, SystemdSpawner)


@pytest.mark.parametrize("systemd", [False, True])
def test_every_servers_port_is_held(load, systemd):
    """What the class does is tested in tests/course/test_server_port.py; a hub must use it, before the other's own."""
    config, _, _ = load("jupyterhub_config.py", systemd=systemd)
    assert config.JupyterHub.spawner_class.__mro__[1] is HeldPort
    assert "dlcourse.course.hub" in config.Spawner.cmd  # starts the server that can listen there


@pytest.mark.parametrize("systemd", [False, True])
def test_settings_of_the_hosts_own_reach_the_spawner(load, systemd):
    """By the names of JupyterHub's and the systemd spawner's documentation, before ours and after."""
    config, _, _ = load("jupyterhub_config.py", systemd=systemd)
    config.Spawner.mem_limit = "3G"
    config.SystemdSpawner.isolate_tmp = False
    config.SystemdSpawner.slice = "class.slice"
    config.LocalProcessSpawner.term_timeout = 7
    made = config.JupyterHub.spawner_class(config=config, user=SimpleNamespace(name="root", id=0))
    assert made.mem_limit == 3 * 1024**3
    if systemd:
        assert (made.isolate_tmp, made.slice, made.disable_user_sudo) == (False, "class.slice", True)
    else:
        assert made.term_timeout == 7


def test_limits_reach_systemd(load, monkeypatch):
    """What systemd is asked for, worked out by the spawner itself."""
    from systemdspawner import systemd

    config, _, _ = load("jupyterhub_config.py", systemd=True)
    asked, told = {}, {}

    async def start(*_, **given):
        asked.update(given["properties"])
        told.update(given["environment_variables"])

    async def no(*_):
        return False

    async def nothing(*_):  # it runs: there is no exit status
        return None

    monkeypatch.setattr(systemd, "start_transient_service", start)
    monkeypatch.setattr(systemd, "service_running", no)
    monkeypatch.setattr(systemd, "reset_service", no)
    monkeypatch.setattr(SystemdSpawner, "get_env", lambda self: {"PORT": str(self.port)})
    monkeypatch.setattr(SystemdSpawner, "get_args", lambda self: [])
    monkeypatch.setattr(SystemdSpawner, "poll", nothing)
    kind = config.JupyterHub.spawner_class
    spawner = kind(config=config, user=SimpleNamespace(name=pwd.getpwuid(os.geteuid()).pw_name, id=0))
    address, port = asyncio.run(spawner.start())
    assert (address, str(port)) == ("127.0.0.1", told["PORT"])  # the one that is held, not the spawner's own choice
    held = spawner.held.getsockname()[1]
    spawner.release()
    assert held == port
    assert asked["MemoryMax"] == 2 * 1024**3
    assert asked["CPUQuota"] == "200%"
    assert asked["PrivateTmp"] == asked["NoNewPrivileges"] == "yes"
    assert (asked["MemorySwapMax"], asked["TasksMax"], asked["RemoveIPC"]) == ("0", "512", "yes")


@pytest.mark.parametrize(
    ("name", "fits"),
    [
        *((name, True) for name in ("ann", "ann-b_2", "a")),
        *((name, False) for name in ("Ann", "ann+bob", "../ann", "ann@example.org", "", "-ann", "a" * 32, "ann\n")),
    ],
)
def test_names_that_may_log_in(load, name, fits):
    """A name gets into paths and into nbgrader's exchange, whose files are called NAME+ASSIGNMENT+TIME."""
    from jupyterhub.auth import DummyAuthenticator

    config, _, _ = load("jupyterhub_config.py")
    assert DummyAuthenticator(config=config).validate_username(name) is fits


def test_only_those_of_the_two_groups_may_log_in(load):
    config, _, _ = load("jupyterhub_config.py")
    assert config.LocalAuthenticator.allowed_groups == {"learners", "instructors"}
    assert "allow_all" not in config.Authenticator


def test_roles_and_who_gets_no_server(load, monkeypatch):
    _, names, _ = load("jupyterhub_config.py")
    numbers = {"ann": 1001, "teacher": 1002, "chair": 1003, "stranger": 1004, "daemon": 1}
    accounts = {
        name: pwd.struct_passwd((name, "x", number, 5000, "", f"/home/{name}", "/bin/sh"))
        for name, number in numbers.items()
    }
    groups = {"learners": SimpleNamespace(gr_gid=600), "instructors": SimpleNamespace(gr_gid=700)}
    members = {"ann": [5000, 600], "teacher": [5000, 600, 700], "chair": [700], "daemon": [600]}
    monkeypatch.setattr(names["pwd"], "getpwnam", accounts.__getitem__)
    monkeypatch.setattr(names["grp"], "getgrnam", groups.__getitem__)
    monkeypatch.setattr(names["os"], "getgrouplist", lambda name, own: members.get(name, [own]))

    def role(name: str) -> str:
        spawner = SimpleNamespace(user=SimpleNamespace(name=name), environment={})
        names["before_spawn"](spawner)
        return spawner.environment["DLCOURSE_ROLE"]

    assert [role(name) for name in ("ann", "teacher", "chair")] == ["learner", "instructor", "instructor"]
    with pytest.raises(PermissionError, match="daemon is an account of the machine"):
        role("daemon")
    with pytest.raises(PermissionError, match="stranger is in neither group"):
        role("stranger")
    groups.clear()
    with pytest.raises(PermissionError, match="neither group"):
        role("teacher")


def test_learners_share_a_slice_and_only_instructors_make_namespaces(load, monkeypatch):
    """The grader's jail is made of namespaces. Who changes groups, changes at the next start, with the same spawner."""
    from systemdspawner import SystemdSpawner

    config, names, _ = load("jupyterhub_config.py", systemd=True)
    me = pwd.getpwuid(0).pw_name
    person = pwd.struct_passwd((me, "x", 1001, 5000, "", "/home/x", "/bin/sh"))
    monkeypatch.setitem(names, "pwd", SimpleNamespace(getpwnam=lambda name: person))
    spawner = SystemdSpawner(config=config, user=SimpleNamespace(name=me, id=0))
    seen = []
    for groups in ({"learners"}, {"instructors", "learners"}, {"learners"}):
        monkeypatch.setitem(names, "groups_of", lambda name, groups=groups: groups)
        names["before_spawn"](spawner)
        seen.append((spawner.slice, spawner.unit_extra_properties["RestrictNamespaces"]))
        assert spawner.unit_extra_properties["TasksMax"] == "512"
    assert seen == [("dlcourse.slice", "yes"), (None, "no"), ("dlcourse.slice", "yes")]


@pytest.mark.parametrize("name", ["graders", "metrics", "login", "pieces"])
def test_settings_of_the_guide_exist(load, name):
    """What it tells hosts to write after our file, or, the last one, in place of it."""
    (text,) = re.findall(rf"^```python {name}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)
    config = Config() if name == "pieces" else load("jupyterhub_config.py")[0]
    before = copy.deepcopy(config)
    exec(compile(text, name, "exec"), {"c": config, "load_subconfig": lambda path: None})
    assert config != before
    for kind, values in config.items():
        assert set(values) <= set(found(CLASSES[kind]).class_traits(config=True)), kind


def test_roles_of_the_guide_hold_scopes_that_exist():
    from jupyterhub.scopes import scope_definitions

    scopes = [scope for text in re.findall(r'"scopes": \[(.*?)\]', GUIDE) for scope in re.findall(r'"(.*?)"', text)]
    assert len(scopes) == 3
    assert {scope.partition("!")[0] for scope in scopes} <= set(scope_definitions)


def test_only_root_can_take_the_hubs_ports(load):
    """Else a student who waits for one of them to become free is sent everybody's password at the next restart."""
    config, _, _ = load("jupyterhub_config.py")
    addresses = (config.JupyterHub.bind_url, config.ConfigurableHTTPProxy.api_url)
    ports = [urlsplit(address).port for address in addresses] + [config.JupyterHub.hub_port]
    assert len(set(ports)) == 3
    assert max(ports) < 1024
    assert {urlsplit(address).hostname for address in addresses} == {"127.0.0.1"}
    assert set(re.findall(r"http://127\.0\.0\.1:(\d+)", GUIDE)) == {str(ports[0])}


def test_a_login_service_can_be_asked(load):
    """Both files together make an authenticator that can be constructed (a contradiction is an error there)."""
    from oauthenticator.generic import LocalGenericOAuthenticator

    config, _, _ = load("jupyterhub_config.py")
    more, _, _ = load("login_oidc.py")
    config.merge(more)
    made = LocalGenericOAuthenticator(config=config)
    assert made.create_system_users
    assert not made.allow_all
    assert made.allowed_groups == set()
