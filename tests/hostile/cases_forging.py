"""Submissions that want points for a wrong answer. The sigmoid is `return x` (or it is said otherwise), the rest is
right: an attack that fails must not cost the honest exercises either."""

from dlcourse_hostile import FREE, FULL, NOTHING, Submission, case, id_of, without

WRONG = """
def sigmoid(x):
    return x
"""
IDENTITY = "the identity is no sigmoid, whatever was done around it"


def attack(hand: Submission, source: str, answer: str = WRONG) -> None:
    """A wrong sigmoid, and `source` in a cell of its own before it."""
    hand.answer("sigmoid", answer)
    hand.add(source)


@case(without("sigmoid"), IDENTITY)
def checks_replaced(hand):
    attack(
        hand,
        """
        import dlcourse.checks.registry
        for name in list(dlcourse.checks.registry.CALLABLES):
            dlcourse.checks.registry.CALLABLES[name] = lambda *a, **k: None
            setattr(checks, name, lambda *a, **k: None)
        """,
    )


@case(without("sigmoid"), IDENTITY)
def examiner_replaced(hand):
    attack(
        hand,
        """
        from dlcourse.checks import examiner, exercise
        for name in ("value", "slope", "compare", "fail", "ask"):
            setattr(examiner.Examiner, name, lambda *a, **k: None)
        examiner.matches = examiner.unlike = lambda *a, **k: True
        exercise.run = lambda *a, **k: None
        """,
    )


@case(without("sigmoid"), IDENTITY)
def comparisons_of_torch_replaced(hand):
    attack(
        hand,
        """
        yes = lambda *a, **k: True
        torch.allclose = torch.equal = torch.testing.assert_close = yes
        torch.isclose = lambda a, b, **k: torch.ones_like(b, dtype=torch.bool)
        torch.Tensor.allclose = torch.Tensor.equal = yes
        torch.Tensor.any = lambda *a, **k: False
        """,
    )


@case(without("sigmoid"), IDENTITY)
def comparison_of_tensors_replaced(hand):
    # In its own call only, so that the other exercises still compute.
    attack(
        hand,
        "",
        """
        def sigmoid(x):
            always = lambda self, other: torch.ones(self.shape, dtype=torch.bool)
            torch.Tensor.__eq__ = always
            torch.Tensor.__ne__ = lambda self, other: torch.zeros(self.shape, dtype=torch.bool)
            return x
        """,
    )


@case(without("sigmoid") | {"cross_entropy": None}, "the other slopes may suffer from the student's own builtins")
def builtins_replaced(hand):
    attack(
        hand,
        """
        import builtins
        builtins.any = lambda *a: False
        builtins.all = lambda *a: True
        builtins.AssertionError = type("Calm", (Exception,), {})
        """,
    )


@case(without("sigmoid"), IDENTITY)
def modules_replaced(hand):
    attack(
        hand,
        """
        import sys, types
        class Yes(types.ModuleType):
            def __getattr__(self, name):
                return lambda *a, **k: True
        for name in list(sys.modules):
            if name.startswith("dlcourse"):
                sys.modules[name] = Yes(name)
        """,
    )


@case(without("sigmoid"), IDENTITY)
def failures_made_harmless(hand):
    attack(
        hand,
        """
        from dlcourse.checks import outcome
        outcome.CheckFailed.__init__ = lambda self, *a, **k: None
        outcome.CheckFailed.__new__ = staticmethod(lambda *a, **k: None)
        outcome.AnswerError.KINDS = ()
        outcome.NotStarted.__str__ = lambda self: "passed"
        """,
    )


@case(without("sigmoid"), "an object that says it equals everything is no tensor")
def equal_to_everything(hand):
    hand.answer(
        "sigmoid",
        """
        class Yes:
            __eq__ = __le__ = __ge__ = __contains__ = lambda self, other: True
            __ne__ = __lt__ = __gt__ = lambda self, other: False
            __hash__ = lambda self: 0
            __bool__ = lambda self: True
            __len__ = __int__ = __index__ = lambda self: 1
            __float__ = lambda self: 0.5
            __class__ = torch.Tensor
            __getattr__ = lambda self, name: self
            __call__ = __getitem__ = __sub__ = __rsub__ = lambda self, *a, **k: self


        def sigmoid(x):
            return Yes()
        """,
    )


