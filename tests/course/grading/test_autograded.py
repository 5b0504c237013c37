"""The notebook that formgrader and the feedback show: the score that nbgrader reads from it, and a stranger's text in
it, which must show what it says and do nothing."""

import json
import re
import textwrap
from dataclasses import replace
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup
from dlcourse_filed import answered, cell, course, judged, needs_human, notebook, released, verdict
from dlcourse_pages import acting
from hypothesis import given
from hypothesis import strategies as st

from dlcourse.course.grading.book import autograded
from dlcourse.course.grading.book.inert import INVISIBLE, clean, inert
from dlcourse.course.grading.submission import parse

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


@pytest.fixture(scope="module")
def spec(tmp_path_factory):
    return course(tmp_path_factory.mktemp("course"))[1]


def build(spec, content: bytes, scores=None, **fields):
    """Our notebook for what was handed in, as nbformat reads it."""
    result = judged(spec, "ann", content, scores, **fields)
    return built(spec, content, result)


def built(spec, content: bytes, result):
    made = autograded.build(spec, parse(content) if content else (), result, checksums(spec), KERNEL)
    assert autograded.as_bytes(made) == autograded.as_bytes(json.loads(autograded.as_bytes(made)))
    read = nbformat.reads(autograded.as_bytes(made).decode(), as_version=4)
    nbformat.validate(read)
    return read


def checksums(spec):
    """As nbgrader has them of the released cells; a test's is of the text with hidden tests, which we do not have."""
    from nbgrader.utils import compute_checksum

    found = {}
    for one in spec.cells:
        if one.role:
            marks = {**autograded.SWITCHES[one.role], "grade_id": one.id, "points": one.points}
            made = {"cell_type": one.kind, "source": one.source, "metadata": {"nbgrader": marks}}
            found[one.id] = compute_checksum(nbformat.from_dict(made))
    return found


def by_id(made):
    return {one.metadata.nbgrader.grade_id: one for one in made.cells if "nbgrader" in one.metadata}


# ---- scores


@pytest.mark.parametrize("score", [2, 1.5, 0.1 + 0.2, 1e-9, 0])
def test_nbgrader_reads_the_score_of_the_verdict(spec, score):
    from nbgrader.utils import determine_grade, has_failed

    made = by_id(build(spec, answered(spec), {"double-test": score}))
    assert determine_grade(made["double-test"]) == (score, 2)
    assert has_failed(made["double-test"]) == (score == 0)


def test_nothing_is_passed_that_no_verdict_passed(spec):
    """No test of an unreadable submission or of one that waits for a person shows full marks."""
    from nbgrader.utils import determine_grade

    for content, result in (
        (b"", judged(spec, "ann", b"", tests=(), score=0, notes=("The notebook is an empty file.",))),
        (answered(spec), needs_human(spec, "ann", answered(spec))),
    ):
        made = by_id(built(spec, content, result))
        for name in ("double-test", "part-test"):
            assert determine_grade(made[name])[0] == 0
            assert made[name].outputs[0].output_type == "error"
    assert "The notebook is an empty file." not in made["double-test"].outputs[0].evalue
    assert "person" in made["double-test"].outputs[0].evalue


def test_passed_and_failed_read_well(spec):
    made = by_id(build(spec, answered(spec), {"double-test": 0}))
    assert made["part-test"].outputs[0].text == "passed: 1 of 1 points\n"
    (failed,) = made["double-test"].outputs
    assert failed.evalue == "The value is wrong."
    assert "\n".join(failed.traceback).endswith("double(2)\ncame back  3\nwanted     4")
    assert "The value is wrong." in "\n".join(failed.traceback)


def test_a_reason_is_told_once_in_lines_that_fit_the_page(spec):
    reason = "The slope is nan: exp(1000) is infinite, and its slope is multiplied by 0. " * 2 + "Clamp first."
    folded = textwrap.fill(reason, 80, initial_indent="likely     ", subsequent_indent=" " * 11)
    diagnosis = f"00.double: not right yet\n\ncalled     double(2)\n{folded}"
    shown = verdict("double-test", 2, 0, shown=diagnosis, reason=reason)
    tests = (shown, replace(shown, id="part-test", points=1, part="hidden", shown=""))
    made = by_id(build(spec, answered(spec), tests=tests, score=0))
    assert "\n".join(made["double-test"].outputs[0].traceback) == f"Failed: {diagnosis}"
    alone = made["part-test"].outputs[0].traceback
    assert " ".join(alone) == f"Failed: {reason}"
    assert max(map(len, alone)) <= 100


