"""Honest work: right in another style, half done, mistaken, or disturbed in a way that a learner does not see.

Cases with `plain` need no jail: the checks themselves, in an ordinary process, give the scores that stand here.
"""

import copy

from dlcourse_hostile import ALL, FULL, NOTHING, case, only, without

RIGHT = "every answer is right"
STYLE = "right in another style is right"


# --- how much was done ----------------------------------------------------------------------------------------------


@case(ALL, RIGHT, plain=True)
def everything_solved(hand):
    hand.solve("perceptron")


@case(NOTHING, "nothing was written", plain=True)
def untouched(hand):
    hand.leave()


@case(only("sigmoid", "xor"), "two answers of six", plain=True)
def half_done(hand):
    hand.leave("debug", "cross_entropy", "hinges")


@case(without("perceptron"), "a class half written: `step` is not started", plain=True)
def class_half_written(hand):
    hand.solve("perceptron")
    source = hand.cell("perceptron-answer")["source"]
    cut = source.index('"""One example')
    hand.cell("perceptron-answer")["source"] = source[:cut] + "raise NotStarted  # replace this line with your code"


@case(without("sigmoid"), "the stub's line still stands above the code", plain=True)
def stub_line_left_above(hand):
    hand.answer("sigmoid", "def sigmoid(x):\n    raise NotStarted  # replace this line\n    return torch.sigmoid(x)")


@case(FULL, "the stub's line was left below the answer, where it is never reached", plain=True)
def stub_line_left_below(hand):
    hand.answer("sigmoid", "def sigmoid(x):\n    return torch.sigmoid(x)\n    raise NotStarted  # replace this line")


# --- where it stands ------------------------------------------------------------------------------------------------


@case(FULL, RIGHT, plain=True)
def answer_in_an_added_cell(hand):
    right = hand.cell("sigmoid-answer")["source"]
    hand.leave("sigmoid")
    hand.add(right, before="sigmoid-test")


@case(FULL, RIGHT, plain=True)
def answer_cell_deleted_and_written_anew(hand):
    right = hand.cell("sigmoid-answer")["source"]
    hand.add(right, before="sigmoid-test")
    hand.drop("sigmoid-answer")


@case(FULL, "a test that failed is asked once more when all cells have run")
def answer_below_its_test(hand):
    for name, before in (("sigmoid", "perceptron-answer"), ("xor", "")):
        right = hand.cell(f"{name}-answer")["source"]
        hand.drop(f"{name}-answer")
        hand.add(right, before=before)


@case(FULL, RIGHT, plain=True)
def answer_split_in_three_cells(hand):
    hand.add("def rises(x):\n    return 1 / (1 + torch.exp(-x.clamp(min=0)))")
    hand.add("def falls(x):\n    return torch.exp(x.clamp(max=0)) / (1 + torch.exp(x.clamp(max=0)))")
    hand.answer("sigmoid", "def sigmoid(x):\n    return torch.where(x >= 0, rises(x), falls(x))")


@case(FULL, "split by Jupyter, both halves carry the same metadata", plain=True)
def answer_split_with_its_metadata(hand):
    first = hand.cell("sigmoid-answer")
    second = copy.deepcopy(first)
    second["id"] = "second-half"
    first["source"] = "def positive(x):\n    return 1 / (1 + torch.exp(-x.clamp(min=0)))"
    second["source"] = (
        "def sigmoid(x):\n    low = torch.exp(x.clamp(max=0))\n"
        "    return torch.where(x >= 0, positive(x), low / (1 + low))"
    )
    hand.cells.insert(hand.cells.index(first) + 1, second)


@case(FULL, "the copy below is the one that counts, as in a notebook", plain=True)
def answer_copied_and_mended(hand):
    first = hand.cell("sigmoid-answer")
    second = copy.deepcopy(first)
    second["id"], first["source"] = "mended", "def sigmoid(x):\n    return x"
    hand.cells.insert(hand.cells.index(first) + 1, second)


