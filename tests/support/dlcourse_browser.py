"""A real JupyterLab and a real browser for the tests: `dlcourse lab` as a process, a notebook open in chromium.

A `Book` is one notebook in one page. It runs cells, reads their outputs from the page's own model, looks into the
kernel beside the notebook, and keeps a list of every console error and of every request that left this machine.
"""

import hashlib
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import nbformat

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
PATIENCE = 60  # seconds for a whole chapter; it takes about ten
ABROAD = re.compile(r"^(https?|wss?)://(?!(127\.0\.0\.1|[\w.-]+\.test)[:/])")  # nobody has a name in .test (RFC 6761)
# JupyterLab's own: its debugger complains when a kernel restarts under it. Notebook 7's own, with any notebook: it asks
# for settings that are not loaded yet.
NOT_OURS = re.compile(
    r"^Could not restore the debugger state"
    r"|^Cannot read properties of undefined \(reading 'schema'\)\n.*/static/notebook/",
    re.DOTALL,
)
VIEWPORT = {"width": 1280, "height": 900}


@contextmanager
def launched(*flags: str) -> Iterator:
    """Chromium. Playwright keeps an event loop running, in which no other file's asyncio could run: one per file."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=[*FLAGS, *flags])
        yield browser
        browser.close()


class Lab:
    """A `dlcourse lab` process of its own session, with a home of its own.

    inside: makes another command line of the one given, which begins elsewhere (under a limit) and then becomes it.
    """

    def __init__(self, home: Path, *arguments: str, inside: Callable[[list[str]], list[str]] = list):
        self.home = home
        environment = {key: value for key, value in os.environ.items() if not key.startswith("JUPYTER")}
        self.keyboard, terminal = os.openpty()
        self.process = subprocess.Popen(
            inside(self.line(arguments)),
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

    def line(self, arguments: tuple[str, ...]) -> list[str]:
        """The command that starts it."""
        return [
            sys.executable,
            "-m",
            "dlcourse",
            "lab",
            "--no-browser",
            *arguments,
            "--",
            "--expose-app-in-browser",
        ]

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

    def address_of(self, path: str) -> str:
        """Where the browser finds a file of the learner's folder."""
        address = urlsplit(self.address)
        return address._replace(path=f"/lab/tree/{path}").geturl()

    def stop(self) -> int:
        """Ctrl-C, yes to its question, and what becomes of it."""
        self.process.send_signal(signal.SIGINT)
        self.wait_for(r"Shut down this Jupyter server")
        os.write(self.keyboard, b"y\n")
        rest, _ = self.process.communicate(timeout=20)
        self.printed += rest.decode()
        return self.process.returncode

    def kill(self) -> None:
        """End it, if it still runs; its kernels notice within a second."""
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.communicate()
        os.close(self.keyboard)


class Notebook7(Lab):
    """A `jupyter notebook` process on a learner's folder that is there already."""

    def line(self, arguments: tuple[str, ...]) -> list[str]:
        root = "--allow-root" if hasattr(os, "geteuid") and os.geteuid() == 0 else "--no-browser"
        folder = self.home / "dlcourse-work"
        server = [sys.executable, "-m", "notebook", f"--ServerApp.root_dir={folder}", "--no-browser", root]
        return [*server, "--expose-app-in-browser", *arguments]

    def address_of(self, path: str) -> str:
        return urlsplit(self.address)._replace(path=f"/notebooks/{path}").geturl()


# What the page's own notebook model says, whether or not a cell is on the screen (JupyterLab draws only those near it).
CELLS = """() => {
    const panel = window.jupyterapp.shell.currentWidget;
    const cells = Array.from(panel.content.model.sharedModel.cells).map(cell => cell.toJSON());
    return {
        status: panel.sessionContext.session?.kernel?.status,
        cells: cells.filter(cell => cell.cell_type === "code" && cell.source.length),
    };
}"""