def test_hidden_tests_are_told_and_not_shown(spec):
    made = build(spec, answered(spec))
    assert by_id(made)["double-test"].source == f"assert double(2) == 4\n{autograded.HIDDEN}"
    assert by_id(made)["part-test"].source == "halves = 0.5\nhalves"
    for secret in ("thirty-three", "66", "BEGIN", "Because the sample"):
        assert secret not in json.dumps(made)


def test_a_long_diagnosis_is_cut(spec):
    tests = (verdict("double-test", 2, 0, shown="line\n" * 5_000), verdict("part-test", 1, 0, shown="x" * 200_000))
    made = by_id(build(spec, answered(spec), tests=tests, score=0))
    for name in ("double-test", "part-test"):
        told = "\n".join(made[name].outputs[0].traceback)
        assert len(told) < 60_000
        assert told.count("\n") < 1_010
        assert "... cut here ..." in told


# ---- cells


def test_only_text_is_taken_from_the_submission(spec):
    cells = released(spec)
    for one in cells:
        one["metadata"].setdefault("nbgrader", {}).update(points=999, checksum="0", solution=True, locked=False)
        one["metadata"] |= {"tags": ["mine"], "evil": 1, "collapsed": True}
        one["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "FORGED"}]
        one["attachments"] = {"FORGED.png": {"image/png": "FORGED"}}
    made = build(spec, notebook(cells))
    assert "FORGED" not in json.dumps(made)
    assert made.metadata.keys() == {"dlcourse", "kernelspec", "language_info"}
    for ours in made.cells:
        assert ours.metadata.keys() <= {"nbgrader", "deletable", "editable"}
    marks = {name: one.metadata.nbgrader for name, one in by_id(made).items()}
    assert {name: one.points for name, one in marks.items() if "points" in one} == {
        **{"double-test": 2, "part-test": 1},
        **{"why": 4, "plan": 1, "plot": 3},
    }
    assert {name: one.checksum for name, one in marks.items()} == checksums(spec)


def test_nbgraders_own_check_of_the_metadata_passes(spec):
    from nbgrader.nbgraderformat import MetadataValidator

    MetadataValidator().validate_nb(build(spec, answered(spec, why="Because.", double="def double(x): return x")))


def test_untouched_cells_are_the_released_ones_to_the_letter(spec):
    from nbgrader.utils import compute_checksum

    made = by_id(build(spec, answered(spec, why="\n*Write your answer here, in place of this line.*  \n")))
    for name in ("why", "plan", "double", "given", "plot"):
        assert compute_checksum(made[name]) == made[name].metadata.nbgrader.checksum
    made = by_id(build(spec, answered(spec, why="Because.", plan="plan = 2", double="def double(x): return x")))
    for name, text in (("why", "Because."), ("plan", "plan = 2"), ("double", "def double(x): return x")):
        assert made[name].source == text
        assert compute_checksum(made[name]) != made[name].metadata.nbgrader.checksum


def order(made) -> list[str]:
    return [one.metadata.get("nbgrader", {}).get("grade_id") or one.source for one in made.cells]


def test_the_students_order_is_kept_and_what_is_missing_put_in(spec):
    there = {one["id"]: one for one in released(spec)}
    handed_in = [
        cell("code", "helper = 1"),
        there["why"],
        {**there["double"], "source": "def double(x):"},
        {**there["double"], "source": "    return 2 * x"},  # split in Jupyter: both halves keep the grade_id
        there["double-test"],
        {**there["double-test"], "source": "my own copy of the test"},
        {**there["given"], "source": "GIVEN = 8"},
    ]
    made = build(spec, notebook(handed_in))
    first = ["helper = 1", "why", "double", "    return 2 * x", "double-test"]
    assert order(made) == [*first, "part-test", "given", "plan", "plot"]
    cells = by_id(made)
    assert cells["double"].source == "def double(x):"
    assert cells["given"].source == "GIVEN = 7"
    assert "my own copy" not in json.dumps(made)


def test_our_own_texts_stay_as_we_wrote_them_and_changed_ones_do_not(spec):
    ours = released(spec)[0]
    assert build(spec, notebook([ours])).cells[0].source == ours["source"]
    for handed_in in ([{**ours, "source": ours["source"] + "<b>"}], [ours, ours]):
        last = [one for one in build(spec, notebook(handed_in)).cells if "ours" in one.source][-1]
        assert f"<{INVISIBLE}b" in last.source


def test_a_deleted_answer_in_words_is_looked_for_by_a_person(spec):
    from nbgrader.utils import determine_grade

    made = by_id(build(spec, notebook([cell("markdown", "my answer stands here")])))
    assert (determine_grade(made["why"]), determine_grade(made["plan"])) == ((None, 4), (None, 1))
    unread = by_id(built(spec, b"", judged(spec, "ann", b"", tests=(), score=0, notes=("Not a notebook.",))))
    assert (determine_grade(unread["why"]), determine_grade(unread["plan"])) == ((0, 4), (0, 1))


def test_cells_that_stopped_say_so(spec):
    content = notebook([cell("code", "1 / 0"), *released(spec)])
    made = build(spec, content, cells=(("cell 1", "ZeroDivisionError\x1b[31m"), ("cell 4 (double)", "NameError")))
    assert made.cells[0].outputs[0].text == "This cell stopped: ZeroDivisionError\ufffd[31m\n"
    assert by_id(made)["double"].outputs[0].text == "This cell stopped: NameError\n"


def test_answers_in_cells_of_the_wrong_kind(spec):
    there = {one["id"]: one for one in released(spec)}
    slipped = {**cell("markdown", "def double(x): return 2 * x"), "metadata": there["double"]["metadata"]}
    asked = {**cell("code", "<script>1</script>"), "metadata": there["why"]["metadata"]}
    made = by_id(build(spec, notebook([slipped, asked])))
    assert (made["double"].cell_type, made["double"].source) == ("code", "def double(x): return 2 * x")
    assert made["why"].cell_type == "markdown"
    assert "<script" not in made["why"].source


# ---- a stranger's text

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src=//x>",
    "<style>body{display:none}</style>",
    "<!-- x --><b onclick=a>x</b>",
    "<\x00script>alert(1)</script>",
    "<a\nhref='javascript:1'>x</a>",
    "<![CDATA[<img src=x>]]>",
    "<</b>script>",
    "\\<script>alert(1)\\</script>",
    "[x](javascript:alert(1))",
    "[x](<javascript:alert(1)>)",
    "[x]\\(javascript:alert(1))",
    "[x]: javascript:alert(1)\n\n[x]",
    "[a][b]\n\n[b]:\n  javascript:alert(1)",
    "<javascript:alert(1)>",
    "![a](data:text/html;base64,AAAA)",
    "![a][b]\n\n[b]: data:text/html,x",
    "![a](attachment:none.png)",
    "[![a](x)](javascript:1)",
    "# sigmoid-test\n\nwhy\n===",
    "#sigmoid-test",
    "- [ ] <input autofocus onfocus=alert(1)>",
    "| a | b |\n|---|---|\n| <img src=x onerror=1> | [x](javascript:1) |",
    "term\n: <b onclick=1>x</b>",
    "```mermaid\n<img src=x onerror=alert(1)>\n```",
    "~~~ mermaid\n<img src=x>\n~~~",
    '`````mermaid\nclick A href "javascript:alert(1)"\n`````',
    '``` "onmouseover=alert(1) x="\ncode\n```',
    "``` <img/src=x/onerror=1>\ncode\n```",
    '```python\n"</pre><script>alert(1)</script>"\n```',
    "`</code><script>alert(1)</script>`",
    'https://a.b/"onmouseover="x',
    "https://a.b/'><script>1</script>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "$$<img src=x onerror=alert(1)>$$",
    "\\\\(<img src=x>\\\\)",
    "\\begin{equation}<img src=x onerror=1>\\end{equation}",
]
COMMANDS = [
    r"$\href{javascript:alert(1)}{x}$",
    r"$\\href{javascript:alert(1)}{x}$",
    "$\\hr\x00ef{javascript:alert(1)}{x}$",
    r"&#36;&#92;href{javascript:alert(1)}{x}&#36;",
    r"&dollar;&bsol;href{javascript:alert(1)}{x}$",
    r"$&#x5c;href{javascript:alert(1)}{x}$",
    r"$\require{html}\style{color:red}{x}\class{a}{b}\cssId{why}{c}$",
    r"$\mmlToken{mi}[href=javascript:alert(1)]{x}$",
    r"$\def\sum{0} \newcommand{\x}{y} \let\a\b$",
]
MAY_BE = {
    *("p", "em", "strong", "del", "code", "pre", "ol", "ul", "li", "a", "h1", "h2", "span", "div", "blockquote", "br"),
    *("table", "thead", "tbody", "tr", "td", "th", "dl", "dt", "dd", "hr", "input"),
}