@case(FULL, "the tests are the instructor's, deleted or not")
def tests_deleted(hand):
    for name in ("sigmoid", "debug", "hinges"):
        hand.drop(f"{name}-test")


@case(FULL, "the locked cell is the instructor's, deleted or not")
def locked_cells_deleted(hand):
    hand.drop("broken-locked")
    hand.drop("explain-task-locked")


@case(FULL, "the answers are there; the question in words is not, and a person sees that")
def everything_but_the_answers_deleted(hand):
    hand.book["cells"] = [hand.cells[1]] + [hand.cell(f"{n}-answer") for n in FULL]


@case(FULL, "what the student did to a locked cell or a test is undone", plain=False)
def locked_cells_and_tests_edited(hand):
    hand.cell("broken-locked")["source"] = "1 / 0"
    hand.cell("sigmoid-test")["source"] = "# checks.sigmoid(sigmoid)\n1 / 0"


@case(FULL, "order is the student's own", plain=True)
def exercises_in_another_order(hand):
    first, last = hand.at("sigmoid-answer"), hand.at("perceptron-answer")
    block = hand.cells[first:last]
    del hand.cells[first:last]
    hand.cells[hand.at("xor-answer") : hand.at("xor-answer")] = block


@case(only("hinges"), "without the import only the answer that needs no torch runs", plain=True)
def import_cell_deleted(hand):
    del hand.cells[1]


@case(FULL, "an answer that a key turned into text is still the answer")
def answer_turned_into_markdown(hand):
    cell = hand.cell("sigmoid-answer")
    cell["cell_type"] = "markdown"
    cell.pop("outputs"), cell.pop("execution_count")


# --- mistakes -------------------------------------------------------------------------------------------------------


@case(without("sigmoid"), "the check calls it by its name", plain=True)
def function_renamed(hand):
    cell = hand.cell("sigmoid-answer")
    cell["source"] = cell["source"].replace("def sigmoid", "def my_sigmoid")


@case(without("debug"), "a cell that does not compile costs its own exercise", plain=True)
def syntax_error(hand):
    hand.answer("debug", "def logistic_step(weight, bias, x, labels, lr)\n    return weight, bias")


@case(without("debug"), "tabs and blanks mixed do not compile", plain=True)
def tabs_and_blanks(hand):
    hand.answer("debug", "def logistic_step(weight, bias, x, labels, lr):\n\tw = weight\n        return w, bias")


@case(FULL, "a cell that failed after its definition defined it all the same", plain=True)
def error_below_the_definition(hand):
    cell = hand.cell("xor-answer")
    cell["source"] += "\n\n\nassert xor_weights() == 'my own test'"


@case(without("sigmoid", "hinges"), "nobody types an answer here", plain=True)
def input_in_the_answers(hand):
    hand.answer("sigmoid", "def sigmoid(x):\n    return float(input('how much? '))")
    hand.before("hinges", "name = input('Who are you? ')")


@case(FULL, "questions in cells of one's own stay open", plain=True)
def input_in_a_cell(hand):
    hand.add("import getpass\nname = input('Who are you? ')")
    hand.add("import sys\nline = sys.stdin.readline()")


@case(FULL, "names that hide the checks or a builtin hide them in the student's cells only")
def names_shadowed(hand):
    hand.add("checks = 3\nprint = None\npoints = 0\nhidden_seed_of_sigmoid = 1\nrange = list = 0", before="xor-answer")


@case(only("hinges"), "every answer but one needs the name that was deleted", plain=True)
def torch_deleted(hand):
    hand.add("del torch")


@case(FULL, "deleted when all was done", plain=True)
def torch_deleted_at_the_end(hand):
    hand.add("del torch, checks", before="")


@case(without("perceptron"), "a class kept in slots shows no attributes to the check", plain=True)
def slots(hand):
    hand.solve("perceptron")
    cell = hand.cell("perceptron-answer")
    line = '"""One neuron that learns from its mistakes."""'
    cell["source"] = cell["source"].replace(line, f'{line}\n\n    __slots__ = ("bias", "weight")')


