"""What a JupyterHub starts for a person: their course brought up to date, then their own Jupyter server.

    python -m dlcourse.course.hub [OPTION FOR JUPYTERHUB-SINGLEUSER ...]

The hub starts this as the person, never as root, so what it writes lands in their home with their own rights. A
learner's server shows ~/dlcourse-work and has none of nbgrader's menus for instructors. An instructor's shows the home,
and runs in the course folder ~/dlcourse if there is one, for formgrader reads the settings of the folder it runs in.

The hub says by DLCOURSE_ROLE=instructor who is one. That chooses menus and nothing else: a learner can say it too, in a
terminal. What a person may read is for the rights of files to decide.
"""

import contextlib
import os
import stat
import sys
import tempfile
from datetime import datetime
from pathlib import Path

from dlcourse.course import lab
from dlcourse.course.errors import CourseError
from dlcourse.course.sync import RECORD, sync
from dlcourse.device import cpu_budget

FOLDER = "dlcourse-work"  # below the person's home
NEWS = "updates.md"
HEAD = "# Updates of your course\n\nA file that you changed stays as it is; its new edition is put beside it.\n"
READ_NEWS = f"/lab/tree/{NEWS}"  # shown as a page: labconfig/default_setting_overrides.json
WHERE_YOU_LEFT = "/lab"
MEMORY = "/dev/shm"  # a place of files that takes no disk
OPTIONS = (
    # By default server and kernel talk over ports of the machine, and every account may listen there to what a kernel
    # prints and to the code that it runs. Sockets that are files in a closed folder are for their owner only.
    "--KernelManager.transport=ipc",
    # Not a login shell: on Debian that one forgets PATH, and with it `dlcourse` and `nbgrader`.
    f"--ServerApp.terminado_settings=shell_command={[os.environ.get('SHELL') or '/bin/sh']}",
    # The environment is not theirs to change, and the panel would ask a package index for its list.
    "--LabApp.extension_manager=readonly",
)


def bring_up_to_date(folder: Path, when: datetime) -> str:
    """Sync a person's copy of the course; which address in JupyterLab opens then.

    The start notebook on the first day, `updates.md` after an update, else what was open last. Whatever goes wrong
    here is told, in the server's log and in `updates.md`, and keeps nobody from their files.
    """
    first = not (folder / RECORD).is_file()
    try:
        said = sync(folder).lines()
    except CourseError as error:
        said = ["The course could not be brought up to date:", str(error)]
    print("dlcourse:", *said, sep="\n", flush=True)
    if len(said) == 1:
        return WHERE_YOU_LEFT
    told = write_news(folder, said, when)
    if first and (folder / lab.START).is_file():
        return f"/lab/tree/{lab.START}"
    return READ_NEWS if told else WHERE_YOU_LEFT


def write_news(folder: Path, said: list[str], when: datetime) -> bool:
    """Put an entry on top of the folder's updates.md; False when it says what the last one said, or cannot be written.

    A file that cannot be read is told of at each start, and need not be read each time.
    """
    path, aside = folder / NEWS, folder / RECORD.parent / NEWS
    news = f"{said[0]}\n\n" + "".join(f"- {line.strip()}\n" for line in said[1:])
    try:
        earlier = path.read_text(encoding="utf-8", errors="replace").removeprefix(HEAD) if path.is_file() else ""
        if earlier.partition("\n\n")[2].startswith(news):
            return False
        aside.write_text(f"{HEAD}\n## {when:%Y-%m-%d %H:%M}\n\n{news}{earlier}", encoding="utf-8")
        os.replace(aside, path)
    except OSError as error:
        print(f"dlcourse: {path} could not be written: {error}", file=sys.stderr)
        return False
    return True


def environment(home: Path, opened: str) -> dict[str, str]:
    """What the server and its kernels need beside what the hub gave them."""
    role = "instructor" if is_instructor() else "learner"
    given = lab.surroundings()
    given = {
        **given,
        **runtime_folder(),
        "JUPYTER_PATH": os.pathsep.join([str(lab.SETTINGS / "hub"), given["JUPYTER_PATH"]]),
        "JUPYTER_CONFIG_PATH": os.pathsep.join([str(lab.SETTINGS / role), given["JUPYTER_CONFIG_PATH"]]),
        # For whatever asks before a notebook's use_threads: of a machine's 64 cores the hub may give a person two.
        "OMP_NUM_THREADS": str(cpu_budget()),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]),
    }
    if is_instructor():
        return {**given, "JUPYTERHUB_ROOT_DIR": str(home), "JUPYTERHUB_DEFAULT_URL": "/lab"}
    return {
        **given,
        "JUPYTERHUB_ROOT_DIR": str(home / FOLDER),
        "JUPYTERHUB_DEFAULT_URL": opened,
        "DLCOURSE_EXERCISES": str(home / FOLDER / "exercises"),  # where nbgrader hands in from
    }


def runtime_folder() -> dict[str, str]:
    """Where the kernels' sockets are (OPTIONS): a folder that only this person may enter, and what names it to Jupyter.

    Of memory, if the disk is full. With neither it is Jupyter's own, below the home, which is closed too. There a
    kernel may not start (a socket's path holds 107 letters, and homes may be deep); but a person sees their files, and
    can make room.
    """
    for place in (tempfile.gettempdir, lambda: MEMORY):
        try:
            return {"JUPYTER_RUNTIME_DIR": str(own_folder(Path(place())))}
        except OSError as error:  # of gettempdir too, which tries to write
            print(f"dlcourse: no folder for kernels' sockets: {error}", file=sys.stderr)
    return {}


def own_folder(place: Path) -> Path:
    """A closed folder of this account's in a place where all may write: the same at each start, so that none pile up.

    Whoever makes the name first, or a link of that name, gets nothing: then it is a new one. Raises OSError.
    """
    folder = place / f"jupyter-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077:
        return folder
    return Path(tempfile.mkdtemp(prefix="jupyter-", dir=place))


def is_instructor() -> bool:
    return os.environ.get("DLCOURSE_ROLE") == "instructor"


def main(arguments: list[str]) -> None:
    """Sync, then become jupyterhub-singleuser, on a port that is held for this person."""
    home = Path.home()
    opened = bring_up_to_date(home / FOLDER, datetime.now())
    os.environ.update(environment(home, opened))
    course = home / "dlcourse"
    os.chdir(course if is_instructor() and (course / "nbgrader_config.py").is_file() else home)
    sys.stdout.flush()
    # -P: not the instructor's clone, which may be of an older edition, nor what somebody called tornado.py.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "dlcourse.course.server_port", *OPTIONS, *arguments])


if __name__ == "__main__":
    main(sys.argv[1:])
