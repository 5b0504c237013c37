"""Submissions that look for what is not theirs, and tell it by every way that leads to a page which a student may read.

Every secret of the course that the tests lay out holds a word CANARY and 16 hex digits; a spy says what he found of
them. The spies' sigmoid always fails, so that its message is shown; the other answers are right.
"""

from dlcourse_hostile import FULL, Submission, case, knowing, without

LOST = "the spy's sigmoid raises; what it says must hold nothing that it was not given"

# `tell` shouts what it found on all channels: text and class of an exception, a warning, output, a name, a value.
SPY = """
import glob, os, re, sys, warnings

SECRET = re.compile(rb"CANARY" + rb"[0-9a-f]{16}")
FOUND = set()


def look(where):
    for path in where:
        try:
            with open(path, "rb", buffering=0) as file:
                FOUND.update(SECRET.findall(file.read(2**22)))
        except (OSError, ValueError):
            pass


def tell(*more):
    text = " ".join(sorted(found.decode() for found in FOUND)) + " ".join(map(str, more)) or "nothing"
    print(text)
    print(text, file=sys.stderr)
    warnings.warn(text)
    globals()["found_" + text.replace(" ", "_")] = text
    error = type("Spied_" + re.sub(r"\\W", "_", text), (Exception,), {})
    raise error(text)
"""


def spy(hand: Submission, search: str) -> None:
    """`search` runs in a cell of its own and again in the sigmoid's call, which then tells."""
    search = hand.code(search)
    body = "\n".join("    " + line for line in search.splitlines())
    hand.add(f"{SPY}\n\ndef search():\n{body}\n\n\nsearch()")
    hand.answer("sigmoid", "def sigmoid(x):\n    search()\n    tell()")
    hand.add("search()\ntell()", before="")


@case(without("sigmoid"), LOST)
def reads_environments(hand):
    spy(
        hand,
        """
        FOUND.update(SECRET.findall(repr(dict(os.environ)).encode()))
        look(glob.glob("/proc/*/environ") + glob.glob("/proc/*/cmdline") + ["/proc/self/environ", "/proc/$PID/environ"])
        look(f"/proc/{os.getppid() + step}/environ" for step in range(-20, 1))
        """,
    )


@case(without("sigmoid"), LOST)
def reads_the_course(hand):
    spy(
        hand,
        """
        for top in ("$COURSE", "$HOME", "$KEYS", "..", "../..", "../../.."):
            for folder, folders, names in os.walk(top):
                # Of the machine's own folders another case sees enough.
                folders[:] = [name for name in folders if name not in ("proc", "sys", "usr", "lib", "site-packages")]
                look(os.path.join(folder, name) for name in names if not name.endswith((".py", ".pyc", ".so")))
        """,
    )


@case(without("sigmoid"), LOST)
def reads_the_whole_tree(hand):
    spy(
        hand,
        """
        import time
        end = time.process_time() + 0.1
        skipped = ("/proc", "/sys", "/usr", "/lib", sys.prefix)
        for folder, folders, names in os.walk("/"):
            folders[:] = [name for name in folders if not os.path.join(folder, name).startswith(skipped)]
            look(os.path.join(folder, name) for name in names if name.endswith((".ipynb", ".json", ".db", ".txt", "y")))
            if time.process_time() > end:
                break
        """,
    )


@case(without("sigmoid"), LOST)
def reads_its_own_memory(hand):
    # The process is a fork of the grader's: what its parent held before would be here still.
    spy(
        hand,
        """
        import gc
        for text in gc.get_objects():
            if type(text) is dict:
                for value in list(text.values()):
                    if type(value) in (str, bytes):
                        value = value.encode(errors="replace") if type(value) is str else value
                        FOUND.update(SECRET.findall(value))
        try:
            maps = open("/proc/self/maps").read().splitlines()
            memory = open("/proc/self/mem", "rb", buffering=0)
        except OSError:
            maps = []
        for line in maps:
            span, mode, *rest = line.split()
            first, last = (int(number, 16) for number in span.split("-"))
            if "w" in mode and len(rest) < 4 and last - first < 2**27:
                try:
                    memory.seek(first)
                    FOUND.update(SECRET.findall(memory.read(last - first)))
                except (OSError, ValueError, OverflowError):
                    pass
        """,
    )


