"""Copies are found, right answers of different hands are not, and the report shows text without running it."""

import ast
import json
import os
import random
import re
import shutil
import subprocess
import sys
import time
from collections import defaultdict
from functools import cache
from itertools import combinations, pairwise
from pathlib import Path

import pytest
from dlcourse_styles import source_of, tables
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.checks.registry import EXERCISES
from dlcourse.course.grading.similarity import report as similarity_report
from dlcourse.course.grading.similarity import winnowing as similarity
from dlcourse.course.grading.similarity.winnowing import FEWEST, LEAST, SHARE
from dlcourse.course.grading.spec import Spec, SpecCell, read_spec

ROOT = Path(__file__).parents[3]
NONE = similarity.known_texts({})

ORIGINAL = '''
def gradients(tape):
    """A dictionary from every name to its gradient."""
    grads = {tape[-1][0]: 1.0}  # a new one for each call
    seen = set()
    for name, inputs, slopes in reversed(tape):
        for source, slope in zip(inputs, slopes, strict=True):
            before = grads.get(source, 0.0)
            grads[source] = before + slope * grads[name]
        seen.add(name)
    return grads
'''
# Other names, other comments and blanks, two lines changed places, another number: the same program.
COPY = """
def gradients(the_list):
    # I start with the last one.
    visited = set()
    out = { the_list[ -1 ][0] : 1. }
    for key, parents, ds in reversed(the_list):
        # and now all of its parents

        for p, d in zip(parents, ds, strict=True):
            old = out.get(p, 0)
            out[p] = (
                old + d * out[key])
        visited.add(key)   # done
    return out
"""
OTHER_HAND = """
def gradients(tape):
    result = {}
    result[tape[-1][0]] = 1.0
    at = len(tape)
    while at:
        at -= 1
        name, inputs, slopes = tape[at]
        shares = [result[name] * slope for slope in slopes]
        for k in range(len(inputs)):
            if inputs[k] not in result:
                result[inputs[k]] = 0.0
            result[inputs[k]] += shares[k]
    return result
"""


def class_of(texts, given=()):
    return {who: similarity.read(text, similarity.released(given)) for who, text in texts.items()}


def named(outcome):
    return {(match.left.who, match.right.who) for match in outcome.pairs}


# --- tokens -----------------------------------------------------------------------------------------------------------


def kinds(text):
    return [token.kind for token in similarity.code_tokens(text)]


def test_names_numbers_texts_comments_and_layout_do_not_count():
    one = kinds('def f(x):\n    """Says."""\n    total = x + 1  # why\n    return total * "a"\n')
    other = kinds("def g( value ):\n\n  out = (value)\\\n   + 22.5e3\n\n  return out * f'b'")
    assert one == other
    assert one == ["def", "N", "N", ":", "N", "=", "N", "+", "0", "return", "N", "*", "'"]


def test_words_that_nobody_can_rename_stay():
    wanted = ["N", ".", "N", "=", "N", ".", "exp", "N", ".", "sum", "len", "N"]
    assert kinds("self.w = torch.exp(x).sum(len(y))") == wanted


@pytest.mark.parametrize("broken", ["x = (1 +\ny = 2", "def f():\n        a = 1\n    b = 2", "x = 1\n  y = (2"])
def test_text_that_is_no_python_is_read_by_words(broken):
    with pytest.raises((SyntaxError, similarity.tokenize.TokenError)):
        list(similarity._python_tokens(broken))
    found = similarity.code_tokens(broken)
    assert [broken[token.start : token.end] for token in found] == re.findall(r"\w+|[^\w\s()]", broken)
    assert {"N"} <= {token.kind for token in found} <= {"N", "0", "=", "+", ":", "def"}


def test_a_broken_copy_is_found_beside_the_whole_one():
    answers = class_of({"ann": ORIGINAL, "ben": ORIGINAL.replace("return grads", "return (grads")})
    assert named(similarity.compare("02.debug", answers, NONE)) == {("ann", "ben")}


