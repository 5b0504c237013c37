"""What in a student's text reaches for the thing that the exercise asks to write.

A help to the instructor, not a security claim: it reads names in the text, and whoever wants to hide one can. Nothing
here changes a score. What it finds are notes of one sentence, for a person to look at; a student who compares their own
answer with torch's in the same cell is noted as well.
"""

import ast
import contextlib
import re
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, MutableMapping

# "place.name": place is a library, or a room of our package. A name of torch counts as a tensor's method too.
_AUTOGRAD = (
    *("torch.autograd", "torch.grad", "torch.backward", "torch.requires_grad", "torch.requires_grad_", "torch.jvp"),
    *("torch.vjp", "torch.jacrev", "torch.jacfwd", "torch.jacobian", "autograd.grad", "autograd.backward_steps"),
    *("autograd.Tensor", "autograd.Value"),
)
READY: dict[str, tuple[str, ...]] = {
    "00.accuracy": ("training.accuracy",),
    # "torch.sigmoid would pass the check, and teach you nothing"
    "01.sigmoid": (
        *("torch.sigmoid", "torch.sigmoid_", "torch.Sigmoid", "torch.logsigmoid", "torch.LogSigmoid", "torch.expit"),
        *("scipy.expit", "nn.sigmoid", "nn.sigmoid_definition", "nn.log_sigmoid", "nn.log_sigmoid_definition"),
    ),
    "01.perceptron": ("models.perceptron", "models.perceptron_steps", "sklearn.Perceptron"),
    "01.debug": ("models.logistic", "models.logistic_steps"),
    # "the ready-made functions would pass, and teach you nothing"
    "01.cross_entropy": (
        *("torch.cross_entropy", "torch.CrossEntropyLoss", "torch.nll_loss", "torch.NLLLoss", "torch.logsumexp"),
        *("torch.log_softmax", "torch.LogSoftmax", "torch.softmax", "torch.Softmax", "torch.logaddexp"),
        *("scipy.logsumexp", "scipy.log_softmax", "scipy.softmax", "nn.cross_entropy", "nn.cross_entropy_definition"),
        *("nn.logsumexp", "nn.logsumexp_definition", "nn.log_softmax", "nn.log_softmax_definition", "nn.softmax"),
        *("nn.softmax_definition", "autograd.cross_entropy", "attacks.cross_entropy"),
    ),
    # "Asking torch's autograd for the answer would pass the checks, and teach you nothing"
    "02.local-derivatives": _AUTOGRAD,
    "02.unbroadcast": (*_AUTOGRAD, "autograd.unbroadcast"),
    "02.topological-order": (*_AUTOGRAD, "autograd.topological_order", "graphlib.TopologicalSorter"),
    "02.debug": _AUTOGRAD,
    "02.softmax-cross-entropy": (*_AUTOGRAD, "autograd.cross_entropy"),
    "02.batch-norm": _AUTOGRAD,
    # "calling torch.optim.Adam for them would pass the checks, and teach you nothing"
    "03.schedule": ("optim.warmup_cosine", "optim.cosine", "optim.one_cycle"),
    "03.init": ("nn.he_normal", "nn.he_uniform", "nn.xavier_normal", "nn.xavier_uniform"),
    "03.adam": ("torch.Adam", "torch.AdamW", "torch.adam", "optim.Adam", "optim.adam", "optim.adam_definition"),
    "03.adamw": (
        *("torch.AdamW", "torch.Adam", "torch.adamw", "torch.adam", "optim.AdamW", "optim.adamw", "optim.Adam"),
        *("optim.adam", "optim.adam_definition"),
    ),
    "03.loops": ("training.train", "training.train_steps"),
    "05.size": ("nn.output_size", "nn.conv2d", "nn.Conv2d"),
    # "Calling functional.conv2d or functional.max_pool2d in exercises 2 and 3 would pass, and teach you nothing"
    "05.conv2d": (
        *("torch.conv2d", "torch.Conv2d", "torch.convolution", "torch.conv3d", "torch.Conv3d", "nn.conv2d"),
        *("nn.Conv2d", "nn.conv2d_loops"),
    ),
    "05.max_pool": (
        *("torch.max_pool2d", "torch.MaxPool2d", "torch.max_pool2d_with_indices", "torch.max_pool3d"),
        *("torch.MaxPool3d", "nn.max_pool2d", "nn.max_pool2d_definition", "nn.MaxPool2d"),
    ),
    # "torch.nn.LSTMCell would pass the check, and teach you nothing"
    "08.lstm_cell": (
        *("torch.LSTMCell", "torch.LSTM", "torch.lstm_cell", "torch.lstm", "nn.LSTMCell", "nn.LSTM", "nn.lstm_cell"),
        *("nn.lstm_cell_definition", "nn.lstm_gates"),
    ),
    "08.clip": ("optim.clip_grad_norm_", "optim.gradient_norm"),
    # "The package has nn.spectral_radius; write this one yourself"
    "08.radius": ("nn.spectral_radius", "nn.scale_spectral_radius_"),
    "08.masked": ("nn.RNN", "nn.unroll", "nn.unroll_steps"),
    "08.windows": ("data.windows", "data.split_in_time"),
    "08.debug": ("data.text_batches", "training.bits_per_character"),
    "12.optimal": (
        *("generation.optimal_discriminator", "generation.optimal_discriminator_definition"),
        "generation.optimal_logits",
    ),
    "12.two_losses": ("generation.MINIMAX", "generation.NON_SATURATING", "generation.LOSSES"),
    "12.penalty": ("generation.gradient_penalty", "generation.GradientPenalty"),
    # "The package will have one like it, generation.mode_coverage; write this one yourself"
    "12.coverage": ("generation.mode_coverage",),
    "12.debug": (
        *("generation.gan_steps", "generation.train_gan", "generation.discriminator_step"),
        "generation.generator_step",
    ),
    "15.margin": ("attacks.deepfool", "attacks.deepfool_steps"),
    "15.fgsm": ("attacks.fgsm", "attacks.mifgsm", "attacks.mifgsm_steps", "attacks.pgd", "attacks.pgd_steps"),
    "15.pgd": ("attacks.pgd", "attacks.pgd_steps", "attacks.nearest_delta", "attacks.L2"),
    # "You may take this score from the package, attacks.margin"
    "15.masked": ("attacks.pgd", "attacks.pgd_steps", "attacks.robust_accuracy", "defenses.bpda"),
    "15.radius": ("defenses.certified_radius", "defenses.certify", "defenses.lower_bound"),
    "16.ig": (
        "attribution.integrated_gradients",
        "attribution.integrated_gradients_steps",
        "captum.IntegratedGradients",
    ),
    "16.shapley": (
        *("attribution.shapley", "attribution.shapley_exact", "attribution.shapley_by_orders"),
        *("attribution.shapley_sampled", "attribution.shapley_sampled_steps"),
    ),
    "16.cam": ("attribution.grad_cam", "captum.LayerGradCam"),
    "16.faithful": ("attribution.deletion", "attribution.covered_scores"),
    "16.patching": ("mechanistic.activation_patching", "mechanistic.patched"),
}
# Nothing ready-made does what these ask for, or the text welcomes it.
NOTHING = ("01.xor", "01.hinges", "05.equivariance", "05.shuffle", "05.debug", "08.forecast")

