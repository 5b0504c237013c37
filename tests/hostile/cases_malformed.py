"""Submissions whose bytes are no notebook, or a notebook that no Jupyter ever wrote."""

import json

from dlcourse_hostile import FULL, NOTHING, POINTS, case, id_of, without

RUBBISH = "nothing in it can be read as a notebook"
KIND = "the cells are there, whatever stands around them"


def rubbish(name: str, content: bytes) -> None:
    """A case whose file holds exactly these bytes."""

    def make(hand):
        hand.raw(content)

    make.__name__ = make.__qualname__ = name
    case(NOTHING, RUBBISH)(make)


EMPTY_BOOK = b'{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}'
rubbish("empty_file", b"")
rubbish("one_byte", b"{")
rubbish("blanks_only", b" \n\t " * 1000)
rubbish("zeros_only", bytes(100_000))
rubbish("noise", bytes(range(256)) * 64)
rubbish("a_program", b"def sigmoid(x):\n    return torch.sigmoid(x)\n")
rubbish("a_page", b"<!doctype html><html><body>Sign in to continue</body></html>")
rubbish("an_archive", b"PK\x03\x04" + bytes(60))
rubbish("cut_short", b'{"cells": [{"cell_type": "code", "source": ["def sigm')
rubbish("json_null", b"null")
rubbish("json_list", b"[1, 2, 3]")
rubbish("json_number", b"1e999999")
rubbish("json_text", b'"cells"')
rubbish("nested_without_end", b"[" * 200_000)
rubbish("nested_objects", b'{"cells":' * 50_000)
rubbish("nested_and_closed", b'{"cells": ' + b"[" * 100_000 + b"]" * 100_000 + b"}")
rubbish("number_of_many_digits", b'{"cells": ' + b"7" * 2_000_000 + b"}")
rubbish("no_cells", EMPTY_BOOK.replace(b'"cells": [], ', b""))
rubbish("empty_list_of_cells", EMPTY_BOOK)
rubbish("cells_is_a_text", EMPTY_BOOK.replace(b"[]", b'"cells"'))
rubbish("cells_is_an_object", EMPTY_BOOK.replace(b"[]", b'{"0": {}}'))
rubbish("cells_are_no_cells", EMPTY_BOOK.replace(b"[]", b'[null, 1, "x", [], {}, true, [[]]]'))
rubbish("millions_of_small_values", b'{"cells": [' + b"[]," * 3_000_000 + b"[]]}")
rubbish("larger_than_the_limit", b'{"cells": ["' + b"x" * (21 * 2**20) + b'"]}')
rubbish(
    "two_thousand_and_one_cells",
    EMPTY_BOOK.replace(b"[]", b"[" + b'{"cell_type":"code","source":"1"},' * 2000 + b"{}]"),
)


def dumped(hand, **options) -> str:
    return json.dumps(hand.book, **options)


@case(FULL, KIND)
def byte_order_mark(hand):
    hand.raw(dumped(hand).encode("utf-8-sig"))


@case(FULL, KIND)
def utf_16(hand):
    hand.raw(dumped(hand, ensure_ascii=False).encode("utf-16"))


@case(FULL, KIND)
def latin_1(hand):
    hand.before("sigmoid", "# größer als null, déjà vu")
    hand.raw(dumped(hand, ensure_ascii=False).encode("latin-1", "replace"))


@case(FULL, KIND)
def some_bytes_that_are_no_utf_8(hand):
    hand.before("sigmoid", "# here: QQ")
    hand.raw(dumped(hand, ensure_ascii=False).encode().replace(b"QQ", b"\xff\xfe\x80"))


@case(FULL, KIND)
def windows_line_ends_in_the_file(hand):
    hand.raw(dumped(hand, indent=1).replace("\n", "\r\n"))


@case(FULL, KIND)
def sources_as_lists_of_lines(hand):
    for cell in hand.cells:
        cell["source"] = cell["source"].splitlines(keepends=True)


@case(FULL, KIND)
def nan_and_infinity(hand):
    hand.book["metadata"] |= {"a": float("nan"), "b": float("inf"), "c": 10**400}


@case(FULL, KIND)
def format_3(hand):
    for cell in hand.cells:
        if cell["cell_type"] == "code":
            cell["input"] = cell.pop("source")
            cell |= {"language": "python", "collapsed": False}
    cells = hand.book.pop("cells")
    hand.book = {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0, "worksheets": [{"cells": cells}]}


@case(FULL, KIND)
def format_of_the_future(hand):
    hand.book |= {"nbformat": 5, "nbformat_minor": 10**6, "worksheets": "x"}


@case(FULL, KIND)
def no_format_and_no_metadata(hand):
    hand.book = {"cells": hand.cells}
    for cell in hand.cells:
        cell.pop("id")


@case(FULL, KIND)
def same_cell_id_everywhere(hand):
    for cell in hand.cells:
        cell["id"] = "same" * 100


@case(FULL, KIND)
def odd_fields(hand):
    hand.book |= {"metadata": [1, 2], "nbformat": "four", "extra": {"x": [None] * 1000}}
    for number, cell in enumerate(hand.cells):
        cell |= {"outputs": ("x", 3, None, {"a": 1}, [[]])[number % 5], "execution_count": "in", "id": number}
        cell["attachments"] = ["x"]


