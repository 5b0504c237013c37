"""The widgets' scripts from Python: `evaluate(imports, expression)` gives the expression's value, by node and JSON."""

import json
import os
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
NODE = shutil.which("node")


def node(*arguments: str | Path, **settings) -> subprocess.CompletedProcess:
    """What node says; nothing of this machine's own settings of it holds."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("NODE_")}
    return subprocess.run(
        [NODE, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        **settings,
    )


def evaluate(imports: str, expression: str, given=None):
    """The value of a JavaScript expression as JSON gives it.

    imports: lines such as `import { table } from "./dlcourse/widgets/js/palette.js";`, from the root of the repository.
    given: JSON, called `given` in the expression.
    """
    script = f"{imports}\nconst given = {json.dumps(given)};\nconsole.log(JSON.stringify({expression}));"
    done = node("--input-type=module", "-", input=script)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return json.loads(done.stdout)