# Characters of all cells together that are looked through, by the process that grades. One costs it 7 us, and 90 us
# where somebody strings names together without end.
MOST = 100_000
MOST_STARS = 20  # `from module import *`: each of them goes with each name
Known = tuple[dict[str, str], list[str]]  # what a name stands for; modules that were imported with a star

# What the released notebooks import.
_GIVEN = {
    "torch": "torch",
    "functional": "torch.nn.functional",
    "F": "torch.nn.functional",
    **{name: f"dlcourse.{name}" for name in ("checks", "attacks", "data")},
}
_TRICKS = {"__import__", "importlib.import_module", "importlib.util", "importlib.reload", "eval", "exec", "compile"}
_TRICKS |= {"sys.modules", "sys._getframe", "inspect.getsource", "inspect.stack", "gc.get_objects", "runpy.run_module"}


def exercise_of(assignment: str, grade_id: str) -> str:
    """The exercise of an answer or a test: "01-neurons", "sigmoid-answer" -> "01.sigmoid"; "" for other cells."""
    name = re.sub(r"^loop-[a-e]$", "loops", re.sub("-(answer|test)$", "", grade_id))
    exercise = f"{assignment[:2]}.{name}"
    return exercise if exercise in READY or exercise in NOTHING else ""


def notes(assignment: str, answers: Mapping[str, str], other: Iterable[str] = ()) -> tuple[str, ...]:
    """A Verdict's notes: on each answer cell by its exercise, and on the student's other cells.

    answers: grade_id -> text. other: texts of cells that are no answer; an import there serves the answers too.
    """
    cells = [(exercise_of(assignment, grade_id), text) for grade_id, text in answers.items()]
    cells += [("", text) for text in other]
    trees: list[tuple[str, ast.Module]] = []
    left, found = MOST, []
    for exercise, text in cells:
        if len(text) > left:
            found = ["More code than is looked through for ready-made answers."]
            continue
        left -= len(text)
        if tree := _parse(text):
            trees.append((exercise, tree))
    known = _learned(tree for _, tree in trees)
    found += [note for exercise, tree in trees for note in _looked_through(tree, exercise, known)]
    return tuple(dict.fromkeys(found))


def imports_reference(source: str, exercise: str = "", around: Iterable[str] = ()) -> tuple[str, ...]:
    """One short sentence for each thing that the text reaches for: a help to read by, no proof and no security.

    exercise: its id; then what does the exercise's work ready-made is looked for as well. around: the student's other
    cells, whose imports count. Text that is no Python gives nothing: it does not run either.
    """
    tree = _parse(source)
    trees = (other for other in map(_parse, around) if other)
    return _looked_through(tree, exercise, _learned(trees)) if tree else ()


