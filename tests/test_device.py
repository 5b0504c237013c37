"""Devices, and how many cores a process may use. The cgroup files are made up: no real limit is touched."""

import os
import subprocess
import sys

import pytest
import torch

from dlcourse import device


@pytest.fixture
def machine(monkeypatch):
    """`machine(cuda=2, mps=1)`: pretend that the machine has these accelerators."""

    def pretend(**counts):
        monkeypatch.setattr(device, "_count", lambda kind: {"cpu": 1, **counts}.get(kind, 0))

    monkeypatch.delenv("DLCOURSE_DEVICE", raising=False)
    return pretend


@pytest.mark.parametrize(
    ("present", "wanted", "chosen"),
    [
        ({}, None, "cpu"),
        ({"mps": 1}, None, "mps"),
        ({"cuda": 1}, None, "cuda"),
        ({"cuda": 1, "mps": 1}, None, "cuda"),
        ({"cuda": 1}, "cpu", "cpu"),
        ({"cuda": 2}, "cuda:1", "cuda:1"),
        ({"cuda": 1, "mps": 1}, " MPS ", "mps"),
        ({}, "", "cpu"),
    ],
)
def test_default_device(machine, monkeypatch, present, wanted, chosen):
    machine(**present)
    if wanted is not None:
        monkeypatch.setenv("DLCOURSE_DEVICE", wanted)
    assert device.default_device() == torch.device(chosen)


@pytest.mark.parametrize(
    ("present", "wanted", "words"),
    [
        ({}, "cuda", ["'cuda'", "no such device", "Present here: cpu."]),
        ({"cuda": 1}, "cuda:1", ["'cuda:1'", "no such device", "Present here: cpu, cuda."]),
        ({}, "mps", ["no such device"]),
        ({}, "gpu", ["'gpu'", "no device that the course knows", "leave it unset"]),
        ({"cuda": 1}, "cuda:", ["no device that the course knows"]),
        ({"cuda": 1}, "cuda:-1", ["no device that the course knows"]),
        ({}, "meta", ["no device that the course knows"]),
    ],
)
def test_a_wrong_device_is_refused_plainly(machine, monkeypatch, present, wanted, words):
    machine(**present)
    monkeypatch.setenv("DLCOURSE_DEVICE", wanted)
    with pytest.raises(ValueError, match="DLCOURSE_DEVICE") as caught:
        device.default_device()
    assert all(word in str(caught.value) for word in words), caught.value


def test_it_counts_what_torch_can_use():
    assert device._count("cpu") == 1
    assert device._count("cuda") == torch.cuda.device_count()
    assert device._count("mps") == torch.backends.mps.is_available()
    assert device.default_device().type in ("cpu", *device.ACCELERATORS)