@case(without("sigmoid"), "a tensor that lies about its comparisons is none")
def tensor_subclass(hand):
    hand.answer(
        "sigmoid",
        """
        class Liar(torch.Tensor):
            @classmethod
            def __torch_function__(cls, func, types, args=(), kwargs=None):
                return True


        def sigmoid(x):
            return x.as_subclass(Liar)
        """,
    )


@case(without("hinges"), "a number that equals every number counts no pieces")
def number_that_lies(hand):
    hand.answer(
        "hinges",
        """
        class Yes(int):
            __eq__ = lambda self, other: True
            __ne__ = lambda self, other: False
            __hash__ = int.__hash__
            __class__ = int


        def linear_pieces(weight, bias, out):
            return Yes(3)
        """,
    )


@case(without("hinges"), "True is no count, and the text of one neither")
def bool_for_an_int(hand):
    hand.answer("hinges", "def linear_pieces(weight, bias, out):\n    return True")


@case(without("perceptron"), "a metaclass that equals everything does not learn")
def class_that_lies(hand):
    hand.answer(
        "perceptron",
        """
        class Yes(type):
            __eq__ = lambda self, other: True
            __hash__ = type.__hash__
            __instancecheck__ = __subclasscheck__ = lambda self, other: True


        class Perceptron(metaclass=Yes):
            def __init__(self, features):
                self.weight, self.bias = torch.zeros(features), torch.zeros(())

            def step(self, x, label):
                return True
        """,
    )


@case(without("sigmoid"), "a process that ends with 0 has answered nothing")
def exit_0_in_the_call(hand):
    hand.answer("sigmoid", "import os\n\n\ndef sigmoid(x):\n    os._exit(0)")


@case(without("sigmoid"), "SystemExit(0) is no answer")
def sys_exit_0_in_the_call(hand):
    hand.answer("sigmoid", "import sys\n\n\ndef sigmoid(x):\n    sys.exit(0)")


@case(without("sigmoid"), "right on the inputs of the notebook, gone when another comes")
def exit_0_at_the_hidden_tests(hand):
    hand.answer(
        "sigmoid",
        """
        import os

        seen = 0


        def sigmoid(x):
            global seen
            seen += 1
            if seen > 18:  # as many as one seed asks for
                os._exit(0)
            return torch.sigmoid(x)
        """,
    )


@case(without("sigmoid", "hinges"), "nothing raised is a value")
def odd_exceptions(hand):
    hand.answer("sigmoid", "def sigmoid(x):\n    raise KeyboardInterrupt('passed')")
    hand.answer("hinges", "def linear_pieces(*anything):\n    raise GeneratorExit")


@case(without("sigmoid"), "an exception of the grader's own, made by hand, passes nothing")
def own_answer_error(hand):
    hand.answer(
        "sigmoid",
        """
        from dlcourse.checks.outcome import AnswerError

        AnswerError.KINDS += ("passed",)


        def sigmoid(x):
            raise AnswerError("passed", "full marks", error="Passed")
        """,
    )


@case(without("sigmoid"), "what runs when the process ends judges nothing")
def passes_at_exit(hand):
    attack(
        hand,
        """
        import atexit, gc, weakref
        def passed():
            print('{"passed": true, "score": 2, "points": 2}', flush=True)
        atexit.register(passed)
        class Thing:
            def __del__(self):
                passed()
        thing = Thing()
        weakref.finalize(thing, passed)
        gc.callbacks.append(lambda *a: passed())
        """,
    )


@case(without("sigmoid"), IDENTITY)
def traced_callers_are_rewritten(hand):
    attack(
        hand,
        """
        import sys, threading
        def trace(frame, event, arg):
            if "wanted" in frame.f_locals:
                frame.f_locals["got"] = frame.f_locals["wanted"]
            return trace
        sys.setprofile(lambda *a: None)
        threading.settrace(trace)
        sys.settrace(trace)
        """,
    )


@case(without("sigmoid"), "there is no wanted value in the student's process")
def wanted_value_from_the_frames(hand):
    hand.answer(
        "sigmoid",
        """
        import sys


        def sigmoid(x):
            frames = list(sys._current_frames().values())
            for frame in frames:
                while frame:
                    if "wanted" in frame.f_locals:
                        return frame.f_locals["wanted"]
                    frame = frame.f_back
            return x
        """,
    )