def _looked_through(tree: ast.Module, exercise: str, known: Known) -> tuple[str, ...]:
    try:
        return _notes_on(tree, exercise, known)
    except RecursionError:  # no honest expression is as deep
        return ("A cell is nested too deeply to be looked through.",)


def _learned(trees: Iterable[ast.Module]) -> Known:
    """What the names of a notebook stand for, and what it imports as a whole."""
    names, stars = dict(_GIVEN), []
    for tree in trees:
        with contextlib.suppress(RecursionError):  # said where this cell is looked through
            _learn(tree, names, stars)
    return names, stars


def _notes_on(tree: ast.Module, exercise: str, known: Known) -> tuple[str, ...]:
    names, stars = ChainMap({}, known[0]), []
    _learn(tree, names, stars)  # once more: what the cell says itself has the last word
    stars = list(dict.fromkeys([*stars, *known[1]]))[:MOST_STARS]
    wanted = READY.get(exercise, ())
    defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    reached = dict.fromkeys(name for node in ast.walk(tree) for name in _reached(node, names, stars))
    inner = {name[:at] for name in reached for at, sign in enumerate(name) if sign == "."}
    found = []
    for name in reached:
        if name in inner:
            continue
        if sentence := _general(name):
            found.append(sentence)
        elif name[1:] not in defined and _is_ready(name, wanted):
            found.append(f"{exercise} uses {name}, which does the work that the exercise asks for.")
    return tuple(dict.fromkeys(found))


def _parse(source: str) -> ast.Module | None:
    lines = ["pass" if re.match(r"[%!]", line) else line for line in source.split("\n")]  # IPython's own commands
    try:
        return ast.parse("\n".join(lines))
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # as ast.parse documents for a stranger's text
        return None


def _learn(tree: ast.Module, names: MutableMapping[str, str], stars: list[str]) -> None:
    """Adds what names stand for: after imports, and after `s = torch.sigmoid`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                names[alias.asname or alias.name.split(".")[0]] = (
                    alias.name if alias.asname else alias.name.split(".")[0]
                )
        elif isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if alias.name == "*":
                    stars.append(node.module)
                else:
                    names[alias.asname or alias.name] = f"{node.module}.{alias.name}"
        elif isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
            dotted = _dotted(node.value, names)
            if dotted and not dotted.startswith("."):
                names[node.targets[0].id] = dotted


def _reached(node: ast.AST, names: Mapping[str, str], stars: Iterable[str]) -> Iterator[str]:
    """Full names that this node reaches for; ".name" and ".name=" for an attribute or argument of what is no module."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom) and node.module:
        yield from (f"{node.module}.{alias.name}" for alias in node.names)
    elif isinstance(node, ast.Name | ast.Attribute | ast.Call):
        if dotted := _dotted(node, names):
            yield dotted
        elif isinstance(node, ast.Name):
            yield from (f"{module}.{node.id}" for module in stars)
            yield node.id
    elif isinstance(node, ast.keyword) and node.arg:
        yield f".{node.arg}="


def _dotted(node: ast.AST, names: Mapping[str, str]) -> str:
    """The full name of `functional.conv2d` or getattr(functional, "conv" + "2d"); "" for what is none.

    An attribute of anything else is ".name"; a module's attribute under a name made on the way is "module.?".
    """
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        owner, name = node.value, node.attr
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr" and node.args[1:]:
        owner, name = node.args[0], _text(node.args[1])
    else:
        return ""
    before = _dotted(owner, names)
    if before and not before.startswith("."):
        return f"{before}.{name or '?'}"
    return f".{name}" if name else ""


def _text(node: ast.AST) -> str:
    """A literal text, also one that is added up; "" for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        left, right = _text(node.left), _text(node.right)
        return left + right if left and right else ""
    return ""


def _general(reached: str) -> str:
    """What no exercise needs: the insides of the checks, and names made up on the way."""
    parts = reached.split(".")
    if parts[:2] == ["dlcourse", "checks"] and len(parts) > 2 and (parts[2] in _INSIDES or parts[2].startswith("ch")):
        return f"Reaches into {'.'.join(parts[:4])}, where the checks keep their reference answers."
    if reached == ".reference":
        return "Takes a .reference, which is what the checks call their right answers."
    if parts[-1] == "?":
        return f"Takes a name from {'.'.join(parts[:-1])} that is made while the program runs."
    trick = next((trick for trick in _TRICKS if reached == trick or reached.startswith(f"{trick}.")), "")
    return f"Uses {trick}, by which a program can reach what its text does not name." if trick else ""


_INSIDES = {"registry", "guide", "exercise", "examiner", "subject", "record", "seeds", "show", "values", "outcome"}


def _is_ready(reached: str, wanted: Iterable[str]) -> bool:
    parts = reached.removesuffix("=").split(".")
    if parts[0] == "dlcourse":
        parts = parts[1:]
    if len(parts) < 2:
        return False
    if not parts[0]:  # an attribute, or an argument, of something that is no module
        return f"torch.{parts[1]}" in wanted
    return any(parts[0] == place and name in parts[1:] for place, name in (each.split(".") for each in wanted))
