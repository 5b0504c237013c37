"""Is this machine ready for the course? Every row says what was found and, where something is amiss, what to do."""

import importlib.util
import os
import platform
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Verdict = Literal["ok", "warning", "fault"]

GB = 1e9
CPU_ONLY = (
    "A CPU-only torch is smaller and does the same here: `uv pip install --torch-backend=cpu torch`, or pip with "
    "torch's own CPU index, or conda-forge's pytorch-cpu"
)
MEMORY_WANTED = 2 * GB  # the largest chapter, JupyterLab and a browser together
DISK_NEEDED, DISK_WANTED = 0.1 * GB, 1 * GB  # notebooks with their outputs; the largest data set
LAB_EXTENSIONS = {"@jupyter-widgets/jupyterlab-manager": "jupyterlab_widgets", "anywidget": "anywidget"}


@dataclass(frozen=True)
class Row:
    """One thing looked at."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""  # what to do; empty when all is well


def rows() -> list[Row]:
    """Everything looked at, in the order in which things are needed. Nothing is changed and nothing fetched."""
    return [*_for_learners(), _sandbox()]


def _for_learners() -> list[Row]:
    return [_python(), *_torch(), _cores(), _memory(), _disk(), _jupyterlab(), *_extensions(), _kernel(), _cache()]


def line() -> None:
    """Prints one line when all is well; else a line for each thing that is not. Of what a learner needs."""
    looked_at = _for_learners()
    amiss = [row for row in looked_at if row.verdict != "ok"]
    if not amiss:
        found = {row.name: row.found for row in looked_at}
        print(f"All is well: {found['torch']} on {found['device']}, {found['cores']}, {found['memory']}.")
    for row in amiss:
        print(f"{row.verdict}: {row.name}: {row.found}. {row.advice}.")


def _python() -> Row:
    return Row("Python", "ok", f"{platform.python_version()} at {sys.executable}")  # pip refuses older ones


def _torch() -> list[Row]:
    try:
        import torch
    except (ImportError, OSError) as error:  # OSError: a library that torch is made of cannot be loaded
        advice = f"Install it with `{sys.executable} -m pip install torch`. {CPU_ONLY}"
        return [Row("torch", "fault", f"cannot be imported: {error}", advice)]
    from dlcourse.device import default_device

    found = f"torch {torch.__version__}"
    built_for = torch.accelerator.current_accelerator()  # of the build, there or not
    build = Row("torch", "ok", found)
    if built_for is not None and not torch.accelerator.is_available():
        found = f"{found}, built for {built_for.type}, finds no such device"
        build = Row("torch", "warning", found, f"Everything runs on the CPU. {CPU_ONLY}")
    try:
        device = default_device()
    except (ValueError, RuntimeError) as error:
        return [build, Row("device", "fault", str(error), "Change or unset DLCOURSE_DEVICE")]
    chosen = ", chosen by DLCOURSE_DEVICE" if os.environ.get("DLCOURSE_DEVICE") else ""
    return [build, Row("device", "ok", f"{device}{chosen}")]


def _cores() -> Row:
    from dlcourse.device import cpu_budget

    usable, all_of_them = cpu_budget(), os.cpu_count() or 1
    noun = "core" if usable == 1 else "cores"
    if usable < all_of_them:
        return Row("cores", "ok", f"{usable} {noun} of the machine's {all_of_them} (by affinity or a quota)")
    return Row("cores", "ok", f"{usable} {noun}")


def _memory() -> Row:
    from dlcourse.course.needs import needs
    from dlcourse.device import machine_memory, memory_budget, memory_limit

    needed = max(needs().values())
    total, machine = memory_limit(), machine_memory()
    free = min(memory_budget(), total)
    found = f"{free / GB:.1f} of {total / GB:.1f} GB of memory free"
    if total < machine:
        found += f" (a limit; the machine has {machine / GB:.1f} GB)"
    if total < needed:
        return Row("memory", "fault", found, f"A chapter takes up to {needed / GB:.1f} GB; raise the limit")
    if free < (MEMORY_WANTED if total == machine else needed):  # under a limit there is no browser beside it
        return Row("memory", "warning", found, "Close other programs, and shut down kernels that you no longer need")
    return Row("memory", "ok", found)


def _disk() -> Row:
    place = Path.cwd()
    free = shutil.disk_usage(place).free
    found = f"{free / GB:.1f} GB free at {place}"
    if free < DISK_NEEDED:
        return Row("disk", "fault", found, "Notebooks could not be saved here; make room or work elsewhere")
    if free < DISK_WANTED:
        return Row("disk", "warning", found, "Enough for the notebooks, not for the larger data sets; make room")
    return Row("disk", "ok", found)


def _jupyterlab() -> Row:
    from importlib.metadata import PackageNotFoundError, version

    try:
        found = version("jupyterlab")
    except PackageNotFoundError:
        advice = f"Install it with `{sys.executable} -m pip install jupyterlab`, or open the notebooks in what you have"
        return Row("JupyterLab", "fault", "not installed", advice)
    if int(found.partition(".")[0]) < 4:
        return Row("JupyterLab", "fault", found, f"`{sys.executable} -m pip install --upgrade jupyterlab`")
    return Row("JupyterLab", "ok", found)


def _extensions() -> list[Row]:
    """The lab extensions that draw widgets: they come with ordinary packages, no build step."""
    from jupyter_core.paths import jupyter_path

    places = [Path(place) for place in jupyter_path("labextensions")]
    # An environment's own folder counts even where the settings look elsewhere first.
    places.append(Path(sys.prefix, "share", "jupyter", "labextensions"))
    found = []
    for name, package in LAB_EXTENSIONS.items():
        if any((place / name / "package.json").is_file() for place in places):
            found.append(Row("widgets", "ok", f"{name} is there"))
        else:
            advice = f"Widgets will not show. `{sys.executable} -m pip install --force-reinstall --no-deps {package}`"
            found.append(Row("widgets", "fault", f"{name} is missing from JupyterLab's extensions", advice))
    return found


def _kernel() -> Row:
    """The kernel named python3 should run this interpreter: one installed in the user's home can hide ours."""
    if importlib.util.find_spec("ipykernel") is None:
        return Row("kernel", "fault", "ipykernel is not installed", f"`{sys.executable} -m pip install ipykernel`")
    from jupyter_client.kernelspec import KernelSpecManager

    spec = KernelSpecManager().get_kernel_spec("python3")
    program = spec.argv[0]
    # A bare name means the interpreter that runs JupyterLab.
    if os.sep not in program or Path(program).parent.resolve() == Path(sys.executable).parent.resolve():
        return Row("kernel", "ok", "python3 runs this Python")
    advice = (
        "Notebooks opened outside `dlcourse lab` may not find the course. "
        f"`{sys.executable} -m jupyter kernelspec remove python3` removes the other kernel"
    )
    return Row("kernel", "warning", f"python3 runs {program}", advice)