@case(without("sigmoid"), LOST)
def reads_the_memory_of_others(hand):
    spy(
        hand,
        """
        import ctypes
        libc = ctypes.CDLL(None, use_errno=True)
        near = {1, $PID, *range(max(2, os.getpid() - 8), os.getpid() + 8), *range(os.getppid() - 8, os.getppid() + 8)}
        for pid in near - {os.getpid()}:
            libc.ptrace(16, pid, 0, 0)
            look([f"/proc/{pid}/root$COURSE/gradebook.db", f"/proc/{pid}/cwd/gradebook.db", f"/proc/{pid}/mem"])
            look(glob.glob(f"/proc/{pid}/fd/*") + glob.glob(f"/proc/{pid}/map_files/*"))
            buffer = ctypes.create_string_buffer(4096)
            iov = (ctypes.c_size_t * 2)(ctypes.addressof(buffer), 4096)
            there = (ctypes.c_size_t * 2)(0x400000, 4096)
            libc.process_vm_readv(pid, iov, 1, there, 1, 0)
            FOUND.update(SECRET.findall(buffer.raw))
        """,
    )


@case(without("sigmoid"), LOST)
def reads_open_descriptors(hand):
    # Positions are left as they are (pread), and sockets alone: only a file that was left open could be read so.
    spy(
        hand,
        """
        for number in range(1024):
            try:
                FOUND.update(SECRET.findall(os.pread(number, 2**20, 0)))
                FOUND.update(SECRET.findall(os.readlink(f"/proc/self/fd/{number}").encode()))
            except OSError:
                pass
        """,
    )


@case(without("sigmoid"), LOST)
def reads_the_history(hand):
    spy(
        hand,
        """
        names = ("In", "_ih", "_i", "_oh", "Out", "_dh", "hidden_seed_of_sigmoid", "__builtins__", "__loader__")
        said = repr([globals().get(name) for name in names]) + repr(list(globals()))
        FOUND.update(SECRET.findall(said.encode()))
        import linecache
        FOUND.update(SECRET.findall(repr(linecache.cache).encode()))
        for frame in sys._current_frames().values():
            while frame:
                FOUND.update(SECRET.findall(repr((frame.f_locals, frame.f_globals)).encode()))
                frame = frame.f_back
        """,
    )


# The word is put together at run time only, so that it stands in no source.
SHOUTING = 'import warnings\n\nshout = "HIDDEN" + "LEAK"\n'
SHOUT = ("HIDDENLEAK",)


def leak(hand: Submission, source: str) -> None:
    """A sigmoid that knows a hidden input when it sees one."""
    hand.answer("sigmoid", SHOUTING + knowing("01.sigmoid") + hand.code(source))


def catch(hand: Submission) -> None:
    """A right sigmoid that keeps each hidden input in `caught`, for another to tell."""
    leak(
        hand,
        """
        caught = []


        def sigmoid(x):
            if hidden(x):
                caught.append(x)
            return torch.sigmoid(x)
        """,
    )


@case(without("sigmoid"), "wrong where it is hidden, and the message is not shown", hushed=SHOUT)
def hidden_input_in_an_exception(hand):
    leak(
        hand,
        """
        def sigmoid(x):
            if hidden(x):
                raise type(shout + "Error", (ValueError,), {})(shout + repr(x.tolist()))
            return torch.sigmoid(x)
        """,
    )


@case(FULL, "it is right; what it warns of a hidden input is not shown", hushed=SHOUT)
def hidden_input_in_a_warning(hand):
    leak(
        hand,
        """
        def sigmoid(x):
            if hidden(x):
                warnings.warn(shout + repr(x.tolist()))
                print(shout, x)
            return torch.sigmoid(x)
        """,
    )


@case(without("sigmoid"), "a text is no tensor, and the text is not shown", hushed=SHOUT)
def hidden_input_in_a_value(hand):
    leak(hand, "def sigmoid(x):\n    return shout + repr(x.tolist()) if hidden(x) else torch.sigmoid(x)")


@case(FULL, "a later cell that fails costs nothing, and its words are not shown after a hidden test", hushed=SHOUT)
def hidden_input_told_by_a_later_cell(hand):
    catch(hand)
    hand.add(
        """
        if caught:
            name = shout + "_".join(str(abs(int(number))) for number in caught[0].flatten().tolist())
            print(name)
            raise type(name, (Exception,), {})(name)
        """,
        before="explain-task-locked",
    )


@case(without("hinges"), "what one test showed is not told by the answer of another", hushed=SHOUT)
def hidden_input_told_by_another_exercise(hand):
    catch(hand)
    hand.cell("hinges-answer")["source"] += "\n\n\n" + hand.code(
        """
        right = linear_pieces


        def linear_pieces(weight, bias, out):
            if caught:
                raise ValueError(shout + repr(caught))
            return right(weight, bias, out)
        """
    )


@case(without("sigmoid"), "a tensor of no entries has room for a message in its shape", hushed=("314159",))
def hidden_input_in_a_shape(hand):
    leak(hand, "def sigmoid(x):\n    return torch.empty(0, 314160 - 1) if hidden(x) else torch.sigmoid(x)")