def can_act(element) -> bool:
    """An element that runs, fetches, styles the page or leads anywhere but to the web's own addresses."""
    attributes = element.attrs
    told = ("class", "id", "type", "disabled", "style")
    leads = [str(value) for name, value in attributes.items() if name not in told]
    return (
        element.name not in MAY_BE
        or any(name.startswith("on") for name in attributes)
        or any(not value.startswith(("#", "https://", "http://")) for value in leads)
        or (element.name == "input" and "disabled" not in attributes)
        or ("style" in attributes and not re.fullmatch("text-align:(left|right|center)", attributes["style"]))
    )


@pytest.mark.parametrize("text", [*HOSTILE, *COMMANDS])
@pytest.mark.parametrize("around", ["{}", "text\n\n{}", "> {}", "- {}"])
def test_nothing_of_a_strangers_markdown_acts(text, around):
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    whole = around.format(text.replace("\n", "\n" + {">": "> ", "-": "  "}.get(around[0], "")))
    page = BeautifulSoup(markdown2html_mistune(inert(whole)), "html.parser")
    acting = [element for element in page.find_all(True) if can_act(element)]
    assert not acting
    assert not {element.get("id") for element in page.find_all(True)} & {"sigmoid-test", "why"}
    # What MathJax reads is the text of the page, after entities are resolved.
    commands = re.findall(r"\\([A-Za-z]+)", page.get_text())
    assert not {"href", "style", "class", "cssId", "require", "mmlToken", "def", "newcommand", "let"} & set(commands)