@given(st.text(max_size=200) | st.text(alphabet="ab1 \n\t\r\f\"'()[]{}:=.#\\ \x00\u2028é", max_size=80))
def test_every_text_is_read_and_tokens_stand_where_they_say(text):
    for tokens in (similarity.code_tokens(text), similarity.word_tokens(text)):
        for before, after in pairwise(tokens):
            assert before.end <= after.start
        for token in tokens:
            assert text[token.start : token.end].strip()


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_places_are_right_beyond_ascii(line_end):
    text = line_end.join(["größe = 'ä'", "# é", "wert = größe + 12"])
    said = [text[token.start : token.end] for token in similarity.code_tokens(text)]
    assert said == ["größe", "=", "'ä'", "wert", "=", "größe", "+", "12"]


# --- the method beside its definition ---------------------------------------------------------------------------------

SHORT = st.lists(st.sampled_from("ab"), max_size=40)


@given(SHORT, SHORT, SHORT, SHORT, SHORT, st.integers(2, 9), st.integers(0, 5))
def test_every_shared_run_leaves_a_fingerprint_in_both(before, run, after, start, end, gram, more):
    least = gram + more
    one, other = before + run + after, start + run + end
    if any(similarity.shared_definition(one, other, least)):
        assert similarity.winnow(one, gram, least) & similarity.winnow(other, gram, least)


@given(SHORT, SHORT, SHORT, st.integers(1, 12))
def test_shared_tokens_are_those_of_the_definition(one, run, other, least):
    one, other = one + run, run + other
    fast = similarity.shared(one, frozenset(similarity.grams(other, least)), least)
    assert fast == similarity.shared_definition(one, other, least)


def test_a_run_that_is_one_token_too_short_does_not_count():
    one, other = list("abcdefghijkl"), list("abcdefghijkx")
    assert sum(similarity.shared(one, frozenset(similarity.grams(one, LEAST)))) == 12
    assert sum(similarity.shared(one, frozenset(similarity.grams(other, LEAST)))) == 0


def test_winnowing_keeps_few():
    tokens = [str(random.Random(1).random()) + str(n) for n in range(2_000)]
    kept = len(similarity.winnow(tokens))
    assert kept == pytest.approx(2 / (LEAST - similarity.GRAM + 2) * 2_000, rel=0.1)  # the paper's density, 2 / (w + 1)


# --- copies and other hands -------------------------------------------------------------------------------------------


def test_a_renamed_recommented_reordered_copy_is_found_and_another_hand_is_not():
    answers = class_of({"ann": ORIGINAL, "ben": COPY, "eve": OTHER_HAND})
    outcome = similarity.compare("02.debug", answers, NONE)
    assert named(outcome) == {("ann", "ben")}
    (match,) = outcome.pairs
    # Two of eleven lines changed places; their tokens are too few to be a run.
    assert match.shared >= len(match.left.answer.kinds) - 2 * LEAST


def test_what_was_released_does_not_count():
    stub = ORIGINAL.replace("1.0}", "0.0}")
    added = "    for name in grads:\n        grads[name] = grads[name] * 1.0 + 0.0 * len(tape)\n    return grads\n"
    texts = {"ann": stub, "ben": stub.replace("    return grads\n", added)}
    assert named(similarity.compare("02.debug", class_of(texts), NONE)) == {("ann", "ben")}
    alike = similarity.compare("02.debug", class_of(texts, [stub]), NONE)
    assert alike.pairs == ()
    assert alike.short == 2
    (own,) = (answer for who, answer in class_of(texts, [stub]).items() if who == "ben")
    assert {own.text[token.start : token.end] for token in own.tokens} >= {"grads", "len", "for"}
    assert len(own.tokens) == len(kinds(added)) - len(kinds("return grads"))


