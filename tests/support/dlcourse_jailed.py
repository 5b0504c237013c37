"""Runs a piece of Python in the jail and says how it went: the stand-in for the grader's warm parent in the tests.

    python dlcourse_jailed.py BACKEND LIMITS PROGRAM     (LIMITS is JSON: memory, cpu, scratch, before)

The program calls `say(text)`; what it says is printed as it comes, then `END code` with how the jail ended. `before` is
run in this process, before the fork. The first line is `OUTER pid`, of the process to be killed.
"""

import json
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))
from dlcourse.course.grading.jail import sandbox as jail

LIMITS = {"memory": 2**28, "cpu": 20, "scratch": 2**22}


def main(backend: str, limits: str, program: str) -> None:
    asked = LIMITS | json.loads(limits)
    exec(asked.pop("before", ""), {})
    hear, tell = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        try:
            jail.confine(backend, keep=[tell], parent=parent, **asked)
            exec(program, {"say": lambda *words: os.write(tell, (" ".join(map(str, words)) + "\n").encode())})
        except BaseException as error:
            os.write(tell, f"RAISED {type(error).__name__}: {error}\n".encode())
        os._exit(0)
    os.close(tell)
    print("OUTER", pid, flush=True)
    while said := os.read(hear, 65536):
        sys.stdout.write(said.decode())
        sys.stdout.flush()
    print("END", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
