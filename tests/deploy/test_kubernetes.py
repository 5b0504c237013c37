"""The values for Zero to JupyterHub: every name is one that the chart documents, and the Python in them works."""

import copy
import importlib.util
import re
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from jupyterhub.scopes import scope_definitions
from jupyterhub.services.service import Service
from jupyterhub.spawner import Spawner
from traitlets.config import Config

from dlcourse import __version__

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILE = ROOT / "deploy/jupyterhub/values.yaml"
TEXT = FILE.read_text(encoding="utf-8")
VALUES = yaml.safe_load(TEXT)
SINGLEUSER = VALUES["singleuser"]
STORAGE = SINGLEUSER["storage"]


def names(file: str) -> list[str]:
    lines = (HERE / file).read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def documented() -> dict:
    """The chart's names as a tree: a dict where more names follow, "free" where anything may, None for a value."""
    tree: dict = {}
    for name in names("chart_keys.txt"):
        *above, last = name.removesuffix(".*").split(".")
        node = tree
        for part in above:
            node = node.setdefault(part, {})
        node[last] = "free" if name.endswith(".*") else None
    return tree


def unknown(values: dict, tree: dict, path: str = "") -> list[str]:
    """Every path of `values` that the chart does not document."""
    found = []
    for name, below in values.items():
        here, known = f"{path}{name}", tree.get(name, tree.get("?", "missing"))
        if known == "missing" or (isinstance(below, dict) and known is None):
            found.append(here)
        elif isinstance(known, dict):
            found += unknown(below, known, here + ".") if isinstance(below, dict) else [here]
    return found


def commented(first: str, last: str) -> str:
    """A stretch of the file's comments as the YAML that it would be."""
    lines = TEXT.splitlines()
    (start,) = [place for place, line in enumerate(lines) if line.strip() == f"# {first}"]
    end = next(place for place in range(start, len(lines)) if lines[place].strip() == f"# {last}")
    indent = lines[start].index(first)
    return "\n".join(line[indent:] for line in lines[start : end + 1])


# --- the chart's names ----------------------------------------------------------------------------------------------


def test_the_chart_documents_every_name():
    assert unknown(VALUES, documented()) == []


@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("", "singeluser"),
        ("singleuser.memory", "limits"),
        ("singleuser.networkPolicy", "egressAllowRule"),
        ("singleuser.networkPolicy.egressAllowRules", "nonPrivateIP"),
        ("singleuser.storage", "extraVolume"),
        ("singleuser.image.tag", "name"),
        ("hub", "extraconfig"),
        ("cull", "timeOut"),
        ("prePuller.hook", "image_tag"),
    ],
)
def test_a_misspelt_name_is_found(place, wrong):
    values = copy.deepcopy(VALUES)
    node = values
    for part in filter(None, place.split(".")):
        if not isinstance(node.setdefault(part, {}), dict):
            node[part] = {}
        node = node[part]
    node[wrong] = 1
    told = unknown(values, documented())
    assert len(told) == 1
    assert f"{place}.{wrong}".strip(".").startswith(told[0])


def test_the_list_of_names_is_whole():
    listed = names("chart_keys.txt")
    assert listed == sorted(set(listed))
    assert len(listed) > 300
    assert {"hub", "proxy", "singleuser", "scheduling", "ingress", "prePuller", "cull", "custom"} < set(documented())


# --- what the chart hands on ----------------------------------------------------------------------------------------


def traits(name: str) -> set[str]:
    """The settings of a class that the hub's configuration may name."""
    if name == "KubeSpawner":
        return set(names("kubespawner_traits.txt"))
    homes = ["jupyterhub.app", "jupyterhub.auth", "jupyterhub.authenticators.dummy", "oauthenticator.generic"]
    for home in homes:
        if importlib.util.find_spec(home) and (made := getattr(import_module(home), name, None)):
            return set(made.class_trait_names(config=True))
    raise AssertionError(f"no class {name}")


def test_the_hubs_settings_exist():
    trial = yaml.safe_load(
        commented(
            "  JupyterHub: {authenticator_class: dummy}",
            "  DummyAuthenticator: {password: LONG-AND-RANDOM, allow_all: true}",
        )
    )
    for settings in (VALUES["hub"]["config"], trial):
        assert {f"{name}.{it}" for name in settings for it in settings[name] if it not in traits(name)} == set()
    assert "no_such_setting" not in traits("JupyterHub")


def test_an_address_for_each_person_is_the_single_hosts_and_the_ingress_has_its_names():
    own = yaml.safe_load(commented("  subdomain_host: https://hub.example.org", "  cookie_host_prefix_enabled: true"))
    guide = (ROOT / "deploy/README.md").read_text(encoding="utf-8")
    c = Config()
    exec(re.search(r"```python subdomains\n(.*?)```", guide, re.DOTALL)[1], {"c": c})
    assert own == {name: c.JupyterHub[name] for name in c.JupyterHub}
    assert set(own) <= traits("JupyterHub")

    way = yaml.safe_load(commented("  ingress:", "  proxy: {service: {type: ClusterIP}}"))
    assert unknown(way, documented()) == []
    host = own["subdomain_host"].removeprefix("https://")
    (tls,) = way["ingress"]["tls"]
    assert way["ingress"]["hosts"] == tls["hosts"] == [host, f"*.{host}"]
    assert set(tls) == {"hosts", "secretName"}
    assert VALUES["hub"]["config"]["GenericOAuthenticator"]["oauth_callback_url"].startswith(own["subdomain_host"])