# What comes back in place of the value: each costs its own exercise.
FORMS = {
    "generator": "yield torch.sigmoid(x)",
    "bytes": "return b'half'",
    "complex_numbers": "return torch.complex(torch.sigmoid(x), x * 0)",
    "nan": "return torch.sigmoid(x) * float('nan')",
    "numpy_array": "return torch.sigmoid(x).detach().numpy()",
    "huge_result": "return torch.zeros(2**25)",
    "giant_without_entries": "return torch.empty(0, 2**26, 2**26)",
    "zero_stride_giant": "return torch.zeros(1).expand(2**50)",
    "zero_stride_right_shape": "return torch.full((), 0.5, dtype=x.dtype).expand(x.shape)",
    "negative_numbers": "return -torch.sigmoid(x)",
    "huge_integer": "return 10 ** 100_000",
    "nested_deep": "deep = []\n    for _ in range(100_000):\n        deep = [deep]\n    return deep",
    "list_in_itself": "a = []\n    a.append(a)\n    return a",
    "giant_dictionary": "return {str(n): n for n in range(300_000)}",
    "dictionary_of_odd_keys": "return {x: 1, None: 2}",
    "text_that_is_no_unicode": "return '\\ud800'",
    "long_text": "return 'HOSTILE' * 10**7",
    "text_of_many_words": "return 'a-b ' * 200_000",
    "text_of_one_word": "return 'HOSTILE' * 100_000",
    "many_numbers": "return list(range(49_000))",
    "many_names": "return {f'name {n}': n for n in range(20_000)}",
    "sparse": "return torch.sigmoid(x).to_sparse()",
    "meta_tensor": "return torch.empty(x.shape, device='meta')",
    "nested_tensor": "return torch.nested.nested_tensor([x.flatten(), x.flatten()])",
    "function": "return lambda: torch.sigmoid(x)",
    "module_of_python": "return torch",
    "set_and_range": "return {1, 2}, range(3)",
    "nothing": "torch.sigmoid(x)",
    "not_implemented": "return NotImplemented",
    "one_number": "return 0.5",
    "exception_returned": "return ValueError('half')",
}


def form(name: str, body: str) -> None:
    def make(hand):
        hand.leave("debug", "cross_entropy", "hinges")
        hand.answer("sigmoid", f"def sigmoid(x):\n    {body}")

    make.__name__ = make.__qualname__ = f"returns_{name}"
    case(only("xor"), "not the value that was asked for; the weights of the other exercise are right", plain=True)(make)


for _name, _body in FORMS.items():
    form(_name, _body)


# --- other styles ---------------------------------------------------------------------------------------------------


@case(FULL, STYLE, plain=True)
def library_calls(hand):
    hand.answer("sigmoid", "sigmoid = torch.sigmoid")
    hand.answer("cross_entropy", "cross_entropy = torch.nn.functional.cross_entropy")


@case(ALL, STYLE, plain=True)
def lambdas_and_modules(hand):
    hand.answer("sigmoid", "sigmoid = torch.nn.Sigmoid()")
    hand.answer("cross_entropy", "cross_entropy = lambda logits, labels: torch.nn.CrossEntropyLoss()(logits, labels)")
    hand.answer(
        "perceptron",
        """
        class Perceptron(torch.nn.Module):
            def __init__(self, features):
                super().__init__()
                self.weight = torch.nn.Parameter(torch.zeros(features))
                self.bias = torch.nn.Parameter(torch.zeros(()))

            @torch.no_grad()
            def step(self, x, label):
                wrong = bool(label * (self.weight @ x + self.bias) <= 0)
                if wrong:
                    self.weight += label * x
                    self.bias += label
                return wrong
        """,
    )