@case(
    without("cross_entropy"),
    "what one test showed is not told by the shape of another's answer either",
    hushed=("314159",),
)
def hidden_input_in_the_shape_of_another(hand):
    catch(hand)
    hand.answer(
        "cross_entropy",
        """
        def cross_entropy(logits, labels):
            return torch.empty(0, 314160 - 1) if caught else torch.nn.functional.cross_entropy(logits, labels)
        """,
    )


@case(
    without("sigmoid"),
    "it did not start where it is hidden; the name of the stub is the student's, and not shown",
    hushed=SHOUT,
)
def hidden_input_in_the_name_of_a_stub(hand):
    leak(
        hand,
        """
        def stub():
            raise NotStarted


        def sigmoid(x):
            if hidden(x):
                stub.__code__ = stub.__code__.replace(co_name=shout + "_".join(str(abs(int(n))) for n in x.flatten()))
                stub()
            return torch.sigmoid(x)
        """,
    )


@case(FULL, "which of a hundred later cells fail, and how, tells a hidden input bit by bit", hushed=("BufferError",))
def hidden_input_told_by_cells_that_stop(hand):
    catch(hand)
    for bit in range(100):
        hand.add(
            f"""
            import builtins
            if caught and sum(caught[0].flatten().tolist()).hex().encode()[{bit // 8} % 8] >> {bit % 8} & 1:
                raise getattr(builtins, "Buf" + "ferError")
            """,
            before="explain-task-locked",
        )


@case(without("sigmoid"), "what was kept in a file for the next process is gone with it", hushed=SHOUT)
def hidden_input_kept_in_files(hand):
    leak(
        hand,
        """
        import glob, os

        PLACES = ["kept.txt", os.path.expanduser("~/$MARK-kept")]
        PLACES += [f"{folder}/$MARK-kept" for folder in ("/tmp", "/dev/shm", "/var/tmp", "$TMP")]


        def sigmoid(x):
            for place in PLACES:
                if os.path.exists(place):
                    raise ValueError(shout + open(place).read())
            if hidden(x):
                for place in PLACES:
                    try:
                        open(place, "a").write(repr(x.tolist()))
                    except OSError:
                        pass
                return x
            return torch.sigmoid(x)
        """,
    )


@case(FULL, "a link beside the notebook is not followed, whoever copies the folder")
def links_beside_the_notebook(hand):
    import os

    places = hand.places
    for name, target in (
        ("solution.ipynb.txt", f"{places['COURSE']}/solutions/01-neurons/01-neurons-exercises.ipynb"),
        ("gradebook.txt", f"{places['COURSE']}/gradebook.db"),
        ("secret.txt", f"{places['HOME']}/secret.txt"),
        ("keys", places["KEYS"]),
        ("loop", "."),
    ):
        os.symlink(target, hand.folder / name)


@case(FULL, "pictures and attachments that point elsewhere are text")
def files_named_in_markdown(hand):
    text = "![x]($COURSE/gradebook.db) ![y](attachment:a.txt) <img src='file://$HOME/secret.txt'>\n\n{{ cell }} {% x %}"
    hand.add(text, kind="markdown", before="")["attachments"] = {"a.txt": {"text/plain": "bm90aGluZw=="}}
    hand.cell("explain-manual")["source"] = hand.code(text)


@case(without("sigmoid"), "a script in every text that a page may show stays a text")
def scripts_in_every_text(hand):
    script = "<script>document.title='HOSTILE'</script><img src=x onerror=alert(1)>"
    hand.book["metadata"]["title"] = script
    hand.add(f"{script}\n\n[x](javascript:alert(1))", kind="markdown", before="")
    hand.cell("explain-manual")["source"] = script
    shown = hand.add(f"print({script!r})")
    shown["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": {"text/html": script, "image/svg+xml": script}},
        {"output_type": "error", "ename": script, "evalue": script, "traceback": [script]},
    ]
    hand.answer("sigmoid", f"def sigmoid(x):\n    raise type({script!r}, (Exception,), {{}})({script!r})  # {script}")


@case(
    without("sigmoid"),
    "what a terminal would obey is left out of all that is shown",
    hushed=("\x1b", "\\u001b", "\u202e"),
)
def commands_to_a_terminal(hand):
    command = "\x1b]0;HOSTILE\x07\x1b[2J\x1b[31m\u202e\r\b"
    hand.add(f"raise type({command!r}, (Exception,), {{}})({command!r})")
    hand.add(command, kind="markdown", before="")
    hand.answer("sigmoid", f"def sigmoid(x):\n    raise type({command!r}, (Exception,), {{}})({command!r})")
