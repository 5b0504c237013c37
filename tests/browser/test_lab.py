"""`dlcourse lab` as a learner meets it: a real JupyterLab, a real browser, no network, chapter 01 run to its end."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import urlopen

from dlcourse_browser import run_all, wait_for_the_kernel

from dlcourse.course.lab import START

CHAPTER = "chapters/01-neurons.ipynb"


def test_a_learner_opens_chapter_01_and_runs_it_to_the_end(start, page):
    lab = start()
    address = urlsplit(lab.address)
    assert address.path == f"/lab/tree/{START}"
    console, abroad = [], []
    page.on("console", lambda message: console.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: console.append(str(error)))
    page.on("request", lambda r: abroad.append(r.url) if urlsplit(r.url).hostname not in (None, "127.0.0.1") else None)

    page.goto(lab.address_of(CHAPTER), wait_until="domcontentloaded")
    wait_for_the_kernel(page)
    assert "news" not in page.inner_text("body").lower()  # nothing asks to fetch any

    cells = run_all(page)
    for cell in cells:
        if "raises-exception" not in cell["metadata"].get("tags", []):
            errors = [output for output in cell["outputs"] if output["output_type"] == "error"]
            assert errors == [], cell["source"]
        assert [output for output in cell["outputs"] if output.get("name") == "stderr"] == [], cell["source"]

    shown = look_through(page)
    assert len(shown.alts) == shown.figures > 0
    assert all(len(alt) > 20 for alt in shown.alts)
    assert shown.painted == shown.widgets > 0
    assert console == []
    assert abroad == []

    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    assert lab.stop() == 0
    # Running a notebook and saving it does not make it the learner's: the next edition may take its place.
    sync = [sys.executable, "-c", "from dlcourse.course.sync import sync; print(sync('dlcourse-work').kept)"]
    assert subprocess.run(sync, cwd=lab.home, capture_output=True, text=True, check=True).stdout == "[]\n"


class Shown(NamedTuple):
    figures: int  # put out by the cells
    alts: list[str]  # of the figures drawn in the page
    widgets: int  # put out by the cells
    painted: int  # widgets in the page with a picture from the kernel


def look_through(page) -> Shown:
    """Scroll to each cell with a figure or a widget, and look what is there.

    With DLCOURSE_SCREENSHOTS set to a folder, a picture of each place is left there.
    """
    folder = os.environ.get("DLCOURSE_SCREENSHOTS")
    counts = page.evaluate(
        """() => Array.from(window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells).map(cell => {
            const found = (cell.toJSON().outputs ?? []).map(output => output.data ?? {});
            const live = found.filter(data => "application/vnd.jupyter.widget-view+json" in data);
            const kept = found.filter(data => !live.includes(data)).map(data => [data["text/html"] ?? ""].flat());
            return [kept.flat().join("").split("<img ").length - 1, live.length];
        })"""
    )
    alts, painted = {}, 0
    for index, (figures, widgets) in enumerate(counts):
        if not (figures or widgets) and index:
            continue
        page.evaluate(
            """async index => {
                await window.jupyterapp.shell.currentWidget.content.scrollToItem(index, index ? 'end' : 'start');
                await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
            }""",
            index,
        )
        area = page.locator(f".jp-Notebook [data-windowed-list-index='{index}'] .jp-OutputArea")
        if widgets:
            area.locator(".dlc[data-frames]").first.wait_for()
            painted += area.locator(".dlc[data-frames]").count()
        alts |= dict(
            area.locator("img").evaluate_all("images => images.map(image => [image.src, image.alt])") if figures else []
        )
        if folder:
            page.screenshot(path=Path(folder, f"01-neurons-{index:03}.png"))
    return Shown(sum(it[0] for it in counts), list(alts.values()), sum(it[1] for it in counts), painted)


def test_a_taken_port_is_no_obstacle_and_ctrl_c_ends_it(start):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        lab = start("my-course", "--port", str(port))
        assert urlsplit(lab.address).port != port
        with urlopen(lab.address.replace("/lab/tree", "/api/contents")) as answer:
            assert json.load(answer)["name"] == Path(START).name
        assert (lab.home / "my-course" / START).is_file()
        assert lab.stop() == 0
        assert "Traceback" not in lab.printed
