"""Submissions that take too much, never end, or end themselves: each costs its own test or cell, and nothing else."""

from dlcourse_hostile import FREE, FULL, POINTS, case, without

OWN_TEST = "the test whose answer it is, and no other"
OWN_CELL = "a cell of the student's own, left out; every answer is right"


# --- memory ---------------------------------------------------------------------------------------------------------


@case(without("sigmoid"), OWN_TEST)
def huge_tensor_in_the_call(hand):
    hand.answer("sigmoid", "def sigmoid(x):\n    return torch.ones(2**36)")


@case(without("sigmoid", "hinges"), OWN_TEST)
def memory_that_grows_in_the_call(hand):
    hand.answer(
        "sigmoid",
        """
        def sigmoid(x):
            kept = []
            while True:
                kept.append(torch.ones(2**24))
        """,
    )
    hand.answer("hinges", "def linear_pieces(weight, bias, out):\n    return len('a' * 10**11)")


@case(FULL, OWN_CELL)
def huge_list_in_a_cell(hand):
    hand.add("numbers = [0] * 10**11")
    hand.add("text = 'x' * 10**12")
    hand.add("doubling = [0]\nwhile True:\n    doubling += doubling", before="xor-answer")


@case(FREE, "he kept all the memory there is; what is left is his own affair", slow=True)
def memory_kept(hand):
    hand.add(
        """
        kept = []
        size = 2**28
        while size > 2**12:
            try:
                kept.append(bytearray(size))
            except MemoryError:
                size //= 2
        """
    )


@case(without("sigmoid"), OWN_TEST)
def endless_recursion(hand):
    hand.answer("sigmoid", "def sigmoid(x):\n    return sigmoid(x)")


@case(without("sigmoid"), OWN_TEST)
def stack_overflow(hand):
    # With Python's own limit lifted the process dies of it.
    hand.answer(
        "sigmoid",
        """
        import sys

        sys.setrecursionlimit(10**9)


        class Deep:
            def __repr__(self):
                return repr([self])


        def sigmoid(x):
            nested = ()
            for _ in range(10**6):
                nested = (nested,)
            hash(nested)
            return repr(Deep())
        """,
    )


@case(FREE, "a thousand threads take the memory of his own process", slow=True)
def many_threads(hand):
    hand.add(
        """
        import threading
        for _ in range(1_000):
            threading.Thread(target=threading.Event().wait, daemon=True).start()
        """
    )


# --- processes ------------------------------------------------------------------------------------------------------


@case(FULL, OWN_CELL)
def fork_bomb(hand):
    hand.add("import os\nwhile True:\n    os.fork()")
    hand.add(
        """
        import os, subprocess, multiprocessing, pty
        for way in (
            lambda: os.fork(), lambda: os.forkpty(), lambda: pty.fork(),
            lambda: subprocess.Popen(["sleep", "1000", "$MARK"], start_new_session=True),
            lambda: os.posix_spawn("/bin/sleep", ["sleep", "1000", "$MARK"], {}),
            lambda: multiprocessing.get_context("fork").Process(target=print).start(),
        ):
            try:
                way()
            except (OSError, RuntimeError):
                pass
        os.system("sleep 1000 $MARK &")
        """
    )


@case(without("sigmoid"), OWN_TEST)
def fork_in_the_call(hand):
    # A child that lived would answer on the same line as its parent.
    hand.answer("sigmoid", "import os\n\n\ndef sigmoid(x):\n    os.fork()\n    return x")


@case(FULL, OWN_CELL)
def exec_in_a_cell(hand):
    hand.add("import os\nos.execv('/bin/true', ['true', '$MARK'])")
    hand.add("import os, sys\nos.execv(sys.executable, [sys.executable, '-c', 'while True: pass'])")


@case(without("sigmoid"), OWN_TEST)
def exec_in_the_call(hand):
    hand.answer("sigmoid", "import os\n\n\ndef sigmoid(x):\n    os.execv('/bin/true', ['true'])")


@case(FULL, OWN_CELL)
def exit_in_a_cell(hand):
    hand.add("import os\nos._exit(0)")
    hand.add("import sys\nsys.exit(0)", before="xor-answer")
    hand.add("raise KeyboardInterrupt", before="hinges-answer")


@case(FULL, OWN_CELL)
def crash_in_a_cell(hand):
    hand.add("import ctypes\nctypes.string_at(0)")


@case(FULL, OWN_CELL)
def abort_in_a_cell(hand):
    hand.add("import os\nos.abort()", before="cross_entropy-answer")


@case(without("sigmoid"), OWN_TEST)
def crash_in_the_call(hand):
    hand.answer("sigmoid", "import ctypes\n\n\ndef sigmoid(x):\n    return ctypes.string_at(0)")