@case(FULL, STYLE, plain=True)
def callable_objects(hand):
    hand.answer(
        "sigmoid",
        """
        from functools import lru_cache, partial, wraps


        class Curve:
            def __init__(self, steepness):
                self.steepness = steepness

            def __call__(self, x):
                return torch.sigmoid(self.steepness * x)


        sigmoid = Curve(1)
        """,
    )
    hand.answer("xor", "xor_weights = lru_cache(\n" + _expression(hand, "xor") + ")")
    hand.answer("hinges", _source(hand, "hinges") + "\n\n\nlinear_pieces = partial(linear_pieces)")
    hand.answer("debug", _source(hand, "debug") + "\n\n\n" + DECORATED)


DECORATED = """def counted(function):
    @wraps(function)
    def inner(*args, **options):
        inner.calls += 1
        return function(*args, **options)

    inner.calls = 0
    return inner


logistic_step = counted(logistic_step)"""


def _source(hand, name):
    return hand.cell(f"{name}-answer")["source"]


def _expression(hand, name):
    return "    lambda: (torch.ones(2, 2), torch.tensor([0.0, -1]), torch.tensor([[1.0, -2]]), torch.tensor([-0.5]))\n"


@case(
    without("sigmoid"), "a class is made with the arguments, not called with them: its state is no tensor", plain=True
)
def class_with_call(hand):
    hand.answer("sigmoid", "class sigmoid:\n    def __call__(self, x):\n        return torch.sigmoid(x)")


@case(
    without("sigmoid"), "a coroutine is no tensor; one that was not awaited warns, and that costs nothing", plain=True
)
def async_function(hand):
    hand.answer("sigmoid", "async def sigmoid(x):\n    return torch.sigmoid(x)")


@case(FULL, "IPython awaits at the top of a cell", plain=True)
def awaited_at_the_top(hand):
    hand.add("import asyncio\nawait asyncio.sleep(0)\nanswered = True")
    hand.before("sigmoid", "await asyncio.sleep(0)")


@case(FULL, STYLE, plain=True)
def defined_by_other_means(hand):
    hand.before("sigmoid", "if __name__ == '__main__':\n    import math")
    hand.answer("hinges", f"exec({_source(hand, 'hinges')!r})")
    hand.answer("xor", "globals()['xor_weights'] = " + _expression(hand, "xor").strip())
    hand.answer("debug", "try:\n    undefined\nexcept NameError:\n" + _indented(_source(hand, "debug")))


def _indented(text):
    return "\n".join("    " + line for line in text.splitlines())


@case(FULL, STYLE, plain=True)
def names_in_other_alphabets(hand):
    hand.answer("sigmoid", "def λ(größe):\n    return torch.sigmoid(größe)  # 曲线 🙂\n\n\nsigmoid = λ")


@case(FULL, STYLE, plain=True)
def line_ends_and_tabs(hand):
    cell = hand.cell("hinges-answer")
    cell["source"] = cell["source"].replace("    ", "\t").replace("\n", "\r\n")
    cell = hand.cell("xor-answer")
    cell["source"] += "\n\f\n \t \n\u00a0"[:4]


@case(FULL, STYLE, plain=True)
def star_imports(hand):
    hand.add("from math import *\nfrom torch.nn import *\nfrom torch.nn.functional import *")


@case(FULL, STYLE, plain=True)
def type_hints(hand):
    hand.answer(
        "sigmoid",
        """
        from __future__ import annotations

        from jaxtyping import Float
        from torch import Tensor


        def sigmoid(x: Float[Tensor, "..."] | Unknown) -> Float[Tensor, "..."]:
            return torch.sigmoid(x)
        """,
    )


@case(FULL, "a future that comes too late stops its own cell", plain=True)
def future_import_too_late(hand):
    hand.add("x = 1\nfrom __future__ import annotations")


@case(FULL, "compiled where there is a compiler, and right where there is none")
def torch_compile(hand):
    hand.answer("sigmoid", "@torch.compile\ndef sigmoid(x):\n    return torch.sigmoid(x)")
    cell = hand.cell("cross_entropy-answer")
    cell["source"] = "@torch.compile(fullgraph=True, mode='max-autotune')\n" + cell["source"]