def test_released_code_that_was_broken_over_lines_does_not_count_either():
    given = "p = torch.sigmoid(x @ weight + bias).clamp(min=eps).log().mean()\n"
    assert similarity.read(given.replace(".clamp", "\\\n    .clamp"), similarity.released([given])).tokens == ()
    broken = given.replace("p =", "p = 1 +").rstrip()
    left = similarity.read(broken, similarity.released([given]))
    assert len(left.tokens) == 4  # N = 0 +


def test_what_the_whole_class_writes_weighs_nothing():
    assert similarity.weight(200, 200) == 0
    assert similarity.weight(2, 200) == 1
    assert 0 < similarity.weight(100, 200) < similarity.weight(20, 200) < 1
    assert similarity.weight(2, 2) == similarity.weight(1, 1) == similarity.weight(9, 9) == 1
    everybody = {f"student-{n}": ORIGINAL for n in range(12)}
    assert similarity.compare("02.debug", class_of(everybody), NONE).pairs == ()
    assert similarity.compare("02.debug", class_of(everybody), NONE).common == 1
    two = {f"student-{n}": OTHER_HAND for n in range(12)} | {"ann": ORIGINAL, "ben": COPY}
    assert named(similarity.compare("02.debug", class_of(two), NONE)) == {("ann", "ben")}


def test_short_answers_are_never_named_and_counted():
    line = "def f(p, q):\n    return 1 / (1 + torch.exp(q - p))\n"
    assert len(kinds(line)) < FEWEST
    outcome = similarity.compare(
        "12.optimal", class_of({"ann": line, "ben": line}), similarity.known_texts({"ours": similarity.read(line)})
    )
    assert (outcome.pairs, outcome.ours, outcome.short) == ((), (), 2)


def test_prose_is_compared_by_words():
    said = "The loss starts at the logarithm of two because a neuron that knows nothing says one half, and " * 2
    answers = {
        who: similarity.read(text, prose=True)
        for who, text in {"ann": said, "ben": said.upper(), "eve": " ".join(sorted(said.split()))}.items()
    }
    assert named(similarity.compare("explain", answers, NONE)) == {("ann", "ben")}


# --- the right answers of the course ----------------------------------------------------------------------------------


def right_answers():
    """Exercise -> name -> text: what stands in the tables of tests/checks, each text once, and both of ours."""
    found = defaultdict(dict)
    for id, exercise in EXERCISES.items():
        found[id]["reference"] = source_of(exercise.reference)
    for path in sorted(ROOT.glob("solutions/*/*.ipynb")):
        for name, text in similarity_report.solutions(ROOT, path.parent.name).items():
            id = f"{path.name[:2]}.{name.removeprefix('our solution, ').removesuffix('-answer')}"
            if id in EXERCISES:
                found[id]["solution"] = text
    for id, name, answer in tables()[1]:
        try:
            text = source_of(answer)
        except TypeError:  # two classes of 01.perceptron are made from a text in the table
            continue
        if text not in found[id].values():
            found[id][name] = text
    return found


def given_in(chapter):
    texts = []
    for path in ROOT.glob(f"exercises/{chapter}-*/*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        texts += ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    return similarity.released(texts)


@pytest.fixture(scope="module")
def pool():
    """Exercise -> name -> Answer."""
    texts = right_answers()
    chapters = {id[:2]: given_in(id[:2]) for id in texts}
    return {
        id: {name: similarity.read(text, chapters[id[:2]]) for name, text in of.items()} for id, of in texts.items()
    }


def test_right_answers_of_chapter_01_are_not_accused(pool):
    for id in ("01.sigmoid", "01.perceptron", "01.debug", "01.cross_entropy", "01.xor", "01.hinges"):
        assert len(pool[id]) >= 3
        assert similarity.compare(id, pool[id], NONE).pairs == ()


def pairs_alone(pool):
    """Every pair of right answers as a class of two, where nothing is common: the strictest there is."""
    for id, answers in pool.items():
        for left, right in combinations(answers, 2):
            two = {left: answers[left], right: answers[right]}
            yield id, left, right, similarity.compare(id, two, NONE, share=0.0)


def test_no_pair_of_right_answers_is_accused(pool):
    """Measured: 0 false alarms over 587 pairs, of which 484 are long enough to be named; the highest share is 0.64."""
    outcomes = list(pairs_alone(pool))
    assert len(outcomes) >= 550
    assert sum(outcome.short == 0 for *_, outcome in outcomes) >= 450
    shares = [(match.share, id, *names) for id, *names, outcome in outcomes for match in outcome.pairs]
    assert max(shares)[0] < SHARE, max(shares)


def stored(node):
    named = {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Store)}
    return named | {each.name for each in ast.walk(node) if isinstance(each, ast.FunctionDef)}