@case(without("debug"), "the exercise whose cell dies before its function is written; the rest counts")
def exit_before_the_definition(hand):
    hand.before("debug", "import os\nos._exit(0)")


@case(FULL, OWN_CELL)
def kills_everybody(hand):
    hand.add(
        """
        import os, signal
        for pid in (os.getppid(), 1, 2, -os.getppid(), $PID, *range(max(2, os.getpid() - 4), os.getpid())):
            for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
                try:
                    os.kill(pid, number)
                except OSError:
                    pass
        """
    )


@case(FULL, OWN_CELL)
def kills_its_group(hand):
    hand.add("import os\nos.kill(0, 9)")
    hand.add("import os\nos.kill(-1, 9)", before="xor-answer")


@case(without("sigmoid"), OWN_TEST)
def kills_itself_in_the_call(hand):
    hand.answer("sigmoid", "import os\n\n\ndef sigmoid(x):\n    os.kill(os.getpid(), 9)\n    return x")


@case(without("sigmoid"), OWN_TEST)
def stops_itself_in_the_call(hand):
    hand.answer("sigmoid", "import os\n\n\ndef sigmoid(x):\n    os.kill(os.getpid(), 19)\n    return x")


@case(FULL, OWN_CELL)
def closes_every_descriptor(hand):
    hand.add("import os\nos.closerange(0, 65536)")


@case(without("sigmoid"), OWN_TEST)
def closes_every_descriptor_in_the_call(hand):
    hand.answer("sigmoid", "import os\n\n\ndef sigmoid(x):\n    os.closerange(0, 65536)\n    return torch.sigmoid(x)")


@case(FULL, "a thread that never ends holds up nobody: it ends with its process")
def thread_that_never_ends(hand):
    hand.add("import threading\nthreading.Thread(target=threading.Event().wait).start()")


# --- time -----------------------------------------------------------------------------------------------------------


@case(without("sigmoid"), OWN_TEST, tight=True)
def busy_in_the_call(hand):
    hand.answer("sigmoid", "def sigmoid(x):\n    while True:\n        pass")


@case(FULL, OWN_CELL, tight=True)
def busy_in_a_cell(hand):
    hand.add("while True:\n    pass")


@case(without("sigmoid"), OWN_TEST, slow=True, tight=True)
def sleeps_in_the_call(hand):
    hand.answer("sigmoid", "import time\n\n\ndef sigmoid(x):\n    time.sleep(10**6)")


@case(FULL, OWN_CELL, tight=True)
def sleeps_in_a_cell(hand):
    hand.add("import time\ntime.sleep(10**6)")


@case(without("sigmoid"), OWN_TEST, slow=True, tight=True)
def busy_at_the_hidden_tests(hand):
    hand.answer(
        "sigmoid",
        """
        calls = 0


        def sigmoid(x):
            global calls
            calls += 1
            while calls > 18:  # as many as one seed asks for
                pass
            return torch.sigmoid(x)
        """,
    )


@case(without("hinges"), OWN_TEST, tight=True)
def busy_in_c(hand):
    hand.answer(
        "hinges",
        "import re\n\n\ndef linear_pieces(weight, bias, out):\n    return len(re.findall('(a*)*b', 'a' * 40))",
    )


@case(FULL, OWN_CELL, slow=True, tight=True)
def busy_in_c_in_a_cell(hand):
    hand.add("power = 7 ** 10**9")


@case(without("sigmoid"), OWN_TEST, slow=True, tight=True)
def signals_ignored(hand):
    hand.answer(
        "sigmoid",
        """
        import signal

        for number in range(1, 65):
            try:
                signal.signal(number, signal.SIG_IGN)
            except (OSError, ValueError):
                pass


        def sigmoid(x):
            while True:
                try:
                    while True:
                        pass
                except BaseException:
                    pass
        """,
    )


@case(FREE, "an alarm clock in his own process rings for himself", slow=True)
def alarm_clock(hand):
    hand.add("import signal\nsignal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)")


@case(FREE, "threads that burn his own time", slow=True, tight=True)
def busy_threads(hand):
    hand.add(
        """
        import threading
        def burn():
            while True:
                sum(range(1000))
        for _ in range(20):
            threading.Thread(target=burn, daemon=True).start()
        """
    )


@case(without("sigmoid"), OWN_TEST, slow=True, tight=True)
def every_answer_a_little_late(hand):
    # Right, and each time when nobody waits any longer.
    hand.answer("sigmoid", "import time\n\n\ndef sigmoid(x):\n    time.sleep(2)\n    return torch.sigmoid(x)")


