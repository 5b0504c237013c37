"""A real JupyterHub for the tests: two students and an instructor, each an account of a `World`, and a browser.

The hub runs deploy/jupyterhub/jupyterhub_config.py as a host would, with a wheel of this checkout installed beside it
and a file of the host's own that changes ports and nothing else. It lives in a process namespace of its own, so that
its end is the end of every server, kernel and proxy under it, whatever happened.
"""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import requests
import websocket
from dlcourse_browser import ABROAD, ASK_KERNEL, SCROLL_TO, VIEWPORT, run_all
from dlcourse_world import World, unfit

ROOT = Path(__file__).parents[2]
SITE = "/srv/dlcourse/site"  # where the wheel is installed; accounts have it on their PYTHONPATH
INSTRUCTOR, STUDENTS = "teacher", ("ann", "bob")
START_CHAPTER = "chapters/00-start.ipynb"


def password(user: str) -> str:
    return f"{user}-has-seven-brown-hens"


PROXY = shutil.which("configurable-http-proxy")
ALONE = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]  # in a process namespace of its own


def why_no_hub() -> str | None:
    if reason := unfit():
        return reason
    if PROXY is None:
        return "configurable-http-proxy is not installed (npm install --global configurable-http-proxy)"
    tried = subprocess.run([*ALONE, "true"], capture_output=True, text=True, check=False)
    return f"no process namespace may be made here: {tried.stderr.strip()}" if tried.returncode else None


def free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in held]
    for each in held:
        each.close()
    return ports


CLONE = "/opt/dlcourse/current/course"  # where the guide puts it; /opt is not this world's own


def blocks(name: str) -> list[str]:
    """The texts of the host's guide that are marked by a name, after the language."""
    guide = (ROOT / "deploy/README.md").read_text(encoding="utf-8")
    found = re.findall(rf"^```\w+ {re.escape(name)}\n(.*?)^```$", guide, re.MULTILINE | re.DOTALL)
    assert found, name
    return found


