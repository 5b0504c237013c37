"""With `subdomain_host` each person has an origin of their own: a classmate's page reads and does nothing of hers.

By the lines of deploy/README.md, in a browser that takes every name in .test for this machine.
"""

from urllib.parse import urlsplit

import pytest
from dlcourse_browser import launched
from dlcourse_hub import Hub, Visitor, blocks

CHAPTER = "chapters/01-neurons.ipynb"
# What a page can try at an address of another's: to read, to change something, to talk to a kernel, to look into its
# window.
READ = """async ([address, headers]) => {
    try { return (await (await fetch(address, { credentials: "include", headers })).json()).type; }
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
    """By the guide's lines, with a certificate and a name of our own; bob shows a page to everybody."""
    made = Hub()
    made.address = f"https://hub.test:{made.port}"
    (settings,) = blocks("subdomains")
    assert "https://hub.example.org" in settings
    made.configure(f"""
c.JupyterHub.bind_url = "https://127.0.0.1:{made.port}"
c.JupyterHub.ssl_key, c.JupyterHub.ssl_cert = "/etc/jupyterhub/key.pem", "/etc/jupyterhub/cert.pem"
{settings.replace("https://hub.example.org", made.address)}
""")
    new = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=hub.test -addext subjectAltName=DNS:*.hub.test"
    made.world.run("root", f"cd /etc/jupyterhub && {new} -keyout key.pem -out cert.pem 2>&1")
    page = "echo '<title>cats</title>' >~/public/page.html"
    shown = """echo 'c.ServerApp.extra_static_paths = ["/home/bob/public"]' >~/.jupyter/jupyter_server_config.py"""
    made.world.run("bob", f"mkdir -p ~/.jupyter ~/public; {page}; {shown}")
    yield made
    made.remove()


@pytest.fixture(scope="module")
def chromium():
    with launched("--host-resolver-rules=MAP *.test 127.0.0.1", "--ignore-certificate-errors") as browser:
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

    hers = f"https://ann.hub.test:{running.port}/user/ann"
    kernel = ann.page.evaluate("() => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.id")
    wire = f"{hers.replace('http', 'ws', 1)}/api/kernels/{kernel}/channels"
    (secret,) = (cookie["value"] for cookie in ann.context.cookies(f"{hers}/") if cookie["name"] == "_xsrf")
    headers = {"X-XSRFToken": secret}
    assert ann.page.evaluate(READ, [f"{hers}/api/contents", headers]) == "directory"
    assert ann.page.evaluate(TALK, wire) == "talks"
    assert ann.page.evaluate(LOOK, f"{hers}/api/contents") == "sees"

    names = {cookie["name"]: cookie["domain"] for cookie in ann.context.cookies() if "jupyterhub" in cookie["name"]}
    assert names["__Host-jupyterhub-user-ann"] == "ann.hub.test"  # which a page of his cannot set for her

    # She follows his link, in the browser in which she is logged in.
    link = ann.context.new_page()
    link.goto(f"https://bob.hub.test:{running.port}/user/bob/static/page.html")
    assert link.title() == "cats"
    for known in ({}, headers):  # were he told her page's secret, too
        assert link.evaluate(READ, [f"{hers}/api/contents", known]) == "TypeError"
    assert link.evaluate(TALK, wire) == "refused"
    assert link.evaluate(LOOK, f"{hers}/api/contents") == "SecurityError"
    with link.expect_response(f"{hers}/api/terminals") as answer:
        link.evaluate(WRITE, f"{hers}/api/terminals")
    assert answer.value.status == 403
    running_terminals = "([address, headers]) => fetch(address, { headers }).then(answer => answer.json())"
    assert ann.page.evaluate(running_terminals, [f"{hers}/api/terminals", headers]) == []

    for visitor in (ann, bob):
        assert visitor.wrong == [], visitor.name
        visitor.close()
