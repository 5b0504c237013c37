"""Open the course in JupyterLab, with this interpreter and with nothing fetched from the network."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from dlcourse.course.errors import CourseError
from dlcourse.course.sync import RECORD

START = "chapters/00-start.ipynb"
# JupyterLab's announcements would ask every learner about news from its makers and look for updates at each start;
# the settings in this folder turn them off, for the course's own JupyterLab only. Its `kernels/` holds the kernel that
# notebooks ask for: this interpreter, with what dlcourse.course.kernel adds.
SETTINGS = Path(__file__).parent / "jupyter"


def default_folder() -> Path:
    """`dlcourse-work`, or the current folder where that is a learner's folder already."""
    return Path() if RECORD.is_file() else Path("dlcourse-work")


def command(folder: Path, *, browser: bool = True, port: int | None = None, extra: Sequence[str] = ()) -> list[str]:
    """The command line that opens `folder` in JupyterLab at the start notebook; `extra` comes last and wins."""
    line = [
        *(sys.executable, "-m", "jupyterlab"),
        f"--ServerApp.root_dir={folder.absolute()}",
        # The address that opens and the address that is printed; a file named instead is only opened.
        f"--LabApp.default_url=/lab/tree/{START}",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        line.append("--allow-root")  # in a container root is often the only user, and JupyterLab refuses it
    if not browser:
        line.append("--no-browser")
    if port is not None:
        line.append(f"--port={port}")
    return [*line, *extra]


def surroundings() -> dict[str, str]:
    """Environment variables that a Jupyter server of the course needs beside those that it has.

    Whoever starts a server in another way than `lab` (a hub, Binder) adds these too.
    """

    def first(variable: str) -> str:
        return os.pathsep.join(filter(None, [str(SETTINGS), os.environ.get(variable)]))

    return {
        "JUPYTER_CONFIG_PATH": first("JUPYTER_CONFIG_PATH"),
        "JUPYTER_PATH": first("JUPYTER_PATH"),
        # What is installed in the user's home, for another interpreter, gives way to what is beside this one.
        "JUPYTER_PREFER_ENV_PATH": os.environ.get("JUPYTER_PREFER_ENV_PATH", "1"),
    }


def lab(folder: Path, *, browser: bool = True, port: int | None = None, extra: Sequence[str] = ()) -> int:
    """Open `folder`, already synced, and stay until JupyterLab stops.

    On Linux and macOS this process becomes JupyterLab, so Ctrl-C and exit status are its own; on Windows it is waited
    for. Raises CourseError when JupyterLab is not installed for this interpreter.
    """
    if importlib.util.find_spec("jupyterlab") is None:
        raise CourseError(
            f"Opening the course needs JupyterLab, which {sys.executable} does not have. "
            f'Install it with: "{sys.executable}" -m pip install jupyterlab'
        )
    line = command(folder, browser=browser, port=port, extra=extra)
    environment = {**os.environ, **surroundings()}
    sys.stdout.flush()
    if os.name == "nt":  # where exec would hand the terminal back at once
        return subprocess.call(line, env=environment)
    os.execve(line[0], line, environment)