def loaded(node):
    return {each.id for each in ast.walk(node) if isinstance(each, ast.Name) and isinstance(each.ctx, ast.Load)}


def disguised(text, seed):
    """The same program: other names, other layout, a comment at every line, and neighbours in the other order."""
    tree, draw = ast.parse(text), random.Random(seed)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        for at in range(len(body) - 1) if isinstance(body, list) else ():
            one, other = body[at : at + 2]
            free = not (stored(one) & (loaded(other) | stored(other)) or stored(other) & loaded(one))
            if free and all(isinstance(each, ast.Assign | ast.FunctionDef) for each in (one, other)):
                body[at : at + 2] = other, one
    own = stored(tree) | {each.arg for each in ast.walk(tree) if isinstance(each, ast.arg)}
    names = {name: f"q{n}" for n, name in enumerate(sorted(own))}
    for node in ast.walk(tree):
        for field in ("id", "arg", "name"):
            if isinstance(getattr(node, field, None), str) and not isinstance(node, ast.keyword):
                setattr(node, field, names.get(getattr(node, field), getattr(node, field)))
    return "\n".join(f"{line}  # {draw.random()}" for line in ast.unparse(tree).splitlines())


def test_disguised_copies_of_the_right_answers_are_found(pool):
    """Measured: 215 of 222 that are long enough, 97 %. Four of those missed are classes whose `self` was renamed."""
    found = 0
    long = [(id, name) for id, of in pool.items() for name, answer in of.items() if len(answer.kinds) >= FEWEST]
    for id, name in long:
        copy = similarity.read(disguised(pool[id][name].text, 1), given_in(id[:2]))
        found += len(similarity.compare(id, {"one": pool[id][name], "copy": copy}, NONE).pairs)
    assert len(long) >= 200
    assert found >= 0.93 * len(long)


@cache
def own_texts():
    return similarity.known_texts({name: similarity.read(text) for name, text in similarity_report.package().items()})


def test_few_right_answers_are_like_a_text_of_ours(pool):
    """Measured: 4 of 204 right answers stand in the package all but word for word (Adam has one formula)."""
    others = [(id, name) for id, of in pool.items() for name in of if name != "reference"]
    found = [(id, name) for id, name in others if similarity.compare(id, {name: pool[id][name]}, own_texts()).ours]
    assert len(others) >= 200
    assert len(found) <= 8, found


@pytest.mark.parametrize("id", [id for id in EXERCISES if id != "00.accuracy"])
def test_the_references_of_the_checks_are_found_in_the_package(pool, id):
    """A copied reference is listed beside the file it stands in, or is too short to be named."""
    outcome = similarity.compare(id, {"ann": pool[id]["reference"]}, own_texts())
    assert outcome.short == 1 or outcome.ours[0].right.who.startswith(f"dlcourse/checks/ch{id[:2]}/")


# --- the report -------------------------------------------------------------------------------------------------------

HOSTILE = "</pre><script>alert(1)</script><img src=x onerror=alert(1)>\u202e\x1b[31m\ud800"


def spec_of(*cells):
    return Spec("01-neurons", "01-neurons-exercises.ipynb", cells)


