"""With `subdomain_host` each person has an origin of their own: a classmate's page reads and does nothing of hers.

By the lines of deploy/README.md, without its TLS: a browser that takes every name in .test for this machine.
"""

from urllib.parse import urlsplit

import pytest
from dlcourse_browser import launched
from dlcourse_hub import Hub, Visitor, blocks

CHAPTER = "chapters/01-neurons.ipynb"
# What a page can try at an address of another's: to read, to change something, to talk to a kernel, to look into its
# window.
READ = """async address => {
    try { return (await (await fetch(address, { credentials: "include" })).json()).type; }
    catch (error) { return error.name; }
}"""
WRITE = """address => fetch(address, { method: "POST", mode: "no-cors", credentials: "include" }).then(() => null)"""
TALK = """address => new Promise(done => {
    const wire = new WebSocket(address);
    wire.onopen = () => { wire.close(); done("talks"); };
    wire.onerror = () => done("refused");
})"""
LOOK = """async address => {
    const other = window.open(address);
    for (let i = 0; i < 200; i++) {
        try { if (other.document.location.href !== "about:blank") return "sees"; }
        catch (error) { return error.name; }
        await new Promise(done => setTimeout(done, 50));
    }
    return "no window";
}"""


@pytest.fixture(scope="module")
def hub():
    (settings,) = blocks("subdomains")
    made = Hub()
    made.address = f"http://hub.test:{made.port}"
    made.configure(
        settings.replace("https://hub.example.org", made.address).replace("= True", "= False  # no TLS here")
    )
    (made.world.home("bob") / ".jupyter").mkdir()
    (made.world.home("bob") / "public").mkdir()
    (made.world.home("bob") / "public/page.html").write_text("<title>cats</title>", encoding="utf-8")
    own = 'c.ServerApp.extra_static_paths = ["/home/bob/public"]'  # Jupyter shows these to everybody
    (made.world.home("bob") / ".jupyter/jupyter_server_config.py").write_text(own, encoding="utf-8")
    made.world.give("bob", made.world.home("bob"))
    yield made
    made.remove()


@pytest.fixture(scope="module")
def chromium():
    with launched("--host-resolver-rules=MAP *.test 127.0.0.1") as browser:
        yield browser


def test_a_classmates_page_reaches_nothing(running, chromium):
    ann, bob = (Visitor(chromium, running, name) for name in ("ann", "bob"))
    for visitor in (ann, bob):
        visitor.log_in()
        visitor.lands_on("chapters/00-start.ipynb")
        assert urlsplit(visitor.page.url).netloc == f"{visitor.name}.hub.test:{running.port}"

    # The course works as on a shared address: her chapter runs, and its widget moves.
    ann.open(CHAPTER)
    assert len(ann.run_all()) > 80
    ann.slide_the_line()
    ann.save()

    hers = f"http://ann.hub.test:{running.port}/user/ann"
    kernel = ann.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id")
    wire = f"{hers.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels"
    assert ann.page.evaluate(READ, f"{hers}/api/contents") == "directory"
    assert ann.page.evaluate(TALK, wire) == "talks"
    assert ann.page.evaluate(LOOK, f"{hers}/api/contents") == "sees"

    # She follows his link, in the browser in which she is logged in.
    link = ann.context.new_page()
    link.goto(f"http://bob.hub.test:{running.port}/user/bob/static/page.html")
    assert link.title() == "cats"
    assert link.evaluate(READ, f"{hers}/api/contents") == "TypeError"
    assert link.evaluate(TALK, wire) == "refused"
    assert link.evaluate(LOOK, f"{hers}/api/contents") == "SecurityError"
    with link.expect_response(f"{hers}/api/terminals") as answer:
        link.evaluate(WRITE, f"{hers}/api/terminals")
    assert answer.value.status == 403
    assert ann.page.evaluate("address => fetch(address).then(all => all.json())", f"{hers}/api/terminals") == []

    for visitor in (ann, bob):
        assert visitor.wrong == [], visitor.name
        visitor.close()
