"""`dlcourse lab` as a learner meets it: a real JupyterLab, a real browser, no network, chapter 01 run to its end."""

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from dlcourse.course.lab import START

CHROMIUM = shutil.which("chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
CHAPTER = "chapters/01-neurons.ipynb"
PATIENCE = 60  # seconds for the whole chapter; it takes about ten

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"),
    pytest.mark.skipif(sys.platform == "win32", reason="the test speaks POSIX signals and pipes"),
]


class Lab:
    """A `dlcourse lab` process of its own session, with a home of its own."""

    def __init__(self, home: Path, *arguments: str):
        self.home = home
        line = [
            sys.executable,
            "-m",
            "dlcourse",
            "lab",
            "--no-browser",
            *arguments,
            "--",
            "--expose-app-in-browser",
        ]
        environment = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
        self.keyboard, terminal = os.openpty()
        self.process = subprocess.Popen(
            line,
            cwd=home,
            env={**environment, "HOME": str(home), "IPYTHONDIR": str(home / ".ipython")},
            stdin=terminal,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        os.close(terminal)
        self.printed = ""
        self.address = self.wait_for(r"http://127\.0\.0\.1:\d+/\S+\?token=\w+")
        self.wait_until_it_listens()

    def wait_for(self, pattern: str) -> str:
        """The first thing printed that matches."""
        deadline = time.monotonic() + 60
        while not (found := re.search(pattern, self.printed)):
            assert time.monotonic() < deadline, self.printed
            ready, _, _ = select.select([self.process.stdout], [], [], 1)
            if ready:
                text = os.read(self.process.stdout.fileno(), 65536).decode()
                assert text, f"it ended: {self.printed}"
                self.printed += text
        return found[0]

    def wait_until_it_listens(self) -> None:
        """It prints its address a moment before."""
        deadline = time.monotonic() + 10
        while True:
            try:
                socket.create_connection(("127.0.0.1", urlsplit(self.address).port), 1).close()
                return
            except OSError:
                assert time.monotonic() < deadline, self.printed
                time.sleep(0.05)

    def stop(self) -> int:
        """Ctrl-C, yes to its question, and what becomes of it."""
        self.process.send_signal(signal.SIGINT)
        self.wait_for(r"Shut down this Jupyter server")
        os.write(self.keyboard, b"y\n")
        rest, _ = self.process.communicate(timeout=20)
        self.printed += rest.decode()
        return self.process.returncode


@pytest.fixture
def start(tmp_path):
    """Starts `dlcourse lab`; whatever is left of it at the end is killed."""
    labs = []

    def start(*arguments):
        home = tmp_path / f"home{len(labs)}"
        home.mkdir()
        labs.append(Lab(home, *arguments))
        return labs[-1]

    yield start
    for lab in labs:
        if lab.process.poll() is None:
            os.killpg(lab.process.pid, signal.SIGKILL)
            lab.process.communicate()
        os.close(lab.keyboard)


@pytest.fixture
def page():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        yield page
        browser.close()


# What the page's own notebook model says, whether or not a cell is on the screen (JupyterLab draws only those near it).
CELLS = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    const cells = Array.from(panel.content.model.sharedModel.cells).map(cell => cell.toJSON());
    return {
        status: panel.sessionContext.session?.kernel?.status,
        cells: cells.filter(cell => cell.cell_type === "code" && cell.source.length),
    };
}"""


def run_all(page) -> list[dict]:
    """Run > Run All Cells, then wait; the code cells with their outputs."""
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-all-cells')")
    deadline = time.monotonic() + PATIENCE
    while True:
        state = page.evaluate(CELLS)
        ran = [cell for cell in state["cells"] if cell["execution_count"]]
        if state["status"] == "idle" and len(ran) == len(state["cells"]):
            return state["cells"]
        assert time.monotonic() < deadline, (state["status"], len(ran), len(state["cells"]), ran[-1:])
        page.wait_for_timeout(200)


def test_a_learner_opens_chapter_01_and_runs_it_to_the_end(start, page):
    lab = start()
    address = urlsplit(lab.address)
    assert address.path == f"/lab/tree/{START}"
    console, abroad = [], []
    page.on("console", lambda message: console.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: console.append(str(error)))
    page.on("request", lambda r: abroad.append(r.url) if urlsplit(r.url).hostname not in (None, "127.0.0.1") else None)

    page.goto(lab.address.replace(START, CHAPTER), wait_until="domcontentloaded")
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=30_000)
    page.wait_for_function(
        "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel", timeout=30_000
    )
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.ready")
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
