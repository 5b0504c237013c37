"""Submissions that write where they have no business. Their answers are right: a refused attempt costs nothing."""

from dlcourse_hostile import FULL, case

KEPT = "every answer is right, and what was tried beside it changed nothing"

TRY = """
import os, shutil


def attempt(*ways):
    for way in ways:
        try:
            way()
        except (OSError, ValueError, AttributeError, TypeError, NotImplementedError, shutil.Error):
            pass


def write(path, text="HOSTILE"):
    def way():
        with open(path, "w") as file:
            file.write(text)

    return way
"""


def trying(hand, source):
    """The attempts run in a cell before the first answer and once more in the sigmoid's call."""
    body = "\n".join("    " + line for line in hand.code(source).splitlines())
    hand.add(f"{TRY}\n\ndef again():\n{body}\n\n\nagain()")
    cell = hand.cell("sigmoid-answer")
    cell["source"] = cell["source"].replace('"""x', 'again()\n    """x', 1)


@case(FULL, KEPT)
def writes_into_the_course(hand):
    trying(
        hand,
        """
        for name in ("gradebook.db", "nbgrader_config.py", "solutions/01-neurons/01-neurons-exercises.ipynb",
                     "exercises/01-neurons/01-neurons-exercises.ipynb", "grading/locks/01-neurons.json", "new.txt",
                     "submitted/$VICTIM/01-neurons/01-neurons-exercises.ipynb", "grading/results/$MARK.json",
                     "submitted/$VICTIM/01-neurons/more.txt", "autograded/$MARK.ipynb", "feedback/$MARK.html"):
            attempt(write("$COURSE/" + name), write("../" * 6 + name))
        """,
    )


@case(FULL, KEPT)
def deletes_the_course(hand):
    trying(
        hand,
        """
        attempt(lambda: os.remove("$COURSE/gradebook.db"), lambda: os.truncate("$COURSE/gradebook.db", 0),
                lambda: shutil.rmtree("$COURSE/submitted"), lambda: os.rename("$COURSE/solutions", "$COURSE/gone"),
                lambda: shutil.rmtree("$HOME"), lambda: shutil.rmtree("$KEYS"), lambda: shutil.rmtree("$PACKAGE"),
                lambda: os.chmod("$COURSE", 0), lambda: os.chown("$COURSE", 65534, 65534),
                lambda: os.utime("$COURSE/gradebook.db", (0, 0)), lambda: os.rmdir(os.getcwd()))
        """,
    )


@case(FULL, KEPT)
def writes_into_homes(hand):
    trying(
        hand,
        """
        for home in ("$HOME", "/root", os.path.expanduser("~")):
            for name in (".bashrc", ".ipython/profile_default/startup/0.py", ".config/dlcourse/keys/dlcourse.json",
                         ".local/lib/python3.11/site-packages/usercustomize.py", ".jupyter/jupyter_config.py"):
                attempt(lambda: os.makedirs(os.path.dirname(f"{home}/{name}"), exist_ok=True), write(f"{home}/{name}"))
        import site, sys
        for folder in {*site.getsitepackages(), sys.prefix, "$PACKAGE"}:
            attempt(write(folder + "/$MARK.pth"), write(folder + "/sitecustomize.py"))
        """,
    )


@case(FULL, KEPT)
def leaves_files_behind(hand):
    trying(
        hand,
        """
        for folder in ("/tmp", "/var/tmp", "/dev/shm", "/run", "/", "/etc", "/proc/self", ".", "..", "$TMP"):
            attempt(write(folder + "/$MARK-left"), lambda: os.makedirs(folder + "/$MARK-dir"),
                    lambda: os.mkfifo(folder + "/$MARK-fifo"))
        from multiprocessing import shared_memory
        attempt(lambda: shared_memory.SharedMemory("$MARK-shared", create=True, size=100))
        """,
    )


@case(FULL, KEPT)
def links_out_of_its_folder(hand):
    trying(
        hand,
        """
        attempt(lambda: os.symlink("$COURSE", "course"), write("course/gradebook.db"), write("course/new.txt"),
                lambda: os.link("$COURSE/gradebook.db", "book"), write("book"),
                lambda: os.mknod("disk", 0o60666, os.makedev(8, 0)), write("disk"),
                lambda: os.mkfifo("pipe"), lambda: os.symlink("/proc/1/root", "root"), write("root$COURSE/new.txt"))
        """,
    )


@case(FULL, KEPT)
def fills_the_disk(hand):
    hand.add(
        """
        block = bytes(2**20)
        try:
            for number in range(40):
                with open(f"big-{number}", "wb") as file:
                    for _ in range(200):
                        file.write(block)
        except OSError as error:
            print(error)
        """
    )


@case(FULL, KEPT)
def many_files(hand):
    hand.add(
        """
        import os
        try:
            for number in range(20_000):
                os.close(os.open(f"file-{number}", os.O_CREAT | os.O_WRONLY))
        except OSError as error:
            print(error)
        """
    )


@case(FULL, KEPT)
def deep_folders(hand):
    hand.add(
        """
        import os
        try:
            for _ in range(2_000):
                os.mkdir("d")
                os.chdir("d")
        except OSError as error:
            print(error)
        """
    )


@case(FULL, KEPT)
def asks_the_kernel_for_more(hand):
    trying(
        hand,
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        attempt(lambda: libc.mount(b"none", b"/", b"tmpfs", 0, 0), lambda: libc.umount2(b"/", 2),
                lambda: os.chroot("."), lambda: libc.unshare(0x10000000), lambda: libc.pivot_root(b".", b"."),
                lambda: os.setuid(0), lambda: os.setgroups([0]), lambda: libc.setns(3, 0),
                lambda: libc.prctl(22, 0, 0, 0, 0), lambda: libc.sethostname(b"x", 1), lambda: libc.keyctl(0, 0),
                lambda: libc.syscall(321, 0, 0, 0), lambda: libc.personality(0x0040000), lambda: libc.reboot(0),
                lambda: os.nice(-20), lambda: os.sched_setaffinity(os.getppid(), {0}))
        import resource
        for which in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE, resource.RLIMIT_NPROC):
            attempt(lambda: resource.setrlimit(which, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)),
                    lambda: resource.prlimit(os.getppid(), which, (1, 1)))
        """,
    )


@case(FULL, KEPT)
def rewrites_the_gradebook(hand):
    trying(
        hand,
        """
        import sqlite3

        def book():
            with sqlite3.connect("file:$COURSE/gradebook.db?mode=rw", uri=True, timeout=0.1) as base:
                base.execute("update grade set auto_score = 100")

        try:
            book()
        except sqlite3.Error:
            pass
        """,
    )


@case(FULL, "where a student's process stands is its own business")
def moves_about(hand):
    trying(hand, 'os.umask(0)\nattempt(lambda: os.chdir("/"), lambda: os.chdir("$COURSE"), lambda: os.fchdir(3))')