def test_the_search_for_what_acts_finds_it():
    """The same search, on the same texts as nbconvert shows them when nobody made them inert."""
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    pages = [BeautifulSoup(markdown2html_mistune(text), "html.parser") for text in HOSTILE if "attachment" not in text]
    assert sum(any(can_act(element) for element in page.find_all(True)) for page in pages) >= 20


@given(st.text(alphabet=st.sampled_from("<>&;/!?#\\[]():`~$*_-=|\"' \n\tabhrefmidx1\x00\x1b\u2063"), max_size=60))
def test_whatever_the_text_no_tag_link_entity_or_command_begins(text):
    shown = inert(text)
    assert not re.search(r"<[A-Za-z/!?]|\][(\[:]|&#|\\href(?![A-Za-z])|[\x00-\x08\x0b-\x1f]", shown)
    assert shown.replace(INVISIBLE, "") == clean(text).replace(INVISIBLE, "") or "`" in text or "~" in text


FORMULA = r"$a<b$, $x_i \le y$ and $\begin{matrix}a&b\\c&d\end{matrix}$"
HONEST = {
    FORMULA: FORMULA,
    "*a*, **b** and ~~c~~, `x < y && z`, a<b, b>c & d": "a, b and c, x < y && z, a<b, b>c & d",
    "1. one\n2. two\n   - three": "one\ntwo\nthree",
    "| a | b |\n|---|---|\n| 1 | 2 |": "a\nb\n1\n2",
    "```python\nif a<b:\n    x[0](3)  # <b>\n```": "if a<b:\n    x[0](3)  # <b>",
    "# A heading\n\nwith text": "A heading¶with text",
    "Under\n-----\n\nlined": "Under¶lined",
    "`List[int]`, `f[x](y)` and x[0][1]: all & sundry": "List[int], f[x](y) and x[0][1]: all & sundry",
    "&lt; &amp; done": "< & done",
    "> said\n\nhe": "said\n\nhe",
    "see https://example.org/a_b": "see https://example.org/a_b",
    "grüß Gott, 你好, שלום 🙂": "grüß Gott, 你好, שלום 🙂",
}


