"""Devices, and how many cores and how much memory a process may use.

The cgroup files are made up: no real limit is touched.
"""

import os
import subprocess
import sys
from types import SimpleNamespace

import psutil
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


MEMINFO = {"proc/meminfo": "MemTotal:       16000 kB\nMemFree:         2000 kB\nMemAvailable:   12000 kB\n"}
KB = 1024
V2_STAT = "anon 500\nfile 900\ninactive_file {}\nactive_file {}\nfile_mapped {}\nshmem 70\n"
V1_STAT = (
    "cache 1\nmapped_file 1\ninactive_file 1\nactive_file 1\n"
    "total_cache 9\ntotal_mapped_file {2}\ntotal_inactive_file {0}\ntotal_active_file {1}\n"
)


def v2(path: str, limit: object, usage: int, *files: int) -> dict[str, str]:
    """A cgroup of version 2; `files` says how many bytes of files it holds: read once, read often, mapped."""
    folder = f"sys/fs/cgroup{path}"
    return {
        f"{folder}/memory.max": f"{limit}\n",
        f"{folder}/memory.current": f"{usage}\n",
        f"{folder}/memory.stat": V2_STAT.format(*(files or (0, 0, 0))),
    }


def v1(path: str, limit: int, usage: int, *files: int) -> dict[str, str]:
    folder = f"sys/fs/cgroup/memory{path}"
    return {
        f"{folder}/memory.limit_in_bytes": f"{limit}\n",
        f"{folder}/memory.usage_in_bytes": f"{usage}\n",
        f"{folder}/memory.stat": V1_STAT.format(*(files or (0, 0, 0))),
    }


IN_V2 = {"proc/self/cgroup": "0::/pod/box\n"}
NO_LIMIT = 9223372036854771712  # what version 1 says when there is none


@pytest.mark.parametrize(
    ("files", "limit", "budget"),
    [
        pytest.param({}, 16000 * KB, 12000 * KB, id="no cgroups at all"),
        pytest.param({"proc/self/cgroup": "0::/\n"}, 16000 * KB, 12000 * KB, id="v2, no limit file at the root"),
        pytest.param({**IN_V2, **v2("/pod/box", "max", 7000)}, 16000 * KB, 12000 * KB, id="v2, no limit"),
        pytest.param({**IN_V2, **v2("/pod/box", 9000, 7000)}, 9000, 2000, id="v2, own limit"),
        pytest.param({**IN_V2, **v2("", 9000, 7000)}, 9000, 2000, id="v2, container sees the topmost only"),
        pytest.param(
            {**IN_V2, **v2("/pod/box", 9000, 1000), **v2("/pod", 8000, 7500)}, 8000, 500, id="v2, the pod is stricter"
        ),
        pytest.param(
            {**IN_V2, **v2("/pod/box", 5000, 1000), **v2("/pod", 8000, 7500)}, 5000, 500, id="v2, the pod is fuller"
        ),
        pytest.param({**IN_V2, **v2("/pod/box", 9000, 7000, 3000, 0, 0)}, 9000, 5000, id="v2, files read once"),
        pytest.param({**IN_V2, **v2("/pod/box", 9000, 7000, 0, 3000, 0)}, 9000, 5000, id="v2, files read often"),
        pytest.param({**IN_V2, **v2("/pod/box", 9000, 7000, 2000, 1000, 900)}, 9000, 4100, id="v2, mapped files stay"),
        pytest.param({**IN_V2, **v2("/pod/box", 9000, 7000, 100, 0, 900)}, 9000, 2000, id="v2, shared memory mapped"),
        pytest.param({**IN_V2, **v2("/pod/box", 9000, 9500)}, 9000, 0, id="v2, over the limit for a moment"),
        pytest.param(
            {**IN_V2, **v2("/pod/box", 15000 * KB, 0)}, 15000 * KB, 12000 * KB, id="v2, the machine has less left"
        ),
        pytest.param(
            {**IN_V2, **v2("/pod/box", 64000 * KB, 0)}, 16000 * KB, 12000 * KB, id="v2, the machine is smaller"
        ),
        pytest.param(
            {
                **IN_V2,
                **{name: text for name, text in v2("/pod/box", 9000, 7000).items() if not name.endswith("stat")},
            },
            9000,
            2000,
            id="v2, a system that says nothing of files",
        ),
        pytest.param({**V1, **v1("/box", NO_LIMIT, 7000)}, 16000 * KB, 12000 * KB, id="v1, no limit"),
        pytest.param({**V1, **v1("/box", 9000, 7000)}, 9000, 2000, id="v1, own limit"),
        pytest.param({**V1, **v1("", 9000, 7000)}, 9000, 2000, id="v1, container sees the topmost only"),
        pytest.param({**V1, **v1("/box", 9000, 1000), **v1("", 9500, 9000)}, 9000, 500, id="v1, the one above is full"),
        pytest.param({**V1, **v1("/box", 9000, 7000, 2000, 1000, 900)}, 9000, 4100, id="v1, mapped files stay"),
        pytest.param(
            {"proc/self/cgroup": "4:memory:/box\n0::/\n", **v1("/box", 9000, 7000)},
            9000,
            2000,
            id="both versions mounted",
        ),
    ],
)
def test_memory_limit_and_budget(tmp_path, files, limit, budget):
    for name, text in {**MEMINFO, **files}.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert device.machine_memory(tmp_path) == 16000 * KB
    assert device.memory_limit(tmp_path) == limit
    assert device.memory_budget(tmp_path) == budget


def test_memory_where_there_is_no_proc(tmp_path, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=8000, available=3000))
    assert (device.machine_memory(tmp_path), device.memory_limit(tmp_path)) == (8000, 8000)
    assert device.memory_budget(tmp_path) == 3000
    assert device.memory_groups(tmp_path) == []


def test_the_real_memory_is_sensible():
    assert 0 < device.memory_budget() <= device.memory_limit() <= device.machine_memory()
    assert device.machine_memory() == pytest.approx(psutil.virtual_memory().total, rel=0.01)


def test_counting_cores_and_memory_loads_no_torch():
    code = (
        "import sys; from dlcourse.device import cpu_budget, memory_budget; cpu_budget(), memory_budget()\n"
        "assert 'torch' not in sys.modules"
    )
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
