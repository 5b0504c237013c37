"""A machine of several people for the tests: users with homes, a /etc, a /home and a /srv of its own.

Each command runs as one of the users in a mount namespace in which three folders of a temporary one lie over /etc,
/home and /srv. So `getpwuid` knows the users, settings may be written to /etc, and nothing of the real machine changes:
what is left after kill -9 is a folder in /tmp. Whatever Python needs and an ordinary user may not reach (a Python below
/root, say) is shown to them at its own path. Linux, and root, only.
"""

import os
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOT = Path(__file__).parents[2]
COURSE = ("dlcourse", "chapters", "exercises", "solutions", "glossary.toml", "nbgrader_config.py", "pyproject.toml")
FIRST = 64_001  # the first user's number; the kernel does not mind that nobody has it outside
COVERED = ("etc", "home", "srv")


def unfit() -> str | None:
    """Why such a machine cannot be made here, or None."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "several users need root on Linux"
    if missing := [name for name in ("unshare", "mount", "setpriv") if shutil.which(name) is None]:
        return f"{', '.join(missing)} is not installed"
    tried = subprocess.run(["unshare", "--mount", "true"], capture_output=True, text=True, check=False)
    return f"no mount namespace may be made here: {tried.stderr.strip()}" if tried.returncode else None


class Server:
    def __init__(self, process: subprocess.Popen):
        self.process, self.printed = process, ""

    def wait_for(self, pattern: str, seconds: float = 120) -> re.Match:
        """The first thing printed that matches. Raises AssertionError when it ends, or says nothing like it in time."""
        deadline = time.monotonic() + seconds
        while not (found := re.search(pattern, self.printed)):
            assert time.monotonic() < deadline, self.printed
            if select.select([self.process.stdout], [], [], 1)[0]:
                text = os.read(self.process.stdout.fileno(), 65_536).decode(errors="replace")
                assert text, f"it ended: {self.printed}"
                self.printed += text
        return found


class World:
    """`run(user, script)` is `sh -e` as that user, at home; `home(user)` is that home as this process sees it."""

    def __init__(self, *users: str):
        # Not pytest's folder: that is closed to other users.
        self.folder = Path(tempfile.mkdtemp(prefix="dlcourse-world-"))
        self.folder.chmod(0o755)
        self.numbers = {user: FIRST + index for index, user in enumerate(users)} | {"root": 0}
        shutil.copytree("/etc", self.folder / "etc", symlinks=True, ignore_dangling_symlinks=True)
        for name in ("home", "srv", "held"):
            (self.folder / name).mkdir()
        with (self.folder / "etc/passwd").open("a") as passwd, (self.folder / "etc/group").open("a") as group:
            for user in users:
                number = self.numbers[user]
                print(f"{user}:x:{number}:{number}::/home/{user}:/bin/sh", file=passwd)
                print(f"{user}:x:{number}:", file=group)
                self.home(user).mkdir(mode=0o700)
                os.chown(self.home(user), number, number)
        script = self.folder / "enter.sh"
        script.write_text(self._entrance(), encoding="utf-8")
        self.entrance = ["unshare", "--mount", "--propagation", "private", "sh", "-e", str(script)]

    def _entrance(self) -> str:
        """Lays the folders over the machine's, then becomes the user: enter.sh NUMBER COMMAND..."""
        needed = sorted({Path(sys.prefix), Path(sys.base_prefix).resolve()})
        hidden = {Path("/", name) for name in COVERED}
        closed = {
            folder
            for path in needed
            for folder in [*reversed(path.parents), path]
            if not folder.stat().st_mode & 0o001 and not folder.is_relative_to(self.folder)
        }
        lines = []
        for index, path in enumerate(needed):
            held = self.folder / "held" / str(index)
            held.mkdir()
            lines.append(f"mount --bind {shlex.quote(str(path))} {held}")
        lines += [f"mount --bind {self.folder}/{name} /{name}" for name in COVERED]
        outermost = {folder for folder in closed if not any(other in folder.parents for other in closed)}
        lines += [f"mount -t tmpfs -o mode=755 none {shlex.quote(str(folder))}" for folder in sorted(outermost)]
        for index, path in enumerate(needed):
            if any(path.is_relative_to(folder) for folder in hidden | outermost):
                place = shlex.quote(str(path))
                lines += [f"mkdir -p {place}", f"mount --bind {self.folder}/held/{index} {place}"]
        lines += [
            "number=$1; shift",
            'exec setpriv --reuid "$number" --regid "$number" --clear-groups --inh-caps=-all --no-new-privs "$@"',
        ]
        return "\n".join(lines) + "\n"

    def home(self, user: str) -> Path:
        return self.folder / "home" / user

    def command(self, user: str, script: str, folder: str = "", **environment: str) -> list[str]:
        """The command line that runs a shell script as `user`, from a folder of the home."""
        number = self.numbers[user]
        home = "/root" if user == "root" else f"/home/{user}"
        settings = {
            "PATH": os.pathsep.join([str(Path(sys.prefix, "bin")), "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOME": home,
            "USER": user,
            "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1",
            **environment,
        }
        pairs = [f"{name}={value}" for name, value in settings.items()]
        place = "/" if user == "root" else os.path.join(home, folder)
        into = ["env", "-i", f"--chdir={place}", *pairs, "sh", "-ec", f"umask 022\n{script}"]
        return [*self.entrance, str(number), *into]

    def run(
        self, user: str, script: str, folder: str = "", *, status: int = 0, seconds: float = 600, **environment: str
    ) -> str:
        """What the script printed, both streams in order. Raises AssertionError when it ends with another status."""
        line = self.command(user, script, folder, **environment)
        done = subprocess.run(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=seconds
        )
        assert done.returncode == status, f"{user}: {script}\nended with {done.returncode}:\n{done.stdout}"
        return done.stdout

    @contextmanager
    def server(self, user: str, script: str, folder: str = "", **environment: str) -> Iterator["Server"]:
        """A script that keeps running, and what it prints; it and its children end with the block."""
        line = self.command(user, script, folder, **environment)
        with subprocess.Popen(
            line, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True
        ) as process:
            try:
                yield Server(process)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)

    def give(self, user: str, path: Path) -> None:
        """Make a file or folder of the world the user's own."""
        number = self.numbers[user]
        for each in [path, *path.rglob("*")] if path.is_dir() else [path]:
            os.chown(each, number, number, follow_symlinks=False)

    def course_of(self, user: str) -> Path:
        """A copy of this checkout in ~/dlcourse, the user's own."""
        course = self.home(user) / "dlcourse"
        course.mkdir()
        for name in COURSE:
            if (ROOT / name).is_dir():
                shutil.copytree(ROOT / name, course / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / name, course)
        self.give(user, course)
        return course

    def remove(self) -> None:
        shutil.rmtree(self.folder)