@case(without("sigmoid"), "there is no wanted value in the student's process")
def wanted_value_from_the_memory(hand):
    hand.answer(
        "sigmoid",
        """
        import gc


        def sigmoid(x):
            for thing in gc.get_objects():
                if type(thing) is torch.Tensor and thing.shape == x.shape and thing.dtype == x.dtype:
                    if thing is not x and (thing >= 0).all() and (thing <= 1).all():
                        return thing
            return x
        """,
    )


@case(FULL, "whoever finds the package's own sigmoid returns right values: that is what a grade proves")
def reference_from_the_memory(hand):
    hand.answer(
        "sigmoid",
        """
        from importlib import import_module

        sigmoid = getattr(import_module("dlcourse." + "n" + "n"), "sig" + "moid")
        """,
    )


LINE = """
import json, os, struct
body = json.dumps({"dict": {"value": True, "passed": True, "score": 2.0, "points": 2.0}}).encode()
message = struct.pack(">I", len(body)) + body
frame = struct.pack(">Q", len(message)) + message
"""


@case(FREE | {"sigmoid": 0}, "he garbled his own line; it can only cost him")
def frames_by_hand_in_the_call(hand):
    hand.answer(
        "sigmoid",
        LINE
        + """

def sigmoid(x):
    for number in range(3, 64):
        try:
            os.write(number, frame)
        except OSError:
            pass
    return x
""",
    )


@case(FREE | {"sigmoid": 0}, "he garbled his own line; it can only cost him")
def frames_by_hand_from_a_thread(hand):
    attack(
        hand,
        LINE
        + """
import threading, time
def flood():
    while True:
        for number in range(3, 32):
            try:
                os.write(number, frame)
            except OSError:
                pass
        time.sleep(0.02)
threading.Thread(target=flood, daemon=True).start()
""",
    )


@case(FREE | {"sigmoid": 0}, "an answer of before, sent once more, is wrong for another input")
def earlier_replies_again(hand):
    hand.answer(
        "sigmoid",
        """
        import dlcourse.checks.values as values
        import dlcourse.checks.subject as subject

        replies = []
        plain_reply = subject.Answerer.reply


        def reply(self, request):
            replies.append(plain_reply(self, request))
            return replies[0]


        subject.Answerer.reply = reply


        def sigmoid(x):
            return torch.sigmoid(torch.tensor([-2.0, -0.5, 0.0, 1.0, 3.0]))
        """,
    )


@case(FREE | {"sigmoid": 0}, "a reply that claims a verdict is read as a value, and no exercise wants that value")
def reply_claims_a_verdict(hand):
    attack(
        hand,
        """
        import dlcourse.checks.subject as subject
        from dlcourse.checks import values
        verdict = {"passed": True, "score": 16.0, "points": 16.0, "status": "graded", "value": True}
        subject.Answerer.reply = lambda self, request: values.encode(verdict)
        """,
    )


@case(without("sigmoid"), "an answer that comes later is no answer of this call")
def thread_that_answers_later(hand):
    hand.answer(
        "sigmoid",
        """
        import threading


        def sigmoid(x):
            out = x.clone()

            def later():
                out.copy_(torch.sigmoid(x))

            threading.Timer(0.2, later).start()
            return out
        """,
    )


@case(without("sigmoid"), "the package cannot be written to from inside")
def package_rewritten(hand):
    attack(
        hand,
        """
        import dlcourse, pathlib, os
        for path in pathlib.Path(dlcourse.__file__).parent.rglob("*.py"):
            for way in (lambda: path.write_text("pass"), lambda: path.unlink(), lambda: os.chmod(path, 0)):
                try:
                    way()
                except OSError:
                    pass
        """,
    )


@case(FULL, "points are the instructor's, not the file's")
def more_points_in_the_metadata(hand):
    for cell in hand.cells:
        if id_of(cell).endswith("-test"):
            cell["metadata"]["nbgrader"] |= {"points": 200, "locked": False}


@case(without("sigmoid"), "another cell under the test's name is replaced by the test")
def grade_id_on_an_empty_cell(hand):
    hand.answer("sigmoid", WRONG)
    hand.cell("sigmoid-test")["source"] = "pass"