def _cache() -> Row:
    from dlcourse.data.download import cache_folder

    place = cache_folder()
    size = sum(path.stat().st_size for path in place.rglob("*") if path.is_file()) if place.is_dir() else 0
    found = f"{size / 1e6:.0f} MB in {place}"
    existing = next(folder for folder in (place, *place.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK):
        advice = (
            "Data sets cannot be kept there; set DLCOURSE_CACHE to a folder of yours, or DLCOURSE_DATA to a shared one"
        )
        return Row("data cache", "warning", f"{found}, not writable", advice)
    shared = os.environ.get("DLCOURSE_DATA")
    if shared and not Path(shared).expanduser().is_dir():
        advice = "Correct or unset it; data sets are looked for there first"
        return Row("data cache", "warning", f"DLCOURSE_DATA is {shared}, which is no folder", advice)
    return Row("data cache", "ok", found + (f"; {shared} first" if shared else ""))


def _sandbox() -> Row:
    """What an instructor needs, to run students' programs."""
    from dlcourse.course.grading.jail import sandbox as jail

    try:
        found = jail.probe()
    except jail.NoSandbox as error:
        advice = "Learners do not need it. To grade, use a Linux machine, or a container, that allows one"
        return Row("sandbox", "warning", f"none holds here: {'; '.join(str(error).splitlines())}", advice)
    tried = len(found.facts)
    return Row("sandbox", "ok", f"{found.name}: held in {tried} trials, costs {found.cost:.0f} ms a process")