SPEC = spec_of(
    SpecCell("setup", "code", "", "import torch\n"),
    SpecCell("debug-answer", "code", "answer", "def gradients(tape):\n    raise NotStarted\n"),
    SpecCell("debug", "code", "test", "checks.debug_backward(gradients)\n", points=3.0),
    SpecCell("explain-manual", "markdown", "manual", "*Write your answer here.*", points=4.0),
)


@pytest.fixture
def hostile_report():
    comment = f"    # {HOSTILE}\n"
    texts = {
        "ann": {"debug-answer": ORIGINAL + comment, "explain-manual": HOSTILE},
        f"ben{HOSTILE}": {"debug-answer": COPY + comment, "(other cells)": "x" * 60_000},
        "eve": {"debug-answer": OTHER_HAND, "explain-manual": "*Write your answer here.*"},
    }
    return similarity_report.compare(SPEC, texts, {"dan": f"No notebook. {HOSTILE}"}, {"ours": ORIGINAL}, {})


def test_the_page_shows_text_and_runs_none(hostile_report):
    page = similarity_report.html(hostile_report)
    page.encode("utf-8")
    tags = set(re.findall(r"<([a-z!A-Z0-9]+)", page))
    assert tags == {
        *("!DOCTYPE", "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "ul", "li", "a"),
        *("table", "thead", "tbody", "tr", "th", "td", "div", "figure", "figcaption", "pre", "mark"),
    }
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert not re.search("[\x00-\x08\x0b-\x1f\u202e\ud800-\udfff]", page)
    assert "\\u202e\\u001b[31m\\ud800" in page
    assert re.findall(r"""(?:href|src)=.([^"']*)""", page.replace(HOSTILE[:60], "")) != []
    assert all(target.startswith("#") for target in re.findall(r'<a href="([^"]*)"', page))
    assert "http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\"" in page


def test_the_report_names_the_pair_the_unread_and_the_cut(hostile_report):
    table = similarity_report.rows(hostile_report.pairs)
    assert [row[:2] for row in table] == [["debug-answer", "ann"]]
    assert table[0][2].startswith("ben")
    assert {(match.left.who, match.right.who) for match in hostile_report.ours} >= {("ann", "ours")}
    told = "\n".join(similarity_report.remarks(hostile_report))
    assert "dan: not compared. No notebook." in told
    assert "only the first 50,000 characters were compared" in told
    assert "\x1b" not in told


def test_the_marks_of_a_passage_are_its_shared_tokens(hostile_report):
    (match,) = hostile_report.pairs
    shown = similarity_report.passage(match.left)
    marked = "".join(re.findall(r"<mark[^>]*>(.*?)</mark>", shown, re.DOTALL))
    tokens = [t for t, inside in zip(match.left.answer.tokens, match.left.inside, strict=True) if inside]
    assert sum(match.left.inside) == len(tokens) > LEAST
    for token in tokens:
        assert match.left.answer.text[token.start : token.end].replace("<", "&lt;") in marked
    assert re.sub("<[^>]*>", "", shown) == similarity_report.escape(similarity_report.visible(match.left.answer.text))


def test_common_parts_are_marked_as_such():
    everybody = "def size(tape):\n    return sum(abs(slope) for _, _, slopes in tape for slope in slopes) / len(tape)\n"
    texts = {f"s{n}": {"debug-answer": everybody} for n in range(12)}
    texts |= {who: {"debug-answer": OTHER_HAND + everybody} for who in ("ann", "ben")}
    found = similarity_report.compare(SPEC, texts, {}, {}, {})
    (match,) = found.pairs
    shown = similarity_report.passage(match.left)
    assert '<mark class="common">' in shown
    assert "<mark>" in shown
    assert found.outcomes[0].common > 0.5
    assert any("stand in half of the answers or more" in line for line in similarity_report.remarks(found))


def test_a_small_class_is_told_that_nothing_counts_less():
    told = {}
    for students in (3, 10):
        texts = {f"s{n}": {"debug-answer": OTHER_HAND} for n in range(students)}
        found = similarity_report.compare(SPEC, texts, {}, {}, {})
        told[students] = "\n".join(similarity_report.remarks(found))
        assert bool(found.pairs) == (students == 3)
    assert "nobody can say what is common" in told[3]
    assert "nobody can say what is common" not in told[10]


def write_submission(course, student, texts, assignment="01-neurons"):
    notebook = json.loads((ROOT / "exercises" / assignment / f"{assignment}-exercises.ipynb").read_text())
    for cell in notebook["cells"]:
        id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if id in texts:
            cell["source"] = texts[id]
    folder = course / "submitted" / student / assignment
    folder.mkdir(parents=True)
    (folder / f"{assignment}-exercises.ipynb").write_text(json.dumps(notebook))


@pytest.fixture
def course(tmp_path):
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    shutil.copytree(ROOT / "solutions" / "01-neurons", tmp_path / "solutions" / "01-neurons")
    return tmp_path


def similarity_command(course, *arguments):
    return subprocess.run(
        [sys.executable, "-m", "dlcourse", "course", "similarity", *arguments],
        cwd=course,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )


def test_the_command_compares_what_was_submitted(course):
    hinges = right_answers()["01.hinges"]
    write_submission(course, "ann", {"hinges-answer": hinges["with_a_dict"]})
    write_submission(course, "ben", {"hinges-answer": disguised(hinges["with_a_dict"], 5)})
    write_submission(course, "eve", {"hinges-answer": hinges["solution"]})
    write_submission(course, "fay", {})
    (course / "submitted" / "dan" / "01-neurons").mkdir(parents=True)
    done = similarity_command(course, "01-neurons", "--html", "out.html")
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines() if line.startswith("hinges-answer")]
    assert sorted(line[:3] for line in lines) == [["hinges-answer", "ann", "ben"], ["hinges-answer", "eve", "our"]]
    assert "dan: not compared." in done.stdout
    page = (course / "out.html").read_text(encoding="utf-8")
    assert page.count("<figure>") == 2 * len(lines)
    assert done.stderr == ""