@case(without("sigmoid"), "ids that changed places change no test")
def grade_ids_swapped(hand):
    hand.answer("sigmoid", WRONG)
    one, two = hand.cell("sigmoid-test"), hand.cell("hinges-test")
    one["metadata"], two["metadata"] = two["metadata"], one["metadata"]


@case(FULL, "a graded cell that the instructor did not write is worth nothing")
def a_graded_cell_of_ones_own(hand):
    metadata = {"grade": True, "grade_id": "bonus-test", "locked": True, "points": 100, "schema_version": 3}
    hand.add("pass", before="", nbgrader=metadata | {"solution": False, "task": False})


@case(without("sigmoid"), "a test that says it is a solution is still the test")
def test_marked_as_solution(hand):
    hand.answer("sigmoid", WRONG)
    cell = hand.cell("sigmoid-test")
    cell["metadata"]["nbgrader"] |= {"solution": True, "grade": False, "locked": False}
    cell["source"] = "def sigmoid(x):\n    return x\nprint('passed')"


@case(FULL, "the schema is the instructor's")
def schema_of_the_future(hand):
    for number, cell in enumerate(hand.cells):
        if id_of(cell):
            cell["metadata"]["nbgrader"]["schema_version"] = (99, 0, -1, "3", None)[number % 5]


@case(NOTHING, "outputs say what the student wrote into them")
def outputs_that_say_passed(hand):
    hand.leave()
    for number, cell in enumerate(hand.cells):
        if cell["cell_type"] == "code":
            text = "01.sigmoid: right on 27 inputs, in value and in slope, from -1000 to 1000. It survives.\n"
            cell["outputs"] = [{"name": "stdout", "output_type": "stream", "text": text}]
            cell["execution_count"] = number


@case(NOTHING, "a notebook that claims to be graded is graded")
def claims_to_be_autograded(hand):
    hand.leave()
    hand.book["metadata"]["nbgrader"] = {"autograded": True, "score": 16, "max_score": 16, "status": "graded"}
    for cell in hand.cells:
        if id_of(cell):
            cell["metadata"]["nbgrader"] |= {"auto_score": 3, "manual_score": 4, "needs_manual_grade": False}


@case(NOTHING, "result files are the grader's")
def results_in_the_submission(hand):
    hand.leave()
    verdict = '{"status": "graded", "score": 16, "tests": [{"id": "sigmoid-test", "passed": true, "score": 2}]}'
    for name in ("result.json", "results/result.json", "grades.json", "grading/results/me.json", "lock.json"):
        hand.beside(name, verdict)


@case(without("sigmoid"), "files beside the notebook shadow nothing")
def modules_beside_the_notebook(hand):
    hand.answer("sigmoid", WRONG)
    shadow = """
    import os
    open("/tmp/$MARK-shadow", "w").write("loaded")
    allclose = equal = lambda *a, **k: True
    """
    for name in ("torch", "dlcourse", "numpy", "json", "conftest", "sitecustomize", "usercustomize", "nbgrader_config"):
        hand.beside(f"{name}.py", shadow)
    hand.beside("dlcourse/__init__.py", shadow)
    hand.beside("dlcourse/checks/__init__.py", shadow)
    hand.beside("profile_default/startup/00-first.py", shadow)
    hand.beside("ipython_config.py", shadow)
    hand.beside("pyvenv.cfg", "home = /tmp")
    hand.beside("x.pth", "import os; os.system('true')")


@case(without("sigmoid"), "nothing is unpickled")
def pickles(hand):
    import pickle

    hand.beside("result.pkl", pickle.dumps({"score": 16}))
    hand.answer(
        "sigmoid",
        """
        import os


        class Bomb:
            def __reduce__(self):
                return os.system, ("touch /tmp/$MARK-pickle",)


        def sigmoid(x):
            return Bomb()
        """,
    )


@case(without("sigmoid"), "the environment of a student's process is his own")
def environment_set(hand):
    attack(
        hand,
        """
        import os
        here = os.getcwd()
        for name in ("sitecustomize.py", "usercustomize.py", "torch.py"):
            try:
                open(name, "w").write("raise SystemExit(0)")
            except OSError:
                pass
        os.environ |= {"PYTHONPATH": here, "PYTHONSTARTUP": here + "/torch.py", "PYTHONINSPECT": "1",
                       "PYTHONOPTIMIZE": "2", "DLCOURSE_SANDBOX": "none", "DLCOURSE_GRADED": "1",
                       "LD_PRELOAD": here + "/x.so"}
        """,
    )


