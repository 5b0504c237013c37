"""Widgets where there is no browser: a notebook runs headless, and its web page shows a picture and a text instead."""

import html
import re

import nbformat.v4 as nb
import pytest
from nbclient import NotebookClient
from nbconvert import HTMLExporter

from dlcourse import widgets

NAMES = [name for name in widgets.__all__ if not name.endswith("Engine")]
VIEW = "application/vnd.jupyter.widget-view+json"


def source(name: str) -> str:
    """A cell that shows a widget, after something has happened to it from a cell."""
    steps = "w.step(3)\n" if name in ("Playground", "NeuronLab") else ""
    if name == "FeatureMapExplorer":  # it shows a network, and there is none without one
        network = "models.lenet(image=(1, 8, 8), generator=generator(1)), *data.load('digits')"
        imports = f"from dlcourse import data, generator, models\nfrom dlcourse.widgets import {name}\n"
        return f"{imports}w = {name}({network})\nw"
    return f"from dlcourse.widgets import {name}\nw = {name}()\n{steps}w"


@pytest.fixture(scope="module")
def executed():
    cells = [nb.new_code_cell(source(name)) for name in NAMES]
    cells += [nb.new_code_cell("print(w.describe())"), nb.new_code_cell("w")]
    notebook = nb.new_notebook(cells=cells)
    NotebookClient(notebook, timeout=60, kernel_name="python3", store_widget_state=False).execute()
    return notebook


@pytest.mark.parametrize("name", NAMES)
def test_the_output_is_a_live_view_a_picture_and_a_text(executed, name):
    (output,) = executed.cells[NAMES.index(name)].outputs
    assert output.output_type == "execute_result"
    assert set(output.data) == {VIEW, "text/html", "text/plain"}
    assert output.data["text/plain"].startswith(f"{name}(")
    assert " at 0x" not in output.data["text/plain"]
    assert len(output.data["text/html"]) < 250_000


def test_nothing_of_a_widgets_state_is_saved(executed):
    assert "widgets" not in executed.metadata
    shown = 0  # pictures and descriptions: the rest is the cells' own frame
    for cell in executed.cells:
        for output in cell.outputs:
            shown += sum(len(output.data[kind]) for kind in output.data if kind != VIEW) if "data" in output else 0
    assert shown > 50_000 * len(NAMES)
    assert len(str(executed)) < shown + 2_500 * len(executed.cells)


def test_the_page_shows_pictures_with_alt_texts_and_the_descriptions(executed):
    page = HTMLExporter().from_notebook_node(executed)[0]
    alts = re.findall(r'<img alt="([^"]*)" src="data:image/png;base64,', page)
    assert len(alts) == len(NAMES) + 1
    assert min(map(len, alts)) > 20
    assert VIEW not in page
    words = " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())
    described = executed.cells[len(NAMES)].outputs[0].text.strip()
    assert words.count(" ".join(described.split())) >= 2  # printed, and below the picture


@pytest.mark.parametrize("name", NAMES)
def test_another_process_gives_the_same_text(executed, name):
    here = {}
    exec(source(name), here)
    (output,) = executed.cells[NAMES.index(name)].outputs
    assert output.data["text/plain"] == f"{here['w']!r}\n{here['w'].engine.describe()}"