@case(FULL, STYLE)
def torch_script(hand):
    hand.answer(
        "sigmoid",
        """
        import warnings

        warnings.simplefilter("ignore")


        @torch.jit.script
        def sigmoid(x: torch.Tensor) -> torch.Tensor:
            return torch.sigmoid(x)
        """,
    )


@case(without("debug"), "a named tuple is not the tuple that was asked for, here and in the notebook", plain=True)
def named_tuple(hand):
    hand.before(
        "debug", "from typing import NamedTuple\n\n\nclass Step(NamedTuple):\n    weight: object\n    bias: object"
    )
    cell = hand.cell("debug-answer")
    cell["source"] += "\n\n\nplain_step = logistic_step\n\n\ndef logistic_step(*a):\n    return Step(*plain_step(*a))"


@case(ALL, STYLE, plain=True)
def data_class(hand):
    hand.answer(
        "perceptron",
        """
        from dataclasses import dataclass


        @dataclass
        class Perceptron:
            features: int

            def __post_init__(self):
                self.weight, self.bias = torch.zeros(self.features), torch.tensor(0.0)
                self._log = {"steps": []}

            def step(self, x, label):
                self._log["steps"].append(self)
                if label * (self.weight @ x + self.bias) > 0:
                    return False
                self.weight, self.bias = self.weight + label * x, self.bias + label
                return True
        """,
    )


@case(FULL, STYLE, plain=True)
def strided_results(hand):
    hand.answer(
        "sigmoid",
        """
        def sigmoid(x):
            wide = torch.stack([torch.sigmoid(x), x], dim=-1)
            return wide[..., 0].requires_grad_() if not x.requires_grad else wide[..., 0]
        """,
    )


@case(FULL, "one cell's helper serves another", plain=True)
def state_shared_between_cells(hand):
    hand.before("sigmoid", "calls = []\n\n\ndef exp_row(row):\n    calls.append(row)\n    return torch.exp(row)")
    hand.answer(
        "cross_entropy",
        """
        def cross_entropy(logits, labels):
            shifted = logits - logits.amax(1, keepdim=True)
            return (exp_row(shifted).sum(1).log() - shifted[torch.arange(len(labels)), labels]).mean()
        """,
    )


# --- what else a notebook does --------------------------------------------------------------------------------------


@case(FULL, "what a cell shows is no part of its answer")
def output_of_all_kinds(hand):
    hand.add("print('hello')\ndisplay(torch.ones(2))\ntorch.ones(2)")
    hand.add("import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()", slow=True)
    hand.add("import ipywidgets\nipywidgets.IntSlider()")
    hand.add("import logging, sys\nlogging.basicConfig(level=0)\nlogging.error('x')\nprint('x', file=sys.stderr)")
    hand.add("sys.stdout.write('x'); sys.stdout.flush(); sys.stdout.fileno()")


@case(FULL, "magics and commands do no harm; the body of a timed cell is run", plain=True)
def magics(hand):
    hand.add("%matplotlib inline\n%load_ext autoreload\n%autoreload 2")
    hand.add("!pip install numpy\nfiles = !ls\n%pip install torch\n%cd /\n%env X=1")
    hand.add("torch.exp?\n?torch\n%timeit -n1 1 + 1\n%%nonsense\nx")
    hand.add("%%bash\ntouch /tmp/$MARK-bash")
    hand.add("%%writefile x.py\nnot python at all")
    hand.add("%%html\n<script>alert(1)</script>")
    hand.before("sigmoid", "%%time\n")
    hand.cell("xor-answer")["source"] = "%%capture out\n" + _source(hand, "xor")


@case(FULL, "the last cell asks Python to end", plain=True)
def exit_at_the_end(hand):
    hand.add("exit()", before="")
    hand.add("quit", before="")
    hand.add("raise SystemExit", before="")