def wait_for_the_kernel(page) -> None:
    page.wait_for_selector(".jp-Notebook .jp-CodeCell", timeout=30_000)
    page.wait_for_function(
        "() => window.jupyterapp?.shell.currentWidget?.sessionContext?.session?.kernel", timeout=30_000
    )
    page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.ready")


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


class Book:
    """A notebook of code cells, open in JupyterLab, its kernel ready.

    page: Playwright's page, for whatever is not below (mouse, keyboard, `emulate_media`).
    console_errors, abroad: what went wrong so far; the fixture fails a test that leaves either unread, so a test that
    expects an error asserts it and clears the list.
    """

    def __init__(self, context, lab: Lab, cells: list[str], name: str):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in cells])
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = lab.home / "dlcourse-work" / f"{name}.ipynb"
        path.write_text(json.dumps(notebook), encoding="utf-8")
        self.context, self.lab, self.path = context, lab, path
        self.console_errors: list[str] = []
        self.abroad: list[str] = []
        self.open()

    def open(self) -> None:
        """In a page of its own; after `page.close()`, once more, with the kernel as it is by then."""
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self._said(message.text) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self._said(f"{error}\n{error.stack}"))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("websocket", lambda wire: self._asked(wire.url))
        # reset: nothing of what earlier pages had open comes back.
        self.page.goto(f"{self.lab.address_of(self.path.name)}&reset", wait_until="domcontentloaded")
        wait_for_the_kernel(self.page)

    def _said(self, text: str) -> None:
        if not NOT_OURS.match(text):
            self.console_errors.append(text)

    def _asked(self, url: str) -> None:
        if ABROAD.match(url):
            self.abroad.append(url)

    # ---- cells

    def run(self, index: int) -> list[dict]:
        """Run one cell, wait until it is done; its outputs. Raises AssertionError for an error among them."""
        self.page.evaluate(RUN_CELL, index)
        outputs = self.outputs(index)
        errors = [f"{output['ename']}: {output['evalue']}" for output in outputs if output["output_type"] == "error"]
        assert errors == [], f"cell {index}"
        return outputs

    def run_async(self, index: int) -> None:
        """Start one cell and come back at once."""
        self.page.evaluate(f"index => {{ ({RUN_CELL})(index); }}", index)

    def run_all(self) -> list[dict]:
        """Every cell, in order; the cells with their outputs."""
        return run_all(self.page)

    def cells(self) -> list[dict]:
        """The code cells that hold anything, from the page's model."""
        return self.page.evaluate(CELLS)["cells"]

    def outputs(self, index: int) -> list[dict]:
        """One cell's outputs, as the notebook would save them."""
        return self.page.evaluate(
            "index => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells[index].toJSON().outputs",
            index,
        )

    def output(self, index: int):
        """The place below one cell, scrolled into view."""
        self.page.evaluate(SCROLL_TO, index)
        panel = self.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
        return panel.locator(f"[data-windowed-list-index='{index}'] .jp-Cell-outputArea")

    def widget(self, index: int):
        """The root of the one widget below a cell, once it is there."""
        root = self.output(index).locator(".dlc")
        root.wait_for()
        return root

    # ---- kernel

    def eval_in_kernel(self, code: str) -> str:
        """Run code beside the notebook (no cell, no history): the text of its last line's value, else what it printed.

        It waits its turn, as a cell does. Raises AssertionError with the kernel's own message.
        """
        answer = self.page.evaluate(ASK_KERNEL, code)
        assert answer["error"] is None, answer["error"]
        return answer["result"] if answer["result"] is not None else answer["printed"]

    def restart_kernel(self) -> None:
        """As the menu does, without its question; back when the new kernel is ready."""
        self.page.evaluate(
            """async () => {
                const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
                await kernel.restart();
                await kernel.info;
            }"""
        )

    # ---- page

    def theme(self, name: str) -> None:
        """Change JupyterLab's theme ("JupyterLab Light", "JupyterLab Dark") and wait until it is painted."""
        self.page.evaluate("theme => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name)
        self.page.wait_for_function(
            """name => document.body.dataset.jpThemeName === name
                && (document.body.dataset.jpThemeLight === "true")
                    === (getComputedStyle(document.body).getPropertyValue("--jp-layout-color1").trim() === "white")""",
            arg=name,
        )
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")  # it covers the page while styles load

    def until(self, expression: str, seconds: float = 10.0) -> None:
        """Wait until something holds in the kernel. Raises AssertionError if it does not come true.

        A snapshot of the engine of `w` is taken under its guard: a message may be changing it on another thread.
        """
        if expression.startswith("w.engine.snapshot()"):
            expression = f"with w.guard:\n    held = {expression}\nheld"
        for _ in range(round(20 * seconds)):
            if (value := self.eval_in_kernel(expression)) == "True":
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{expression} is {value} after more than {seconds} s")

    def drag(self, *places: tuple[float, float]) -> None:
        """With the mouse button down from place to place, in pixels of the page."""
        mouse = self.page.mouse
        mouse.move(*places[0])
        mouse.down()
        for place in places[1:]:
            mouse.move(*place, steps=8)
        mouse.up()

    def settle(self, frames: int = 2) -> None:
        """Wait for that many painted frames."""
        self.page.evaluate(
            """async frames => {
                for (let i = 0; i < frames; i++) await new Promise(requestAnimationFrame);
            }""",
            frames,
        )

    def screenshot(self, name: str) -> None:
        """With DLCOURSE_SCREENSHOTS set to a folder, leave a picture of the page there."""
        if folder := os.environ.get("DLCOURSE_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder, f"{name}.png"))

    def save(self) -> None:
        self.page.evaluate("() => window.jupyterapp.commands.execute('docmanager:save')")
        self.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget.context.model.dirty")

    def reload(self) -> None:
        """Save, and load the page again; the kernel stays."""
        self.save()
        self.page.reload(wait_until="domcontentloaded")
        wait_for_the_kernel(self.page)

    def close(self) -> None:
        """End the kernel and the page, and wait for neither."""
        if not self.page.is_closed():
            with self.page.expect_request(lambda request: request.method == "DELETE"):
                self.page.evaluate("() => { window.jupyterapp.shell.currentWidget.sessionContext.shutdown(); }")
            self.page.close()


RUN_CELL = """async index => {
    const { commands, shell } = window.jupyterapp;
    shell.currentWidget.content.activeCellIndex = index;
    shell.currentWidget.content.deselectAll();
    await commands.execute("notebook:run-cell");
}"""

SCROLL_TO = """async index => {
    await window.jupyterapp.shell.currentWidget.content.scrollToItem(index, "start");
    await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));
}"""

ASK_KERNEL = """async code => {
    const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
    const answer = { result: null, printed: "", error: null };
    const future = kernel.requestExecute({ code, store_history: false, stop_on_error: false });
    future.onIOPub = ({ header, content }) => {
        if (header.msg_type === "execute_result") answer.result = content.data["text/plain"];
        if (header.msg_type === "stream") answer.printed += content.text;
        if (header.msg_type === "error") answer.error = `${content.ename}: ${content.evalue}`;
    };
    await future.done;
    return answer;
}"""


def pixels(canvas) -> str:
    """A hash of what a canvas shows: another hash, another picture."""
    return hashlib.sha256(canvas.evaluate("canvas => canvas.toDataURL()").encode()).hexdigest()[:16]


def axe(book: Book, selector: str = ".dlc") -> list[str]:
    """What axe-core finds within our own root, one line each: the rule, what it says, and where."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(book.page, context=selector)
    assert found.response["passes"], f"axe looked at nothing within {selector!r}"
    return [
        f"{violation['id']} ({violation['impact']}): {violation['help']}: {node['html'][:200]}"
        for violation in found.response["violations"]
        for node in violation["nodes"]
    ]