@pytest.mark.parametrize("text", HONEST)
def test_what_an_honest_answer_needs_still_reads_right(text):
    from nbconvert.filters.markdown_mistune import markdown2html_mistune

    page = BeautifulSoup(markdown2html_mistune(inert(text)), "html.parser")
    plain = BeautifulSoup(markdown2html_mistune(text), "html.parser")
    assert re.sub(r"\n+", "\n", page.get_text().replace(INVISIBLE, "").strip()) == re.sub(r"\n+", "\n", HONEST[text])
    names = [[one.name for one in soup.find_all(True) if one.name not in ("span", "div")] for soup in (page, plain)]
    assert [name for name in names[0] if name != "code"] == [name for name in names[1] if name != "code"]


def test_text_is_bounded(spec):
    content = notebook([cell("markdown", "x" * 40_000) for _ in range(40)])
    made = build(spec, content)
    assert sum(len(one.source) for one in made.cells if one.cell_type == "markdown") < 320_000
    assert made.cells[0].source.endswith("(cut here: 40,000 characters)")


def test_control_characters_and_line_ends():
    assert clean("a\r\nb\rc\td\x1b[31m\x07\x9b\x7f\ud800\x0b") == "a\nb\nc\td\ufffd[31m\ufffd\ufffd\ufffd\ufffd\ufffd"


# ---- pages


def page_of(made, template: str) -> str:
    """As nbgrader makes the page of one template, "feedback" or "formgrade"."""
    import nbgrader
    from nbconvert.exporters import HTMLExporter
    from nbconvert.preprocessors import CSSHTMLHeaderPreprocessor

    root = Path(nbgrader.__file__).parent / "server_extensions" / "formgrader"
    exporter = HTMLExporter(
        template_name=template,
        extra_template_basedirs=[str(root / "templates")],
        extra_template_paths=[str(root / "static" / "node_modules" / "bootstrap" / "dist" / "css")],
    )
    exporter.register_preprocessor(CSSHTMLHeaderPreprocessor, enabled=True)
    shown = nbformat.from_dict(made)
    for one in shown.cells:
        if "nbgrader" in one.metadata:
            one.metadata.nbgrader |= {"score": 0, "comment": None}
            one.metadata.nbgrader.setdefault("points", 0)
    told = {"nbgrader": {"notebook": "x", "score": 0, "max_score": 1, "late_penalty": 0}, "base_url": "", "index": 0}
    told |= {"total": 1, "student": "ann", "submission_id": "0", "notebook_id": "x", "assignment_id": "y"}
    return exporter.from_notebook_node(shown, resources=told)[0]


@pytest.mark.parametrize("template", ["feedback", "formgrade"])
def test_a_page_of_a_hostile_submission_acts_as_that_of_an_honest_one(spec, template):
    """Scripts, styles and handlers are the template's; nothing comes with what was handed in."""
    tricks = [text for text in [*HOSTILE, *COMMANDS] if not text.startswith(("#sig", "# sig", "https:"))]
    code = "\n".join(f"x = {text!r}  # {clean(text).replace(chr(10), ' ')}" for text in tricks)
    hostile = [cell("markdown", text) for text in tricks]
    hostile += [cell("code", f"%%html\n{text}") for text in tricks] + [{**cell("raw", text)} for text in tricks]
    shown = "\n".join(tricks)
    tests = (verdict("double-test", 2, 0, shown=shown, reason=tricks[0]), verdict("part-test", 1, 0.5, shown=shown))
    content = answered(spec, why="\n\n".join(tricks), double=code, plan=code)
    content = notebook([*json.loads(content)["cells"], *hostile])
    stopped = tuple((f"cell {number}", tricks[1]) for number in range(1, 80))
    bad = build(spec, content, tests=tests, score=0.5, cells=stopped)
    honest = answered(spec, why="Because.", double="x = 1", plan="y = 2")
    good = build(spec, honest, tests=(tests[1],), score=0.5, max_score=1)
    theirs, ours = acting(page_of(bad, template)), acting(page_of(good, template))
    assert theirs == ours
    # The list itself, so that a new version of a template is looked at.
    scripts = [one for one in ours if one.startswith("<script")]
    sources = re.findall(r'src="([^"]*)"', " ".join(scripts))
    abroad = [source for source in sources if "//" in source]
    assert all(source.startswith("https://cdnjs.cloudflare.com/ajax/libs/") for source in abroad)
    assert len(scripts) == {"feedback": 2, "formgrade": 16}[template]
