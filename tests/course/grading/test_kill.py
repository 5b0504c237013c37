"""kill -9 of the grader at random moments: nothing is lost, nothing is graded twice, the gradebook agrees."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from dlcourse_grading import make, release

SUPPORT = Path(__file__).parents[2] / "support"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_ten_kills_of_fifty(tmp_path, own_keys, ledger, seed):
    course = make(tmp_path / "course")
    release(course)
    done = subprocess.run(
        [sys.executable, SUPPORT / "dlcourse_grading_kills.py", course, str(seed), "10"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(SUPPORT), str(SUPPORT.parents[1])])},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["killed"] == 10
    assert told["rounds"] >= 1
