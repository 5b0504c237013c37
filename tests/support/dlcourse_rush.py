"""A class that hands in at one moment: `python dlcourse_rush.py PLAN.json`, as root on the machine of dlcourse_world.

The plan is a list of students, each with a name, a number and what they hand in, one after the other:

    {"user": "s001", "number": 64002, "hand_in": [{"notebook": "/srv/rush/right.ipynb", "after": 0.0, "held": false}]}

after: seconds from the common start. held: half of the notebook is copied, and the rest once the file /srv/rest is
there, as over a network disk that hangs.
nbgrader is imported once; each student is a fork of this process that becomes that user and goes through nbgrader's own
`submit`. It prints "ready", waits for the file /srv/go, and prints how many handed in how often.
Ends with 1 when one of them could not, with the reason.
"""

import json
import os
import shutil
import sys
import time
import traceback
from pathlib import Path

ASSIGNMENT = "01-neurons"
NOTEBOOK = f"{ASSIGNMENT}/{ASSIGNMENT}-exercises.ipynb"
GO, REST = Path("/srv/go"), Path("/srv/rest")
TICK = 0.02  # seconds between two looks


def submit() -> None:
    """What `nbgrader submit 01-neurons` does once it has started."""
    from nbgrader.auth import Authenticator
    from nbgrader.coursedir import CourseDirectory
    from nbgrader.exchange import ExchangeFactory
    from traitlets.config import PyFileConfigLoader

    config = PyFileConfigLoader("nbgrader_config.py", "/etc/jupyter").load_config()
    course = CourseDirectory(config=config, assignment_id=ASSIGNMENT)
    factory = ExchangeFactory(config=config)
    factory.Submit(coursedir=course, authenticator=Authenticator(config=config), config=config).start()


def hold() -> None:
    """From now on this process copies each file in two halves, and waits between them."""

    def copy(source: str, target: str, **_: object) -> str:
        content = Path(source).read_bytes()
        with open(target, "wb") as file:
            file.write(content[: len(content) // 2])
            file.flush()
            while not REST.exists():
                time.sleep(TICK)
            file.write(content[len(content) // 2 :])
        return target

    whole = shutil.copytree
    shutil.copytree = lambda *places, **options: whole(*places, **options, copy_function=copy)


def student(plan: dict) -> None:
    home = Path("/home", plan["user"])
    os.environ |= {"HOME": str(home), "USER": plan["user"]}
    os.setgroups([])
    os.setresgid(*[plan["number"]] * 3)
    os.setresuid(*[plan["number"]] * 3)
    os.chdir(home)
    os.umask(0o022)
    (home / NOTEBOOK).parent.mkdir(exist_ok=True)
    while not GO.exists():
        time.sleep(TICK)
    start = GO.stat().st_mtime
    for work in plan["hand_in"]:
        time.sleep(max(0.0, start + work["after"] - time.time()))
        (home / NOTEBOOK).write_bytes(Path(work["notebook"]).read_bytes())
        if work["held"]:
            hold()
        submit()


def main() -> int:
    import nbgrader.exchange  # noqa: F401, once for all of them

    plans, children = json.loads(Path(sys.argv[1]).read_bytes()), []
    for plan in plans:
        if child := os.fork():
            children.append(child)
            continue
        try:
            student(plan)
        except BaseException:  # a fork must not go on as the parent
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        os._exit(0)
    print("ready", flush=True)
    failed = sum(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0 for child in children)
    times = sum(len(plan["hand_in"]) for plan in plans)
    print(f"{len(plans)} students handed in {times} times, {failed} could not", flush=True)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