def test_the_command_says_what_is_missing(course):
    for arguments, status, said in (("01-neurons", 1, "Collect first"), ("01-nothing", 2, "01-nothing")):
        done = similarity_command(course, arguments)
        assert (done.returncode, done.stdout) == (status, "")
        assert said in done.stderr
        assert "Traceback" not in done.stderr
    write_submission(course, "ann", {})
    done = similarity_command(course, "01-neurons", "--html", str(course))
    assert done.returncode == 1
    assert done.stderr.startswith("dlcourse: Writing")


def class_of_200(seed=1):
    """200 students, six exercises: each answer is one of the right ones, with its own names and comments."""
    draw, texts = random.Random(seed), right_answers()
    ids = [id for id in texts if id.startswith("01.")]
    return {
        f"student-{n:03}": {f"{id[3:]}-answer": disguised(draw.choice(sorted(texts[id].values())), n) for id in ids}
        for n in range(200)
    }


@pytest.mark.slow
def test_a_class_of_200_takes_less_than_a_minute():
    """Process time on one core, our own 2,600 texts included."""
    spec = read_spec(ROOT, "01-neurons")
    texts = class_of_200()
    texts["student-017"]["debug-answer"], texts["student-150"]["debug-answer"] = ORIGINAL, COPY
    began = time.process_time()
    ours = {**similarity_report.package(), **similarity_report.solutions(ROOT, "01-neurons")}
    found = similarity_report.compare(spec, texts, {}, ours, {})
    assert [(match.left.who, match.right.who) for match in found.pairs] == [("student-017", "student-150")]
    assert "student-150" in similarity_report.html(found)
    assert time.process_time() - began < 60
    assert [outcome.answers for outcome in found.outcomes if outcome.exercise.endswith("-answer")] == [200] * 6