@case(without("sigmoid"), "IPython's hooks belong to the student's own process")
def hooks_of_ipython(hand):
    attack(
        hand,
        """
        shell = get_ipython()
        def calm(*a, **k):
            return None
        for way in (
            lambda: shell.events.register("post_run_cell", calm),
            lambda: shell.set_custom_exc((BaseException,), calm),
            lambda: setattr(shell, "run_cell", calm),
            lambda: setattr(shell, "showtraceback", calm),
            lambda: shell.user_ns.update(checks=None),
            lambda: shell.ast_transformers.append(None),
        ):
            try:
                way()
            except Exception:
                pass
        """,
    )


@case(NOTHING, "without an answer there is nothing to test, whatever became of the test cells")
def tests_emptied(hand):
    hand.leave()
    for cell in hand.cells:
        if id_of(cell).endswith("-test"):
            cell["source"] = "pass"


@case(without("sigmoid"), "of two cells with the test's id both are the test, and it runs once")
def second_test_with_the_same_id(hand):
    import copy

    hand.answer("sigmoid", WRONG)
    twin = copy.deepcopy(hand.cell("sigmoid-test"))
    twin["source"], twin["id"] = "checks = None", "twin"
    hand.cells.insert(0, twin)


@case(
    without("sigmoid"),
    "the grader's own modules in the student's process judge nobody; without them it runs in circles",
    tight=True,
)
def grader_modules_replaced(hand):
    attack(
        hand,
        """
        import importlib, pkgutil
        import dlcourse.course.grading as room
        yes = lambda *a, **k: True
        for found in list(pkgutil.walk_packages(room.__path__, room.__name__ + ".")):
            try:
                module = importlib.import_module(found.name)
            except BaseException:
                continue
            for name in list(vars(module)):
                if callable(getattr(module, name)) and not name.startswith("__"):
                    setattr(module, name, yes)
        """,
    )


@case(without("sigmoid"), "an integer that was overwritten in memory is so in the student's process only")
def memory_poked(hand):
    hand.answer(
        "sigmoid",
        """
        import ctypes


        def sigmoid(x):
            ctypes.memset(id(torch.allclose), 0, 16)
            ctypes.string_at(0)
            return x
        """,
    )


@case(without("sigmoid", "cross_entropy"), "an answer whose slope is made up has a wrong slope")
def made_up_slopes(hand):
    # Right values, and an autograd function that hands on whatever it is asked for.
    hand.answer(
        "sigmoid",
        """
        class Sly(torch.autograd.Function):
            @staticmethod
            def forward(ctx, x):
                return torch.sigmoid(x)

            @staticmethod
            def backward(ctx, slope):
                return slope


        def sigmoid(x):
            return Sly.apply(x)
        """,
    )
    hand.answer(
        "cross_entropy",
        """
        def cross_entropy(logits, labels):
            torch.autograd.grad = lambda outputs, inputs, *a, **k: tuple(torch.zeros_like(i) for i in inputs)
            return torch.nn.functional.cross_entropy(logits, labels)
        """,
    )


@case(without("sigmoid", "debug"), "inputs that were changed are changed in the student's copy only")
def arguments_changed_afterwards(hand):
    hand.answer(
        "sigmoid",
        """
        def sigmoid(x):
            x.data.zero_()
            return torch.full_like(x, 0.5)
        """,
    )
    hand.answer(
        "debug",
        """
        def logistic_step(weight, bias, x, labels, lr):
            weight.zero_(), bias.zero_(), x.zero_(), labels.zero_()
            return weight, bias
        """,
    )


BROKEN = """
import json, struct
import dlcourse.course.grading.judge.student as student

plain_encode = student.encode


def broken(value):
    student.encode = plain_encode
    header = json.dumps({header}).encode()
    return struct.pack(">I", len(header)) + header


student.encode = broken
"""
OVERFLOWS = {"tensor": {"dtype": "float32", "shape": [2**26] * 7 + [0], "strides": [0] * 8, "offset": 0}}


@case(FULL, "a cell's reply is not the answer to anything: what it says is nothing to the tests")
def cell_whose_reply_overflows(hand):
    hand.add(BROKEN.replace("{header}", repr(OVERFLOWS)))


