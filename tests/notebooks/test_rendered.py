"""A real kernel and a real page: what a screen reader gets, and what an error looks like."""

from html.parser import HTMLParser

import nbformat.v4 as nb
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

ALT = 'Loss falls from "2.3" to < 0.1 & stays there.'
CELLS = (
    "from dlcourse import claim, glossary, plot, predict, quiz",
    "fig, ax = plot.figure()\n"
    "plot.curves(ax, [0, 1], {'loss': [2.3, 0.1]})\n"
    f"plot.show(fig, alt={ALT!r}, caption='Loss.')",
    "predict('01.x', 'Where is <b>?', options=['here', 'there'])\nglossary('logit')",
    "quiz('01.score', ...)\n'after the quiz'",
    "claim('97 %', 0.5, 0.9, 1.0)",
)


class Page(HTMLParser):
    def __init__(self, html):
        super().__init__()
        self.images, self.folded, self.words = [], 0, []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.images.append(dict(attrs))
        self.folded += tag == "summary"

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def executed():
    notebook = nb.new_notebook(cells=[nb.new_code_cell(source) for source in CELLS])
    NotebookClient(notebook, timeout=60, kernel_name="python3", allow_errors=True).execute()
    return notebook


@pytest.fixture(scope="module")
def page(executed):
    return Page(HTMLExporter().from_notebook_node(executed)[0])


def test_the_alt_text_reaches_the_page(page):
    (image,) = page.images
    assert image["alt"] == ALT
    assert image["src"].startswith("data:image/png;base64,")


def test_a_figure_is_shown_once_with_its_plain_text(executed):
    (output,) = executed.cells[1].outputs
    assert output.data["text/plain"] == ALT
    assert output.data["text/html"].startswith("<figure")


def test_cards_are_shown_from_the_middle_of_a_cell(executed, page):
    assert [output.output_type for output in executed.cells[2].outputs] == ["display_data", "display_data"]
    assert [output.output_type for output in executed.cells[3].outputs] == ["display_data", "execute_result"]
    assert "Where is <b>?" in "".join(page.words)
    assert page.folded >= 1


def test_a_failed_claim_is_one_clean_message(executed):
    (error,) = executed.cells[4].outputs
    assert error.ename == "ClaimFailed"
    assert len(error.traceback) == 1
    assert "Traceback" not in error.traceback[0]
    assert error.traceback[0].startswith('ClaimFailed: the text says "97 %", but the cell above measured 0.5')