V1 = {"proc/self/cgroup": "3:memory:/box\n2:cpu,cpuacct:/box/one\n1:name=systemd:/box\n"}
V1_FOLDER = "sys/fs/cgroup/cpu,cpuacct"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        pytest.param({}, 64, id="no cgroups at all"),
        pytest.param({"proc/self/cgroup": "0::/\n"}, 64, id="v2, no limit file at the root"),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "max 100000\n"}, 64, id="v2, no limit"),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "200000 100000\n"}, 2, id="v2, container"),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "290000 100000\n"}, 2, id="v2, rounded down"
        ),
        pytest.param({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "20000 100000\n"}, 1, id="v2, a fifth"),
        pytest.param(
            {"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/cpu.max": "9900000 100000\n"}, 64, id="v2, above affinity"
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/user.slice/job:1\n",
                "sys/fs/cgroup/user.slice/cpu.max": "300000 100000\n",
                "sys/fs/cgroup/user.slice/job:1/cpu.max": "800000 100000\n",
            },
            3,
            id="v2, the group above is stricter",
        ),
        pytest.param(
            {"proc/self/cgroup": "0::/../other\n", "sys/fs/cgroup/cpu.max": "400000 100000\n"},
            4,
            id="v2, outside its namespace",
        ),
        pytest.param(V1, 64, id="v1, no files"),
        pytest.param(
            {
                **V1,
                f"{V1_FOLDER}/box/one/cpu.cfs_quota_us": "-1\n",
                f"{V1_FOLDER}/box/one/cpu.cfs_period_us": "100000\n",
            },
            64,
            id="v1, no limit",
        ),
        pytest.param(
            {
                **V1,
                f"{V1_FOLDER}/box/one/cpu.cfs_quota_us": "250000\n",
                f"{V1_FOLDER}/box/one/cpu.cfs_period_us": "50000\n",
            },
            5,
            id="v1, own limit",
        ),
        pytest.param(
            {**V1, f"{V1_FOLDER}/cpu.cfs_quota_us": "150000\n", f"{V1_FOLDER}/cpu.cfs_period_us": "100000\n"},
            1,
            id="v1, container sees the topmost only",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "2:cpu,cpuacct:/box\n0::/\n",
                f"{V1_FOLDER}/box/cpu.cfs_quota_us": "600000\n",
                f"{V1_FOLDER}/box/cpu.cfs_period_us": "100000\n",
            },
            6,
            id="both versions mounted",
        ),
    ],
)
def test_cpu_budget(tmp_path, monkeypatch, files, cores):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert device.cpu_budget(tmp_path) == cores


def test_affinity_counts(tmp_path, monkeypatch):
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("0::/\n")
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/cpu.max").write_text("800000 100000\n")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {3, 5}, raising=False)
    assert device.cpu_budget(tmp_path) == 2
    monkeypatch.delattr(os, "sched_getaffinity")  # as on macOS and Windows
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    assert device.cpu_budget(tmp_path) == 4
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert device.cpu_budget(tmp_path) == 1


def test_the_real_budget_is_sensible():
    assert 1 <= device.cpu_budget() <= os.cpu_count()


def test_use_threads(monkeypatch):
    before = torch.get_num_threads()
    try:
        assert device.use_threads(2) == torch.get_num_threads() == 2
        monkeypatch.setattr(device, "cpu_budget", lambda: 3)
        assert device.use_threads() == torch.get_num_threads() == 3
        with pytest.raises(ValueError, match=r"use_threads\(0\)"):
            device.use_threads(0)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_counting_cores_loads_no_torch():
    code = "import sys; from dlcourse.device import cpu_budget; cpu_budget(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_data_put_on_the_default_device_stays_there(device):
    from dlcourse import generator, models, nn

    x = torch.randn(6, 2, generator=generator(0, like=torch.empty(0, device=device)), device=device)
    step = models.logistic(x, (x[:, 0] > 0).float(), lr=0.1, steps=2)
    assert {t.device.type for t in (step.weight, step.bias, nn.softmax(x), nn.relu(x))} == {device.type}


def test_the_global_stream_is_saved_and_put_back(device):
    from dlcourse.device import random_state, set_random_state

    state = random_state(device)
    first = torch.rand(3, device=device)
    set_random_state(device, state)
    assert torch.equal(torch.rand(3, device=device), first)


@pytest.mark.parametrize("kind", ["cuda", "mps"])
def test_an_accelerators_stream_is_its_own(monkeypatch, kind):
    """No accelerator needed: its module of torch is made up."""
    state = torch.arange(3, dtype=torch.uint8, device="cpu")
    put = []
    monkeypatch.setattr(f"torch.{kind}.get_rng_state", lambda *where: state)
    monkeypatch.setattr(f"torch.{kind}.set_rng_state", lambda *given: put.append(given))
    there = torch.device(kind, 1) if kind == "cuda" else torch.device(kind)
    before = torch.get_rng_state()
    assert device.random_state(there) is state
    device.set_random_state(there, state)
    assert put == [(state, there) if kind == "cuda" else (state,)]
    assert torch.equal(torch.get_rng_state(), before)