class Hub:
    """`with hub.running():` starts it; `hub.world` is the machine; what is changed on disk stays until `remove`."""

    def __init__(self, settings: str = "", students: tuple[str, ...] = STUDENTS):
        self.world = World(INSTRUCTOR, *students)
        self.port, api, inner = free_ports(3)
        self.address = f"http://127.0.0.1:{self.port}"
        srv, etc = self.world.folder / "srv", self.world.folder / "etc"
        self.install(ROOT)
        shutil.copytree(ROOT / "deploy", srv / "dlcourse/course/deploy")
        (srv / "tmp").mkdir()
        (srv / "tmp").chmod(0o1777)
        self.follow("folders")
        (settings_of_ours,) = blocks("jupyterhub_config.py")
        own = f"""
            c.JupyterHub.bind_url = {self.address!r}
            c.JupyterHub.hub_port = {inner}
            c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api}"
            c.ConfigurableHTTPProxy.command = {PROXY!r}
            c.Spawner.args += ["--LabApp.expose_app_in_browser=True"]
            c.Spawner.environment.update({{"TMPDIR": "/srv/tmp"}})  # what servers leave there goes with this world
        """
        text = settings_of_ours.replace(CLONE, "/srv/dlcourse/course") + re.sub(r"^ +", "", own, flags=re.MULTILINE)
        self.settings = etc / "jupyterhub/jupyterhub_config.py"
        self.settings.write_text(text, encoding="utf-8")
        self.configure(settings)
        people = {INSTRUCTOR: "instructors", **dict.fromkeys(students, "learners")}
        for user, group in people.items():
            line = f"usermod --append --groups {group} {user} && echo '{user}:{password(user)}' | chpasswd"
            self.world.run("root", f"export PATH=$PATH:/usr/sbin\n{line}")
        self.follow("exchange")

    def configure(self, settings: str) -> None:
        """Add lines to the host's own file of settings."""
        with self.settings.open("a", encoding="utf-8") as file:
            file.write(settings)

    def follow(self, name: str) -> None:
        """Type a block of the host's guide as root."""
        for text in blocks(name):
            line = text.replace(CLONE, "/srv/dlcourse/course").replace("INSTRUCTOR", INSTRUCTOR)
            self.world.run("root", f"export PATH=$PATH:/usr/sbin\n{line}")

    def install(self, checkout: Path) -> None:
        """The course as a host installs it: from a wheel, unpacked where all can read it."""
        site = self.world.folder / SITE.lstrip("/")
        shutil.rmtree(site, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
        subprocess.run([*pip, "--target", str(site), str(checkout)], check=True)

    @contextmanager
    def running(self) -> Iterator[None]:
        line = f"exec {' '.join(ALONE)} jupyterhub -f /etc/jupyterhub/jupyterhub_config.py >>/srv/jupyterhub/log 2>&1"
        with self.world.server("root", line, PYTHONPATH=SITE) as self.server:  # a pipe that nobody reads would fill up
            deadline = time.monotonic() + 120
            while "JupyterHub is now running" not in self.said():
                assert self.server.process.poll() is None, self.said()
                assert time.monotonic() < deadline, self.said()
                time.sleep(0.1)
            yield

    def processes(self) -> list[psutil.Process]:
        """The hub's own: itself, its proxy and its services, which run as root."""
        return [
            process
            for process in psutil.Process(self.server.process.pid).children(recursive=True)
            if process.uids().real == 0
        ]

    def said(self) -> str:
        """All that the hub and the servers under it have printed."""
        log = self.world.folder / "srv/jupyterhub/log"
        return log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""

    def remove(self) -> None:
        self.world.remove()


class Client:
    """One person at the hub without a browser: `ask` sends requests as a page of theirs would."""

    def __init__(self, hub: Hub, name: str, word: str | None = None):
        self.hub, self.name, self.word = hub, name, word or password(name)
        self.session = requests.Session()

    def log_in(self) -> requests.Response:
        self.session.get(f"{self.hub.address}/hub/login")
        form = {"username": self.name, "password": self.word, "_xsrf": self._token("/hub/")}
        return self.session.post(f"{self.hub.address}/hub/login", params={"next": "/hub/home"}, data=form)

    def start(self, seconds: float = 300) -> None:
        """Start the server, wait until it answers."""
        answer = self.session.get(f"{self.hub.address}/hub/spawn/{self.name}", allow_redirects=False)
        assert answer.status_code < 400, answer.text
        deadline = time.monotonic() + seconds
        while not self._answers():
            assert time.monotonic() < deadline, self.hub.said()[-3000:]
            time.sleep(0.5)

    def _answers(self) -> bool:
        answer = self.session.get(self.at("/lab"))  # by the hub's own log-in (OAuth); a busy hub makes it a 500
        return answer.ok and answer.url.startswith(self.at("/lab"))

    def at(self, path: str, name: str | None = None) -> str:
        return f"{self.hub.address}/user/{name or self.name}{path}"

    def ask(self, method: str, path: str, **given) -> requests.Response:
        headers = {"X-XSRFToken": self._token(f"/user/{self.name}/")}
        return self.session.request(method, self.at(path), headers=headers, **given)

    def start_kernel(self, path: str) -> str:
        """As opening a notebook does; the kernel's id."""
        body = {"path": path, "type": "notebook", "name": path, "kernel": {"name": "python3"}}
        answer = self.ask("POST", "/api/sessions", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["kernel"]["id"]

    def cells(self, path: str) -> list[dict]:
        """The code cells of a notebook in the person's folder."""
        answer = self.ask("GET", f"/api/contents/{path}", params={"content": 1})
        return [cell for cell in answer.json()["content"]["cells"] if cell["cell_type"] == "code"]

    def run(self, kernel: str, sources: list[str]) -> list[str]:
        """Run cells one after the other over the page's websocket; what each printed, or its error."""
        wire = self._connect(kernel)
        try:
            return [self._run(wire, source) for source in sources]
        finally:
            wire.close()

    def run_and_leave(self, kernel: str, source: str) -> None:
        """Start a cell, wait until it has said something, and close the page."""
        wire = self._connect(kernel)
        id = self._send(wire, source)
        while not _is(json.loads(wire.recv()), id, "stream"):
            continue
        wire.close()

    def _connect(self, kernel: str) -> websocket.WebSocket:
        cookies = "; ".join(
            f"{each.name}={each.value}" for each in self.session.cookies if each.path in ("/", f"/user/{self.name}/")
        )
        address = self.at(f"/api/kernels/{kernel}/channels").replace("http", "ws", 1)
        return websocket.create_connection(address, header={"Cookie": cookies}, timeout=600)

    def _send(self, wire: websocket.WebSocket, source: str) -> str:
        """Ask the kernel to run this; the request's id."""
        id = uuid.uuid4().hex
        header = {"msg_id": id, "msg_type": "execute_request", "session": id, "username": self.name, "version": "5.3"}
        content = {"code": source, "silent": False, "stop_on_error": False, "allow_stdin": False}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        wire.send(json.dumps(message))
        return id

    def _run(self, wire: websocket.WebSocket, source: str) -> str:
        id = self._send(wire, source)
        said = ""
        while True:
            answer = json.loads(wire.recv())
            if answer.get("parent_header", {}).get("msg_id") != id:
                continue
            content = answer["content"]
            if answer["msg_type"] == "stream":
                said += content["text"]
            elif answer["msg_type"] == "execute_result":
                said += content["data"].get("text/plain", "")
            elif answer["msg_type"] == "error":
                said += f"{content['ename']}: {content['evalue']}"
            elif answer["msg_type"] == "status" and content["execution_state"] == "idle":
                return said

    def _token(self, path: str) -> str:
        return next((each.value for each in self.session.cookies if (each.name, each.path) == ("_xsrf", path)), "")


def _is(answer: dict, id: str, kind: str) -> bool:
    return answer.get("parent_header", {}).get("msg_id") == id and answer["msg_type"] == kind


class Visitor:
    """One person's browser at the hub. `page` is Playwright's; `wrong` lists console errors and requests abroad."""

    def __init__(self, chromium, hub: Hub, name: str):
        self.hub, self.name, self.wrong = hub, name, []
        self.context = chromium.new_context(viewport=VIEWPORT)
        self.context.route(ABROAD, lambda route: route.abort())
        self.page = self.context.new_page()
        self.page.on("console", lambda message: self._heard(message) if message.type == "error" else None)
        self.page.on("pageerror", lambda error: self.wrong.append(str(error)))
        self.page.on("request", lambda request: self.wrong.append(request.url) if ABROAD.match(request.url) else None)

    def _heard(self, message) -> None:
        self.wrong.append(f"{message.text} ({message.location.get('url', '')})")

    def log_in(self, word: str | None = None) -> None:
        """By the hub's form, as far as JupyterLab or, after a wrong password, the form again."""
        self.page.goto(self.hub.address)
        self.page.fill("#username_input", self.name)
        self.page.fill("#password_input", password(self.name) if word is None else word)
        self.page.click("#login_submit")
        self.page.wait_for_selector("#jp-main-dock-panel, .login_error", timeout=120_000)

    def lands_on(self, path: str) -> None:
        """Wait until that file is in front. JupyterLab opens what was open last before what its address names."""
        self.page.wait_for_function(
            """path => {
                const context = window.jupyterapp?.shell.currentWidget?.context;
                return context?.isReady && context.path === path;
            }""",
            arg=path,
            timeout=60_000,
        )
        if path.endswith(".ipynb"):
            self.wait_for_kernel()

    def open(self, path: str) -> None:
        """Open a notebook, in the JupyterLab that is there, and wait for its kernel."""
        self.page.evaluate(
            "async path => { await window.jupyterapp.commands.execute('docmanager:open', { path }); }", path
        )
        self.page.wait_for_function(
            "path => window.jupyterapp.shell.currentWidget?.context?.path === path", arg=path, timeout=60_000
        )
        self.wait_for_kernel()

    def wait_for_lab(self) -> None:
        self.page.wait_for_selector(".jp-Launcher", timeout=60_000)
        self.page.wait_for_selector("#jupyterlab-splash", state="detached")

    def wait_for_kernel(self) -> None:
        """Of the notebook in front."""
        self.page.wait_for_selector(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-CodeCell", timeout=60_000)
        self.page.wait_for_function(
            "() => window.jupyterapp.shell.currentWidget.sessionContext.session?.kernel", timeout=60_000
        )
        self.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.ready")

    def run_all(self) -> list[dict]:
        """The code cells with their outputs. Raises AssertionError for an error outside an exercise."""
        cells = run_all(self.page)
        for cell in cells:
            if "raises-exception" not in cell["metadata"].get("tags", []):
                errors = [output["ename"] for output in cell["outputs"] if output["output_type"] == "error"]
                assert errors == [], cell["source"]
        return cells

    def write(self, sources: dict[str, str]) -> None:
        """Type into cells, named by their grade_id, and save."""
        missing = self.page.evaluate(
            """sources => {
                const model = window.jupyterapp.shell.currentWidget.content.model.sharedModel;
                for (const cell of model.cells) {
                    const id = cell.getMetadata("nbgrader")?.grade_id;
                    if (id in sources) { cell.setSource(sources[id]); delete sources[id]; }
                }
                return Object.keys(sources);
            }""",
            sources,
        )
        assert missing == []
        self.save()

    def add_cell(self, source: str) -> None:
        """A code cell of the person's own at the end of the open notebook."""
        self.page.evaluate(
            """source => {
                const model = window.jupyterapp.shell.currentWidget.content.model.sharedModel;
                model.insertCell(model.cells.length, { cell_type: "code", source });
            }""",
            source,
        )

    def restart_server(self) -> None:
        """Hub Control Panel, Stop My Server, Start My Server, as far as JupyterLab."""
        self.page.goto(f"{self.hub.address}/hub/home")
        self.page.click("#stop")
        self.page.wait_for_selector("#stop", state="hidden", timeout=60_000)
        self.page.goto(f"{self.hub.address}/hub/spawn")
        self.page.wait_for_selector("#jp-main-dock-panel", timeout=120_000)

    def save(self) -> None:
        """Until nothing is left to save: what the kernel says of itself, when it is ready, changes a notebook too."""
        save = """async () => {
            await window.jupyterapp.commands.execute('docmanager:save');
            return !window.jupyterapp.shell.currentWidget.context.model.dirty;
        }"""
        self.wait_until(lambda: self.page.evaluate(save))

    def ask(self, code: str) -> str:
        """The value or the printed text of code in the open notebook's kernel."""
        answer = self.page.evaluate(ASK_KERNEL, code)
        assert answer["error"] is None, answer["error"]
        return answer["result"] if answer["result"] is not None else answer["printed"]

    def status(self, path: str) -> int:
        """What the hub answers when this person asks for an address."""
        return self.page.request.get(f"{self.hub.address}{path}", max_redirects=10).status

    def menus(self, menu: str) -> list[str]:
        """The lines of a menu of JupyterLab."""
        self.page.click(f".lm-MenuBar-itemLabel:text-is('{menu}')")
        lines = self.page.locator(".lm-Menu .lm-Menu-itemLabel").all_inner_texts()
        self.page.keyboard.press("Escape")
        return [line for line in lines if line]

    def choose(self, menu: str, line: str) -> None:
        self.page.click(f".lm-MenuBar-itemLabel:text-is('{menu}')")
        self.page.click(f".lm-Menu-itemLabel:text-is('{line}')")

    def show_widget(self, selector: str):
        """Scroll to the first widget of the open notebook that has such a part; that part."""
        place = self.page.evaluate(
            """() => window.jupyterapp.shell.currentWidget.content.model.sharedModel.cells.findIndex(cell =>
                (cell.toJSON().outputs ?? []).some(output =>
                    "application/vnd.jupyter.widget-view+json" in (output.data ?? {})))"""
        )
        self.page.evaluate(SCROLL_TO, place)
        part = self.page.locator(f".jp-NotebookPanel:not(.lm-mod-hidden) {selector}").first
        part.wait_for()
        return part

    def slide_the_line(self) -> None:
        """The first neuron lab of chapter 01, open and run: a key moves the line, and the kernel has another bias."""
        handle = self.show_widget(".nl-line")
        assert self.ask("lab.engine.bias.item()") == "0.0"
        handle.focus()
        self.page.keyboard.press("ArrowLeft")
        self.wait_until(lambda: float(self.ask("lab.engine.bias.item()")) < -0.05)

    def open_terminal(self) -> None:
        self.page.evaluate("async () => { await window.jupyterapp.commands.execute('terminal:create-new'); }")
        self.page.wait_for_selector(".jp-Terminal-body", timeout=60_000)
        self.page.wait_for_timeout(1000)  # the shell writes its prompt; earlier keys would be lost
        self.page.click(".jp-Terminal-body")

    def wait_until(self, holds: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, f"{self.name} has waited for {seconds} s"
            self.page.wait_for_timeout(200)

    def type(self, line: str, status: Path) -> int:
        """Type a line into the terminal, wait for its end; its exit status, which the shell leaves in a file."""
        self.page.keyboard.type(f"{line}; echo $? > ~/{status.name}\n")
        self.wait_until(lambda: status.is_file() and status.read_text(encoding="utf-8").strip() != "", seconds=300)
        return int(status.read_text(encoding="utf-8"))

    def screenshot(self, name: str) -> None:
        """With DLCOURSE_SCREENSHOTS set to a folder, leave a picture of the page there."""
        if folder := os.environ.get("DLCOURSE_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder, f"hub-{name}.png"))

    def close(self) -> None:
        self.context.close()