def test_failed_starts_do_not_restart_the_hub():
    """Five people over their quota would stop it for all. The chart's own is 5; 0 means that nobody counts."""
    assert VALUES["hub"]["consecutiveFailureLimit"] == 0
    assert Spawner.consecutive_failure_limit.default_value == 0


def test_nobody_gets_in_by_default_and_no_secret_lies_here():
    config = VALUES["hub"]["config"]
    assert config["JupyterHub"]["authenticator_class"] == "generic-oauth"
    assert config["GenericOAuthenticator"]["allow_all"] is False
    assert config["GenericOAuthenticator"]["allowed_users"] == []
    assert re.findall(r"(?im)^[^#\n]*(secret|token|password)\w*: *\S+", TEXT.replace("token_url:", "")) == []


def test_roles_hold_scopes_that_exist():
    for role in VALUES["hub"]["loadRoles"].values():
        assert set(role) <= {"name", "description", "scopes", "users", "groups", "services"}
        assert {scope.partition("!")[0] for scope in role["scopes"]} <= set(scope_definitions)
    for service in VALUES["hub"]["services"].values():
        assert set(service) <= set(Service.class_trait_names(input=True)) | {"apiToken"}


def test_kubespawner_has_what_the_profiles_change():
    known = set(names("kubespawner_traits.txt"))
    assert known > set(Spawner.class_trait_names(config=True))
    for profile in SINGLEUSER["profileList"]:
        assert set(profile) <= {"display_name", "slug", "description", "default", "kubespawner_override"}
        assert set(profile.get("kubespawner_override", {})) <= known
    assert [profile["slug"] for profile in SINGLEUSER["profileList"] if profile.get("default")] == ["cpu"]


# --- the Python in it -----------------------------------------------------------------------------------------------


def configured(instructors: list[str]) -> Config:
    """What the chart's own configuration would hold after our snippets, which it runs with `c` and `get_config`."""
    c = Config()
    told = {"custom.instructors": instructors}
    for name, snippet in VALUES["hub"]["extraConfig"].items():
        exec(compile(snippet, name, "exec"), {"c": c, "get_config": lambda key, default=None: told.get(key, default)})
    return c


def test_the_snippets_set_settings_that_exist():
    c = configured([])
    assert c
    assert {f"{name}.{it}" for name in c for it in c[name] if it not in traits(name)} == set()


def test_an_instructor_is_one_for_as_long_as_the_list_says():
    kim = SimpleNamespace(user=SimpleNamespace(name="kim"), environment={"A": "1"})
    configured(["kim"]).KubeSpawner.pre_spawn_hook(kim)
    assert kim.environment == {"A": "1", "DLCOURSE_ROLE": "instructor"}
    configured(["sam"]).KubeSpawner.pre_spawn_hook(kim)
    assert kim.environment == {"A": "1", "DLCOURSE_ROLE": "learner"}


def test_what_is_started_exists_and_so_do_its_options():
    python, safe, module, name, *options = SINGLEUSER["cmd"]
    assert (python, safe, module) == ("python", "-P", "-m")  # -P: it starts in the home, where random.py may lie
    assert importlib.util.find_spec(name)
    manager = import_module("jupyter_server.services.kernels.kernelmanager").MappingKernelManager
    for option in options:
        owner, setting = re.fullmatch(r"--(\w+)\.(\w+)=\w+", option).groups()
        assert owner == "MappingKernelManager"
        assert setting in manager.class_trait_names(config=True)


# --- Kubernetes' own objects ----------------------------------------------------------------------------------------

LABELS = {"matchLabels": {"app.kubernetes.io/name": {}}}
PEER = {"podSelector": LABELS, "namespaceSelector": LABELS, "ipBlock": {"cidr": {}, "except": {}}}
OBJECTS = {
    "volume": {
        "name": {},
        "emptyDir": {"medium": {}, "sizeLimit": {}},
        "persistentVolumeClaim": {"claimName": {}, "readOnly": {}},
    },
    "mount": {"name": {}, "mountPath": {}, "readOnly": {}, "subPath": {}},
    "rule": {"from": PEER, "to": PEER, "ports": {"port": {}, "protocol": {}, "endPort": {}}},
}


def strange(value, known: dict) -> list[str]:
    """Keys that an object of this kind does not have."""
    if isinstance(value, list):
        return [key for it in value for key in strange(it, known)]
    if not isinstance(value, dict):
        return []
    found = [key for key in value if key not in known]
    return found + [key for name in value if name in known for key in strange(value[name], known[name])]