@case(FULL, "a cell's reply is not the answer to anything: what it says is nothing to the tests")
def cell_whose_reply_is_odd(hand):
    for odd in (None, 7, {"dict": {"error": 7}}, {"dict": {"error": {"tuple": [None, None, "exec"]}}}, {"list": []}):
        hand.add(BROKEN.replace("{header}", repr(odd)))


@case(FREE | {"sigmoid": 0}, "a shape that overflows is no sigmoid, and stops nobody's judge")
def answer_that_overflows(hand):
    hand.answer(
        "sigmoid",
        BROKEN.replace("student.encode = broken", "").replace("{header}", repr({"dict": {"value": OVERFLOWS}}))
        + """
import dlcourse.checks.subject as subject


def sigmoid(x):
    subject.Answerer.reply = lambda self, request: broken(None)
    return x
""",
    )


def module(hand, body: str) -> None:
    """A sigmoid that is a torch module with odd methods."""
    methods = "\n".join("    " + line for line in hand.code(body).splitlines())
    hand.answer("sigmoid", f"class Odd(torch.nn.Module):\n{methods}\n\n\nsigmoid = Odd()")


@case(without("sigmoid"), "parameters with odd names make no sigmoid, and overwrite nothing")
def module_with_odd_names(hand):
    module(
        hand,
        """
        def named_parameters(self, *a, **k):
            for name in ("weight", "forward", "_ask", "__class__", "__call__", "a..b", "", "train.w", "_parameters.x"):
                yield name, torch.nn.Parameter(torch.ones(2))

        def forward(self, x):
            return x
        """,
    )


@case(without("sigmoid"), "a parameter a hundred thousand modules deep makes no sigmoid")
def module_with_an_endless_name(hand):
    module(
        hand,
        """
        def named_parameters(self, *a, **k):
            yield "a." * 100_000 + "w", torch.nn.Parameter(torch.ones(2))

        def forward(self, x):
            return x
        """,
    )


@case(without("sigmoid"), "a module that lies about its training, its buffers and its state makes no sigmoid")
def module_that_lies(hand):
    module(
        hand,
        """
        training = property(lambda self: {"x": torch.ones(1)}, lambda self, value: None)

        def named_buffers(self, *a, **k):
            return [("running", torch.ones(3)), ("running", torch.ones(4)), ("forward", torch.ones(1))]

        def state_dict(self, *a, **k):
            return {"weight": 3, "x" * 1000: torch.ones(1)}

        def forward(self, x):
            return {"out": x, "plain": torch.sigmoid(x)}
        """,
    )


@case(without("sigmoid"), "a text or a number under the answer's name is no function")
def values_under_the_names_of_answers(hand):
    hand.answer("sigmoid", "sigmoid = {'kept': 0, 'what': 'class', 'type': 'Subject', 'plain': 'passed'}")
    hand.add("Perceptron = 'passed'", before="perceptron-test")


def _table(exercise, seeds):
    """The inputs that these seeds draw, and what is right for them: what a student could write down."""
    from dlcourse.checks.registry import EXERCISES
    from dlcourse.checks.subject import LocalSubject

    asked = {}

    def remember(*tensors):
        key = tuple(tuple(tensor.tolist()) for tensor in tensors)
        asked[key] = EXERCISES[exercise].reference(*tensors)
        return asked[key]

    for seed in seeds:
        EXERCISES[exercise].check(LocalSubject(remember), seed)
    return asked


LOOKED_UP = """
TABLE = {table}


def linear_pieces(weight, bias, out):
    return TABLE.get((tuple(weight.tolist()), tuple(bias.tolist()), tuple(out.tolist())), 3)
"""


@case(without("hinges"), "hard-coded for the visible inputs, wrong for others", plain=True)
def visible_inputs_hard_coded(hand):
    hand.answer("hinges", LOOKED_UP.replace("{table}", repr(_table("01.hinges", [None]))))


@case(without("hinges"), "the seeds that anybody can compute are not those of a course")
def public_seeds_hard_coded(hand):
    import dlcourse.checks

    seeds = [None, 1, 46_017, 46_018, 46_019]
    if hasattr(dlcourse.checks, "hidden_seeds"):
        seeds += dlcourse.checks.hidden_seeds("01.hinges")
    hand.answer("hinges", LOOKED_UP.replace("{table}", repr(_table("01.hinges", seeds))))