@case(
    FREE,
    "answers that are right and come just in time, all day long: there is a score all the same",
    slow=True,
    tight=True,
)
def every_answer_just_in_time(hand):
    # Each call stays below its limit, all together would keep a grader busy for a day.
    hand.solve("perceptron")
    for name in ("sigmoid", "debug", "cross_entropy", "hinges"):
        hand.before(name, "import time")
        cell = hand.cell(f"{name}-answer")
        first, rest = cell["source"].split('"""', 1)
        cell["source"] = f'{first}time.sleep(0.9)\n    """{rest}'


@case(
    FREE,
    "weights that are right, in a state of 60 MB, a thousand times: there is a score all the same",
    slow=True,
    tight=True,
)
def ballast_in_the_state(hand):
    hand.solve("perceptron")
    cell = hand.cell("perceptron-answer")
    ballast = "self.junk = torch.zeros(60 * 2**20, dtype=torch.bool)[:: 60 * 2**20 - 1]\n        self.weight ="
    cell["source"] = cell["source"].replace("self.weight =", ballast, 1)


# He does not know which number his line has, so he writes to all.
FRAME = """
import os, struct, time


def write(message):
    for number in range(3, 32):
        try:
            os.write(number, message)
        except OSError:
            pass


def sigmoid(x):
    write(struct.pack(">Q", {length}))
"""


@case(FREE | {"sigmoid": 0}, "a frame that claims the world is an answer of nobody")
def frame_that_claims_the_world(hand):
    hand.answer("sigmoid", FRAME.replace("{length}", "2**60"))


@case(FREE | {"sigmoid": 0}, "a frame that drips in has as long as any other", slow=True, tight=True, clock=True)
def frame_that_drips(hand):
    hand.answer(
        "sigmoid",
        FRAME.replace("{length}", "10**6")
        + """
    while True:
        time.sleep(0.2)
        write(b"x")
""",
    )


@case(FREE | {"sigmoid": 0}, "who floods his own line is cut off")
def line_flooded(hand):
    hand.answer(
        "sigmoid",
        """
        import os


        def sigmoid(x):
            for number in range(3, 32):
                try:
                    os.set_blocking(number, False)
                    while True:
                        os.write(number, bytes(2**16))
                except OSError:
                    pass
        """,
    )


# --- floods ---------------------------------------------------------------------------------------------------------


@case(FULL, "what is printed is nobody's concern, however much it is")
def output_flood(hand):
    hand.add(
        """
        import os, sys, warnings
        line = "HOSTILE " * 1000
        for _ in range(2_000):
            print(line)
            sys.stderr.write(line)
            os.write(1, line.encode())
            os.write(2, line.encode())
        for number in range(3_000):
            warnings.warn(f"{number} {line[:200]}")
        """
    )
    hand.add("from IPython.display import display, HTML\nfor _ in range(300):\n    display(HTML('HOSTILE' * 10_000))")


@case(without("sigmoid"), "the message of an exception is cut, the score is not")
def endless_message(hand):
    hand.answer(
        "sigmoid",
        """
        def sigmoid(x):
            print("HOSTILE" * 10**6)
            raise type("E" * 10**6, (Exception,), {})("HOSTILE " * 10**6)
        """,
    )


@case(FULL, "a right answer that warns a thousand times is right")
def warning_flood(hand):
    hand.before("sigmoid", "import warnings\nwarnings.simplefilter('always')")
    cell = hand.cell("sigmoid-answer")
    warn = 'for number in range(1_000):\n        warnings.warn(f"{number}" * 100)\n    """x'
    cell["source"] = cell["source"].replace('"""x', warn, 1)


@case(without("sigmoid"), "an exception whose text cannot be had is an exception")
def exception_without_words(hand):
    hand.answer(
        "sigmoid",
        """
        class Mute(Exception):
            def __str__(self):
                raise self

            __repr__ = __str__


        def sigmoid(x):
            raise Mute
        """,
    )


@case(FULL, "nested exceptions of a cell that failed cost nothing")
def endless_chain_of_exceptions(hand):
    hand.add(
        """
        error = None
        for number in range(20_000):
            inner = ValueError(number)
            inner.__cause__ = error
            error = inner
        raise error
        """
    )


@case(dict.fromkeys(POINTS, 0), "every test raises, in turn and in every way")
def everything_hangs_or_dies(hand):
    hand.answer("sigmoid", "import os\n\n\ndef sigmoid(x):\n    os._exit(1)")
    hand.answer("perceptron", "class Perceptron:\n    def __init__(self, features):\n        os.kill(os.getpid(), 11)")
    hand.answer("debug", "def logistic_step(*a):\n    os.closerange(0, 4096)")
    hand.answer("cross_entropy", "def cross_entropy(*a):\n    raise MemoryError")
    hand.answer("xor", "def xor_weights():\n    os.abort()")
    hand.answer("hinges", "def linear_pieces(*a):\n    raise RecursionError")