def test_volumes_mounts_and_rules_are_well_formed():
    rules = SINGLEUSER["networkPolicy"]["egress"] + VALUES["hub"]["networkPolicy"]["ingress"]
    assert strange(STORAGE["extraVolumes"], OBJECTS["volume"]) == []
    assert strange(STORAGE["extraVolumeMounts"], OBJECTS["mount"]) == []
    assert strange(rules, OBJECTS["rule"]) == []
    assert {it["name"] for it in STORAGE["extraVolumes"]} == {it["name"] for it in STORAGE["extraVolumeMounts"]}
    assert strange([{"name": "a", "emptyDir": {"sizelimit": 1}}], OBJECTS["volume"]) == ["sizelimit"]


def test_shared_memory_is_memory_and_data_are_only_read():
    volumes = {it["name"]: it for it in STORAGE["extraVolumes"]}
    mounts = {it["mountPath"]: it for it in STORAGE["extraVolumeMounts"]}
    assert volumes[mounts["/dev/shm"]["name"]]["emptyDir"]["medium"] == "Memory"
    data = mounts[SINGLEUSER["extraEnv"]["DLCOURSE_DATA"]]
    assert data["readOnly"] is volumes[data["name"]]["persistentVolumeClaim"]["readOnly"] is True


def test_no_folder_is_shared_for_writing():
    claims = [it["persistentVolumeClaim"] for it in STORAGE["extraVolumes"] if "persistentVolumeClaim" in it]
    assert all(claim["readOnly"] for claim in claims)
    assert STORAGE.get("type", "dynamic") == "dynamic"  # a claim for each person


def test_a_learner_reaches_names_the_hub_and_the_exchange_only():
    policy = SINGLEUSER["networkPolicy"]
    assert policy["enabled"] is True
    rules = documented()["singleuser"]["networkPolicy"]["egressAllowRules"]
    assert set(policy["egressAllowRules"]) == set(rules)  # none is left to the chart's default
    allowed = {name for name, on in policy["egressAllowRules"].items() if on}
    assert allowed == {"dnsPortsKubeSystemNamespace", "dnsPortsPrivateIPs"}
    ngshare = {"podSelector": {"matchLabels": {"app.kubernetes.io/name": "ngshare"}}}
    assert policy["egress"] == [{"to": [ngshare], "ports": [{"port": 8080, "protocol": "TCP"}]}]


# --- sizes, images --------------------------------------------------------------------------------------------------


def gigabytes(size: str) -> float:
    return float(re.fullmatch(r"([\d.]+)G", size)[1])


def test_a_chapter_and_its_server_fit_into_the_limit():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    peaks = [float(peak) for peak in re.findall(r"\| \d+ s, ([\d.]+) GB \|", readme)]
    assert len(peaks) > 10
    assert gigabytes(SINGLEUSER["memory"]["limit"]) >= max(peaks) + 0.2  # GB; the server beside the kernel
    overrides = SINGLEUSER["profileList"][1]["kubespawner_override"]
    for low, high in (
        (SINGLEUSER["memory"]["guarantee"], SINGLEUSER["memory"]["limit"]),
        (overrides["mem_guarantee"], overrides["mem_limit"]),
    ):
        assert gigabytes(low) <= gigabytes(high)
    assert SINGLEUSER["cpu"]["guarantee"] <= SINGLEUSER["cpu"]["limit"]


def test_the_image_is_this_version_and_its_owner_stands_in_one_place():
    images = VALUES["custom"]["images"]
    assert SINGLEUSER["image"] == {"name": images["cpu"], "tag": __version__}
    assert images["gpu"] == f"{images['cpu']}:{__version__}-gpu"
    assert SINGLEUSER["profileList"][1]["kubespawner_override"]["image"] == images["gpu"]
    place = TEXT.index("custom:\n"), TEXT.index("  # Who sees")
    assert [it.start() for it in re.finditer("OWNER", TEXT) if not place[0] < it.start() < place[1]] == []


def test_the_images_hub_is_the_charts():
    chart, hub = re.search(r"Zero to JupyterHub\", ([\d.]+) \(its hub is JupyterHub ([\d.]+)\)", TEXT).groups()
    guide = (ROOT / "deploy/kubernetes.md").read_text(encoding="utf-8")
    assert f"(https://z2jh.jupyter.org), {chart}, " in guide
    assert f"--version {chart} " in guide
    assert f"ARG JUPYTERHUB={hub}\n" in (ROOT / "deploy/jupyterhub/Dockerfile").read_text()
    assert f"changelog up\n# to {chart} " in (HERE / "chart_keys.txt").read_text()


def test_the_example_of_a_shared_gpu_is_about_the_profiles_resource():
    example = yaml.safe_load(commented("  version: v1", "          replicas: 8"))
    (resource,) = example["sharing"]["timeSlicing"]["resources"]
    overrides = SINGLEUSER["profileList"][1]["kubespawner_override"]
    assert set(overrides["extra_resource_limits"]) == {resource["name"]}
    assert overrides["extra_resource_limits"] == overrides["extra_resource_guarantees"]
    assert (example["version"], resource["replicas"]) == ("v1", 8)
