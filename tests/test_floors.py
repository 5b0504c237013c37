"""The seven floors: imports point down only, there is no circle, and what is heavy or special is named in one place."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "dlcourse"

# Floor -> its rooms. Rooms that later chapters bring are named already. A new room goes into this table first.
FLOORS = (
    ("types", "device", "seeding", "steps", "progress"),
    ("autograd", "data"),
    ("nn", "optim", "hooks"),
    ("models", "training"),
    ("units", "attacks", "defenses", "attribution", "mechanistic", "generation", "landscape"),
    ("plot", "learn", "widgets", "checks"),
    ("course", "cli", "__main__"),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}

# On one floor nobody imports a sibling, but for these (importer, imported).
SIBLINGS = {
    ("seeding", "types"),
    ("steps", "types"),
    ("defenses", "attacks"),
    ("widgets", "plot"),
    ("checks", "learn"),
    ("cli", "course"),
    ("__main__", "cli"),
}
NETWORKS = {"autograd", *FLOORS[2], *FLOORS[3], *FLOORS[4]}
# Importer -> what it leaves alone although it stands below.
FORBIDDEN = {
    "plot": NETWORKS,  # results in, pictures out: it never calls a model
    "learn": NETWORKS,
    "course": NETWORKS,
    "cli": NETWORKS,
    "__main__": NETWORKS,
}
ACCELERATOR = re.compile(r"\b(cuda|mps|xpu|rocm|hip|npu|tpu)\b")
HEAVY = {"torch", "numpy", "matplotlib", "sklearn", "IPython"}
# File -> why it may say an accelerator's name beside device.py.
MAY_NAME_ACCELERATORS = {"course/lint.py": "looks for such names in notebooks, to refuse them"}


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def modules() -> dict[str, Path]:
    """Each module of the package by its dotted name, `dlcourse` itself included."""
    found = {}
    for file in sorted(PACKAGE.rglob("*.py")):
        parts = file.relative_to(PACKAGE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = modules()


def front_door() -> dict[str, str]:
    """What the package's own lazy names stand for: seed -> dlcourse.seeding."""
    (table,) = (
        node.value
        for node in tree(PACKAGE / "__init__.py").body
        if isinstance(node, ast.Assign) and node.targets[0].id == "_HOMES"
    )
    return ast.literal_eval(table)


def imports(name: str, source: ast.Module | None = None) -> set[str]:
    """Modules of the package that this module imports, wherever in its text: at the top, in a function, by a string."""
    found = set()
    package = name if MODULES[name].name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(source or tree(MODULES[name])):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            for alias in node.names:
                target = (
                    front_door().get(alias.name, f"{base}.{alias.name}")
                    if base == "dlcourse"
                    else f"{base}.{alias.name}"
                )
                found.add(target if target in MODULES else base)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value in MODULES:
            found.add(node.value)  # import_module("dlcourse.data"), or a table of names to be imported
    # A bare `dlcourse` is its version and its lazy names, which load nothing.
    return {target for target in found if target.startswith("dlcourse.")}


def room(name: str) -> str:
    return name.split(".")[1]


def faults(name: str, imported: set[str]) -> list[str]:
    """What the house rules have against these imports."""
    here, found = room(name), []
    for target in sorted(imported):
        there = room(target)
        if there == here:
            continue
        if there not in FLOOR_OF:
            found.append(f"{name} imports {target}, which has no floor")
        elif FLOOR_OF[there] > FLOOR_OF[here]:
            found.append(f"{name} (floor {FLOOR_OF[here]}) imports {target} (floor {FLOOR_OF[there]}): that points up")
        elif FLOOR_OF[there] == FLOOR_OF[here] and (here, there) not in SIBLINGS:
            found.append(f"{name} imports {target}: siblings leave each other alone")
        elif there in FORBIDDEN.get(here, ()):
            found.append(f"{name} imports {target}: {here} knows nothing of networks")
    return found


INNER = [name for name in MODULES if name != "dlcourse"]


def test_every_room_has_a_floor():
    assert {room(name) for name in INNER} <= set(FLOOR_OF)


@pytest.mark.parametrize("name", INNER)
def test_imports_point_down(name):
    assert faults(name, imports(name)) == []


