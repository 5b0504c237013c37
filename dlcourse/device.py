"""Where the sums are done: the accelerator, and how many CPU cores there really are.

This is the only file that names an accelerator. Functions of the package never take a device: they work where their
inputs live. A program picks a device once, with `default_device()`, and puts its data there.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch  # at run time only inside functions: counting cores must not load torch

ACCELERATORS = ("cuda", "mps")  # in the order of preference


def default_device() -> "torch.device":
    """The device to put data and models on: the fastest present, or the one that `DLCOURSE_DEVICE` names.

    `DLCOURSE_DEVICE` is `cpu`, `mps`, `cuda`, or `cuda:1` for the second GPU. Raises ValueError when it names a device
    that is unknown, or absent from this machine.
    """
    import torch

    wanted = os.environ.get("DLCOURSE_DEVICE", "").strip().lower()
    if wanted:
        return _named(wanted)
    return torch.device(next((name for name in ACCELERATORS if _count(name)), "cpu"))


def _named(wanted: str) -> "torch.device":
    """The device that the learner asked for by name, or an error that lists what there is."""
    import torch

    kind, colon, index = wanted.partition(":")
    advice = f"Present here: {', '.join(_present())}. Set DLCOURSE_DEVICE to one of them, or leave it unset."
    if kind not in ("cpu", *ACCELERATORS) or (colon and not index.isdecimal()):
        raise ValueError(f"DLCOURSE_DEVICE is {wanted!r}, which is no device that the course knows. {advice}")
    if int(index or 0) >= _count(kind):
        raise ValueError(f"DLCOURSE_DEVICE is {wanted!r}, but this machine has no such device. {advice}")
    return torch.device(wanted)


def _count(kind: str) -> int:
    """How many devices of a kind torch can use here."""
    import torch

    if kind == "cuda":
        return torch.cuda.device_count() if torch.cuda.is_available() else 0  # one may be there with a driver too old
    return int(torch.backends.mps.is_available()) if kind == "mps" else 1


def _present() -> list[str]:
    return [kind for kind in ("cpu", *ACCELERATORS) if _count(kind)]


def cpu_budget(root: Path = Path("/")) -> int:
    """CPU cores that this process may use: at least 1, loads no torch.

    The smaller of the cores it may run on (affinity) and its share of processor time (a container's cgroup quota,
    version 1 or 2). A quota of 2.5 cores counts as 2: a third thread would mostly wait. On JupyterHub or in a container
    `os.cpu_count()` counts the whole machine, and that many threads are far slower than the few one is given.
    `root` is the folder that holds `proc` and `sys`; tests pass another.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([cores, *(int(quota) for quota in _quotas(root))]))


def _quotas(root: Path) -> list[float]:
    """Each limit on processor time, in cores, that this process's cgroups and those above them set."""
    listing = root / "proc/self/cgroup"
    quotas = []
    for line in listing.read_text().splitlines() if listing.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers == "":  # version 2: one tree for everything
            quotas += [_quota_v2(folder) for folder in _folders(root / "sys/fs/cgroup", path)]
        elif "cpu" in controllers.split(","):  # version 1: a tree for each group of controllers
            quotas += [_quota_v1(folder) for folder in _folders(root / "sys/fs/cgroup" / controllers, path)]
    return [quota for quota in quotas if quota is not None]


def _folders(mount: Path, path: str) -> list[Path]:
    """The cgroup's folder and all above it; inside a container only the topmost may be visible."""
    below = Path(path.lstrip("/"))
    return [mount / below, *(mount / parent for parent in below.parents)]


def _quota_v2(folder: Path) -> float | None:
    """Cores allowed by `cpu.max`, which holds "max 100000" or "150000 100000": microseconds of work per period."""
    file = folder / "cpu.max"
    quota, period = file.read_text().split() if file.exists() else ("max", "1")
    return None if quota == "max" else int(quota) / int(period)


def _quota_v1(folder: Path) -> float | None:
    """Cores allowed by `cpu.cfs_quota_us` per `cpu.cfs_period_us`; a negative quota is none."""
    quota, period = folder / "cpu.cfs_quota_us", folder / "cpu.cfs_period_us"
    if not quota.exists() or int(quota.read_text()) < 0:
        return None
    return int(quota.read_text()) / int(period.read_text())