@case(FULL, "a right answer that warns is right", plain=True)
def warnings_given(hand):
    hand.answer(
        "sigmoid",
        """
        import sys, warnings


        def sigmoid(x):
            warnings.warn("this is deprecated", DeprecationWarning)
            print("I was called", file=sys.stderr)
            return torch.sigmoid(x)
        """,
    )


@case(FULL, "slow and right is right", plain=True)
def slow_but_right(hand):
    hand.answer(
        "sigmoid",
        """
        import time


        def sigmoid(x):
            end = time.process_time() + 0.01
            while time.process_time() < end:
                pass
            return torch.sigmoid(x)
        """,
    )


@case(FULL, "the clock is the grader's own", plain=True)
def clock_of_ones_own(hand):
    hand.add("import time\ntime.time = time.monotonic = time.perf_counter = time.process_time = lambda: 0.0")
    hand.add("time.sleep = lambda seconds: None")


@case(FULL, "switches of torch that answers live with")
def switches_of_torch(hand):
    hand.add("torch.set_grad_enabled(False)\ntorch.manual_seed(7)\ntorch.use_deterministic_algorithms(True)")
    hand.add("torch.set_num_threads(8)\ntorch.set_printoptions(precision=1)\ntorch.set_flush_denormal(True)")


@case(
    FULL | {"perceptron": None, "xor": None},
    "inputs keep their dtype; what is made anew is in the student's",
)
def default_dtype_changed(hand):
    hand.add("torch.set_default_dtype(torch.float64)")


@case(FULL, "streams that were closed or replaced are the student's own", plain=False)
def streams_replaced(hand):
    hand.add("import sys, io\nsys.stdout.close()\nsys.stderr = None\nsys.stdin = io.StringIO('x')\nsys.stdout = 3")


@case(FULL, "warnings that were made errors hit nobody else", plain=True)
def warnings_made_errors(hand):
    hand.add("import warnings\nwarnings.simplefilter('error')\nimport numpy\nnumpy.seterr(all='raise')")


@case(FULL, "files of one's own may be written and read where one stands")
def files_of_ones_own(hand):
    hand.add("torch.save(torch.ones(2), 'mine.pt')\nmine = torch.load('mine.pt')\nopen('a.txt', 'w').write('x')")
    hand.before("sigmoid", "assert mine.sum() == 2 and open('a.txt').read() == 'x'")


@case(FULL, "the checks' own helpers may be called", plain=True)
def calls_the_checks_itself(hand):
    hand.add('checks.hint("01.sigmoid")\nchecks.progress()\nchecks.sigmoid(torch.sigmoid)', before="xor-answer")
    hand.add('checks.hinges(linear_pieces)\nchecks.solution("01.hinges")\nchecks.continue_here()', before="")


@case(FULL, "right values; that they are the reference's own is said to the instructor", says=("reference",))
def reference_imported(hand):
    hand.answer("sigmoid", "from dlcourse.checks.ch01.sigmoid import sigmoid")


@case(without("sigmoid"), "a module beside the notebook is not handed in", plain=True)
def helper_module_beside_the_notebook(hand):
    hand.beside("helper.py", "import torch\n\n\ndef sigmoid(x):\n    return torch.sigmoid(x)\n")
    hand.answer("sigmoid", "from helper import sigmoid")


@case(without("perceptron", "cross_entropy"), "two mistakes that learners make", plain=True)
def two_known_mistakes(hand):
    hand.solve("perceptron")
    cell = hand.cell("perceptron-answer")
    cell["source"] = cell["source"].replace("<= 0", "< 0")
    hand.answer(
        "cross_entropy",
        """
        def cross_entropy(logits, labels):
            return (torch.log(torch.exp(logits).sum(1)) - logits[torch.arange(len(labels)), labels]).mean()
        """,
    )


@case(FULL, "heavy libraries may be imported", slow=True)
def heavy_imports(hand):
    hand.add("import numpy, scipy.special, sklearn.linear_model, matplotlib.pyplot as plt\nfig = plt.figure()")
    hand.answer("sigmoid", "def sigmoid(x):\n    return torch.special.expit(x)")
