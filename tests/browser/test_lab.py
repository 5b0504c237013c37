"""`dlcourse lab` as a learner meets it: a real JupyterLab, a real browser, no network, chapter 01 run to its end."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
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

    figures, alts = look_through(page)
    assert len(alts) == figures > 0
    assert all(len(alt) > 20 for alt in alts)
    assert console == []
    assert abroad == []

    page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
    page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")
    assert lab.stop() == 0
    # Running a notebook and saving it does not make it the learner's: the next edition may take its place.
    sync = [sys.executable, "-c", "from dlcourse.course.sync import sync; print(sync('dlcourse-work').kept)"]
    assert subprocess.run(sync, cwd=lab.home, capture_output=True, text=True, check=True).stdout == "[]\n"


def look_through(page) -> tuple[int, list[str]]:
    """Scroll to each cell with a figure: how many figures were put out, and the alternative texts of those drawn.

    With DLCOURSE_SCREENSHOTS set to a folder, a picture of each place is left there.
    """
    folder = os.environ.get("DLCOURSE_SCREENSHOTS")
    counts = page.evaluate(
        """() => Array.from(window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells).map(
            cell => (cell.toJSON().outputs ?? []).map(o => [o.data?.["text/html"] ?? ""].flat().join("")
                .split("<img ").length - 1).reduce((a, b) => a + b, 0))"""
    )
    alts = {}
    for index, count in enumerate(counts):
        if not count and index:
            continue
        page.evaluate(
            """async index => {
                await window.jupyterapp.shell.currentWidget.content.scrollToItem(index, index ? 'end' : 'start');
                await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
            }""",
            index,
        )
        drawn = page.eval_on_selector_all(
            f".jp-Notebook [data-windowed-list-index='{index}'] .jp-OutputArea img",
            "images => images.map(image => [image.src, image.alt])",
        )
        alts |= dict(drawn)
        if folder:
            page.screenshot(path=Path(folder, f"01-neurons-{index:03}.png"))
    return sum(counts), list(alts.values())


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
