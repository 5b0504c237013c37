"""nbgrader's commands in a process of their own, as somebody has them who has set nothing."""

import os
import subprocess
import sys
from pathlib import Path


def run(folder: Path, *arguments: str) -> str:
    """What `python ARGUMENTS` prints in the folder; it must end with 0."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("DLCOURSE_", "JUPYTER_"))},
        # nbgrader starts alembic by its bare name.
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "DLCOURSE_GRADED": "1",
        "OMP_NUM_THREADS": "1",
        # Nobody's own settings, history or logs.
        "JUPYTER_CONFIG_DIR": str(folder / "none"),
        "JUPYTER_NO_CONFIG": "1",
        "IPYTHONDIR": str(folder / "ipython"),
    }
    done = subprocess.run([sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    return done.stdout