def memory_budget(root: Path = Path("/")) -> int:
    """Bytes of memory that this process may still take: at least 0, loads no torch.

    What the machine has available, or less: what the limit of a container leaves (of this process's cgroup and of each
    above it, version 1 or 2). Files that were read and that no program has mapped count as free, for they make room.
    `root` is the folder that holds `proc` and `sys`; tests pass another.
    """
    left = [_machine("MemAvailable", root), *(limit - _taken(folder) for folder, limit in _memory_limits(root))]
    return max(0, min(left))


def memory_limit(root: Path = Path("/")) -> int:
    """Bytes of memory that this process may hold, together with what shares its limit: a container's, or all there is.

    `root` is the folder that holds `proc` and `sys`; tests pass another.
    """
    return min([machine_memory(root), *(limit for _, limit in _memory_limits(root))])


def machine_memory(root: Path = Path("/")) -> int:
    """Bytes of memory that the machine has."""
    return _machine("MemTotal", root)


def _machine(entry: str, root: Path) -> int:
    """Bytes, by the name that Linux has for it; elsewhere psutil knows."""
    file = root / "proc/meminfo"
    if not file.exists():
        import psutil

        memory = psutil.virtual_memory()
        return {"MemTotal": memory.total, "MemAvailable": memory.available}[entry]
    return _table(file)[f"{entry}:"] * 1024


def memory_groups(root: Path = Path("/")) -> list[Path]:
    """The folders of the cgroups that limit this process's memory, its own first; none off Linux."""
    listing = root / "proc/self/cgroup"
    groups = []
    for line in listing.read_text().splitlines() if listing.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers == "" or "memory" in controllers.split(","):
            groups += _folders(root / "sys/fs/cgroup" / controllers, path)
    return groups


def _memory_limits(root: Path) -> list[tuple[Path, int]]:
    """Each cgroup with a limit on memory, and that limit in bytes."""
    found, machine = [], machine_memory(root)
    for folder in memory_groups(root):
        for name in ("memory.max", "memory.limit_in_bytes"):  # version 2, version 1
            text = (folder / name).read_text().strip() if (folder / name).exists() else "max"
            if text != "max" and int(text) < machine:  # without a limit, version 1 has a number beyond any memory
                found.append((folder, int(text)))
    return found


def _taken(folder: Path) -> int:
    """Bytes that a cgroup and those below it hold, less the files that could be dropped at once."""
    old = (folder / "memory.usage_in_bytes").exists()  # version 1
    usage = int((folder / ("memory.usage_in_bytes" if old else "memory.current")).read_text())
    stat = _table(folder / "memory.stat") if (folder / "memory.stat").exists() else {}
    once, often, mapped = (
        (stat.get("total_inactive_file", 0), stat.get("total_active_file", 0), stat.get("total_mapped_file", 0))
        if old
        else (stat.get("inactive_file", 0), stat.get("active_file", 0), stat.get("file_mapped", 0))
    )
    return usage - max(0, once + often - mapped)


def _table(file: Path) -> dict[str, int]:
    """The numbers of a file that has a name and a number on each line."""
    return {words[0]: int(words[1]) for words in map(str.split, file.read_text().splitlines())}


def use_threads(n: int | None = None) -> int:
    """Let torch use `n` CPU threads (default: `cpu_budget()`), and return that number. Raises ValueError below 1."""
    import torch

    n = cpu_budget() if n is None else n
    if n < 1:
        raise ValueError(f"use_threads({n}): torch needs at least one thread; leave n out to use every core allowed.")
    torch.set_num_threads(n)
    return n


def random_state(device: "torch.device") -> "torch.Tensor":
    """Where torch's global stream of random numbers on a device stands."""
    import torch

    if device.type == "cuda":
        return torch.cuda.get_rng_state(device)
    return torch.mps.get_rng_state() if device.type == "mps" else torch.get_rng_state()


def set_random_state(device: "torch.device", state: "torch.Tensor") -> None:
    """Put that stream where it stood when `state` was taken."""
    import torch

    if device.type == "cuda":
        torch.cuda.set_rng_state(state, device)
    elif device.type == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.set_rng_state(state)
