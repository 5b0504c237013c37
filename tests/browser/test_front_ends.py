"""The course in JupyterLab and in Notebook 7: README's table of front ends says what is tested, and here it is.

A chapter opened and run in JupyterLab is test_lab.py's; what every widget does there is test_widgets_*.py's.
"""

import pytest
from dlcourse_browser import ABROAD, NOT_OURS, VIEWPORT, Book, Lab, Notebook7, pixels, run_all, wait_for_the_kernel
from playwright.sync_api import expect

from dlcourse.course.sync import sync

pytestmark = pytest.mark.slow  # each starts a server of its own

CELLS = [
    "import torch\nfrom dlcourse import checks, widgets\nfrom dlcourse.learn import quiz",
    'quiz("01.score", 4)',
    'quiz("01.score", 3)',
    "checks.sigmoid(lambda z: 1 / (1 + torch.exp(-z)))",
    "checks.sigmoid(torch.sigmoid)",
    "lab = widgets.NeuronLab(data='and', weight1=1, weight2=1, bias=-1, seed=0)\nlab",
]


@pytest.fixture(params=[Lab, Notebook7])
def server(request, tmp_path):
    """A server of the one or the other front end, with a learner's folder."""
    sync(tmp_path / "dlcourse-work")
    started = request.param(tmp_path)
    yield started
    started.kill()


@pytest.fixture
def notebook(tmp_path):
    """Notebook 7, with a learner's folder."""
    sync(tmp_path / "dlcourse-work")
    started = Notebook7(tmp_path)
    yield started
    started.kill()


@pytest.fixture
def open_book(chromium, server):
    """Opens a notebook of `CELLS` there; an error on the console, or a request to another host, fails the test."""
    context = chromium.new_context(viewport=VIEWPORT)
    context.route(ABROAD, lambda route: route.abort())
    book = Book(context, server, CELLS, "front-end")
    yield book
    book.close()
    context.close()
    assert (book.console_errors, book.abroad) == ([], [])


def test_notebook_7_opens_chapter_01_and_runs_it_to_the_end(notebook, page):
    console, abroad = [], []
    page.on("console", lambda message: console.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: console.append(f"{error}\n{error.stack}"))
    page.on("request", lambda request: abroad.append(request.url) if ABROAD.match(request.url) else None)
    page.goto(notebook.address_of("chapters/01-neurons.ipynb"), wait_until="domcontentloaded")
    wait_for_the_kernel(page)
    outputs = []
    for cell in run_all(page):
        told = [output for output in cell["outputs"] if output["output_type"] == "error" or "stderr" in output.values()]
        assert told == [] or "raises-exception" in cell["metadata"].get("tags", []), cell["source"]
        outputs += cell["outputs"]
    widgets = [it for it in outputs if "application/vnd.jupyter.widget-view+json" in it.get("data", {})]
    expect(page.locator(".dlc[data-frames]")).to_have_count(len(widgets))
    assert len(widgets) > 3
    assert ([text for text in console if not NOT_OURS.match(text)], abroad) == ([], [])
    assert notebook.stop() == 0


def test_quizzes_and_checks_answer_there(open_book):
    for cell in range(3):
        open_book.run(cell)
    expect(open_book.output(1)).to_contain_text("The bias of -1 is still to be added")
    expect(open_book.output(2)).to_contain_text("so the neuron says yes")
    open_book.run_async(3)  # it raises: a check that fails stops "run all"
    expect(open_book.output(3)).to_contain_text("The values are right and a slope is nan")
    open_book.run(4)
    expect(open_book.output(4)).to_contain_text("01.sigmoid: right on")
    open_book.screenshot(f"front-end-{type(open_book.lab).__name__}")


def test_a_widget_is_moved_there(open_book):
    open_book.run(0)
    open_book.run(5)
    lab = open_book.widget(5)
    lab.get_by_role("button", name="All zeros").click()
    open_book.until("lab.engine.errors == 4")
    before = pixels(lab.locator("canvas"))
    lab.get_by_role("button", name="Perceptron: one mistake").click()
    open_book.until("lab.engine.at == 1")
    expect(lab.locator(".nl-note")).to_contain_text("taken from the weights")
    assert pixels(lab.locator("canvas")) != before