@pytest.mark.parametrize(
    ("importer", "line"),
    [
        ("dlcourse.steps", "from dlcourse.nn import relu"),
        ("dlcourse.nn.loss", "import dlcourse.models.mlp"),
        ("dlcourse.nn.loss", "def f():\n    from dlcourse import models"),
        ("dlcourse.nn.loss", "def f():\n    from dlcourse import claim"),
        ("dlcourse.nn.loss", "from ..models import mlp"),
        ("dlcourse.nn.loss", "from .. import cli"),
        ("dlcourse.nn.loss", "import importlib\nimportlib.import_module('dlcourse.plot')"),
        ("dlcourse.plot.draw", "from dlcourse.models import perceptron"),
        ("dlcourse.plot.draw", "from dlcourse import learn"),
        ("dlcourse.learn.quiz", "from dlcourse.checks import hint"),
        ("dlcourse.cli", "from dlcourse import nn"),
        ("dlcourse.models.mlp", "from dlcourse.__main__ import main"),
    ],
)
def test_a_wrong_import_is_seen(importer, line):
    assert len(faults(importer, imports(importer, ast.parse(line)))) == 1


def circle(graph: dict[str, set[str]]) -> list[str] | None:
    """A list of modules that import each other in a ring, or None."""
    done = set()

    def walk(name, path):
        if name in path:
            return [*path[path.index(name) :], name]
        if name in done:
            return None
        rings = (walk(target, [*path, name]) for target in sorted(graph.get(name, ())))
        ring = next((ring for ring in rings if ring), None)
        done.add(name)
        return ring

    return next((ring for ring in (walk(name, []) for name in graph) if ring), None)


def test_no_circles():
    assert circle({name: imports(name) - {name} for name in INNER}) is None


def test_a_circle_is_seen():
    assert circle({"a": {"b"}, "b": {"c", "d"}, "c": set(), "d": {"a"}}) == ["a", "b", "d", "a"]


def names_accelerator(source: ast.Module) -> list[int]:
    """Lines whose code, docstrings apart, says the name of an accelerator."""
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef)
    firsts = [owner.body[0] for owner in ast.walk(source) if isinstance(owner, owners) and owner.body]
    prose = {id(first.value) for first in firsts if isinstance(first, ast.Expr)}
    found = []
    for node in ast.walk(source):
        said = getattr(node, "attr", None) or getattr(node, "id", None) or getattr(node, "arg", None)
        if isinstance(node, ast.Constant) and id(node) not in prose:
            said = node.value
        if isinstance(node, ast.alias):
            said = node.name
        if isinstance(said, str) and ACCELERATOR.search(said):
            found.append(node.lineno)
    return found


@pytest.mark.parametrize("name", [name for name in MODULES if name != "dlcourse.device"])
def test_only_device_names_an_accelerator(name):
    lines = names_accelerator(tree(MODULES[name]))
    reason = MAY_NAME_ACCELERATORS.get(MODULES[name].relative_to(PACKAGE).as_posix())
    assert bool(lines) == bool(reason), f"lines {lines}: ask dlcourse.device, or follow the inputs' device"


@pytest.mark.parametrize(
    "line", ["x.to('cuda:1')", "torch.cuda.is_available()", "import torch.cuda", "f(mps=1)", "def f():\n  return 'xpu'"]
)
def test_an_accelerator_is_seen(line):
    assert names_accelerator(ast.parse(line))
    assert not names_accelerator(ast.parse('def f():\n    """Works on cuda too."""\n    return "cpu"'))


def not_re_exporting(source: ast.Module) -> list[str]:
    """Statements of an `__init__` that do more than hand names on, at once or lazily."""
    allowed = (ast.Import, ast.ImportFrom, ast.Assign, ast.AnnAssign, ast.Expr)
    return [
        ast.unparse(node).splitlines()[0]
        for node in source.body
        if not (
            isinstance(node, allowed) or (isinstance(node, ast.FunctionDef) and node.name in ("__getattr__", "__dir__"))
        )
    ]


@pytest.mark.parametrize("name", [name for name, file in MODULES.items() if file.name == "__init__.py"])
def test_init_files_only_hand_names_on(name):
    assert not_re_exporting(tree(MODULES[name])) == []


def test_more_than_handing_on_is_seen():
    assert not_re_exporting(ast.parse("import a\nclass B:\n    pass\ndef f():\n    pass")) == ["class B:", "def f():"]


@pytest.mark.parametrize(
    "command",
    [
        "import dlcourse",
        "import dlcourse.device; dlcourse.device.cpu_budget()",
        "import sys; sys.argv = ['dlcourse', '--help']\n"
        "try:\n    import dlcourse.cli; dlcourse.cli.main()\nexcept SystemExit as end:\n    assert not end.code",
    ],
)
def test_loads_no_torch(command):
    check = f"{command}\nimport sys\nassert not {HEAVY} & set(sys.modules), {HEAVY} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_front_door_opens_every_name():
    import dlcourse

    for name in dlcourse.__all__:
        if name != "__version__":
            assert getattr(dlcourse, name) is not None
    with pytest.raises(AttributeError, match="has no 'nonsense'; it has"):
        _ = dlcourse.nonsense