@case(FULL, KIND)
def odd_metadata(hand):
    odd = [None, 1, "x", [], {"nbgrader": None}, {"nbgrader": []}, {"nbgrader": "x"}, {"nbgrader": {"grade_id": 7}}]
    odd += [{"nbgrader": {"grade_id": name}} for name in (None, "", "../../x", "a/b", "\0", "x" * 10**5, ["x"], {})]
    for metadata in odd:
        hand.add("1 + 1", before="")["metadata"] = metadata


@case(FULL, "cells that are none are left out")
def cells_that_are_none(hand):
    for odd in (None, 1, "x", [], {}, {"cell_type": "code"}, {"cell_type": 3, "source": 4}, {"source": "1/0"}):
        hand.cells.insert(1, odd)
    for odd in ({"cell_type": "code", "source": s} for s in (None, 1, {"a": 1}, [1, None, "1"], [["1"]], True)):
        hand.cells.append(odd)


@case(FULL, KIND)
def large_metadata_and_outputs(hand):
    hand.book["metadata"]["padding"] = "x" * 5 * 2**20
    hand.cells[1]["metadata"]["padding"] = "y" * 2**20
    hand.cells[1]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "HOSTILE" * 2**20}]


@case(without("sigmoid"), "a text that is no Unicode fails in its own cell only", plain=False)
def lone_surrogates(hand):
    hand.answer("sigmoid", "name = '\ud800'\nreturn")
    hand.add("print('\udfff')")


@case(FULL, "zeros in a cell of the student's own stop that cell")
def zeros_in_a_cell(hand):
    hand.add("x = 1\0\ny = 2")


@case(without("sigmoid", "hinges"), "a look-alike of the test's id is no test, and wrong stays wrong")
def ids_that_look_alike(hand):
    hand.answer("sigmoid", "def sigmoid(x):\n    return x")
    hand.answer("hinges", "def linear_pieces(*a):\n    return 3")
    hand.cell("sigmoid-test")["metadata"]["nbgrader"]["grade_id"] = "s\u0456gmoid-test"
    hand.cell("hinges-test")["metadata"]["nbgrader"]["grade_id"] = "hinges-test\u200b"


@case(FULL, "answers under the wrong names are code like any other")
def answers_with_the_ids_of_others(hand):
    names = [f"{name}-answer" for name in POINTS]
    cells = [hand.cell(name) for name in names]
    for cell, name in zip(cells, names[1:] + names[:1], strict=True):
        cell["metadata"]["nbgrader"]["grade_id"] = name


@case(FULL, "the id of the question in words on a cell of code makes no code of it")
def id_of_the_question_in_words_on_code(hand):
    hand.add("1 / 0", before="")["metadata"] = {"nbgrader": {"grade_id": "explain-manual"}}


@case(FULL, "the first of two fields of the same name, or the last: both hold the answers")
def fields_twice(hand):
    hand.raw(dumped(hand).replace('"source":', '"source": "1", "source":'))


@case(FULL, "a thousand empty cells are a thousand times nothing")
def many_cells(hand):
    for _ in range(1_000):
        hand.add("")


@case(FULL, "a markdown cell of 2 MB is read by whoever wants to")
def long_texts(hand):
    hand.add("word " * 400_000, kind="markdown")
    hand.add("# " + "x" * 10**6 + "\n" + "y = (" + "1 +" * 500 + " 1)")


@case(without("sigmoid"), "a formula nested too deep for the compiler fails in its own cell")
def source_nested_too_deep(hand):
    hand.answer("sigmoid", "def sigmoid(x):\n    return " + "(" * 5_000 + "x" + ")" * 5_000)
    hand.add("x = " + "-" * 200_000 + "1")


@case(FULL, "a raw cell and a kind that nobody knows are no code")
def kinds_of_cells(hand):
    for kind in ("raw", "heading", "html", "CODE", "", None, 7, ["code"], {}):
        hand.cells.append({"cell_type": kind, "metadata": {}, "source": "1 / 0"})


@case(NOTHING, "no code was handed in", plain=True)
def everything_made_raw(hand):
    for cell in hand.cells:
        if cell["cell_type"] == "code" and not id_of(cell).endswith("-answer"):
            cell["cell_type"] = "raw"
    hand.leave()


@case(FULL, "the cells' order of keys and their indentation are nothing to us")
def written_by_another_program(hand):
    hand.raw(json.dumps(hand.book, indent=8, sort_keys=True, separators=(" ,  ", "  :  ")))


@case(FULL, "texts that tie a reader of Markdown or HTML in knots are texts")
def texts_that_tie_readers_in_knots(hand):
    knots = (
        "[" * 20_000,
        "<" * 20_000,
        "`" * 9_999 + "x",
        "&" * 20_000,
        "*_" * 10_000,
        "![a](" * 5_000,
        "<!--" * 5_000,
    )
    for knot in (
        *knots,
        "> " * 5_000,
        " " * 20_000 + "x",
        "(a*)*" * 1_000,
        "\\(" * 9_999,
        "<a href=" * 3_000,
        "$" * 9_999,
    ):
        hand.add(knot, kind="markdown", before="")
    hand.cell("explain-manual")["source"] = "".join(knots)
