"""One JupyterLab and one chromium for the browser tests: `book` is a notebook of the file's `CELLS`.

To open a notebook and start its kernel takes ten seconds, so the tests of a file share one; `library` opens it. A
console error, or a request to another host, fails the test that caused it (the request is blocked, too).
"""

import sys
from pathlib import Path

import pytest
from dlcourse_browser import ABROAD, CHROMIUM, VIEWPORT, Book, Lab, launched


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """Every test of this folder needs the same things."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.browser)
            item.add_marker(pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"))
            item.add_marker(pytest.mark.skipif(sys.platform == "win32", reason="they speak POSIX signals and pipes"))


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
        lab.kill()


@pytest.fixture(scope="module")
def chromium():
    with launched() as browser:
        yield browser


@pytest.fixture
def page(chromium):
    """An empty page with nothing blocked."""
    page = chromium.new_page(viewport=VIEWPORT)
    yield page
    page.close()


@pytest.fixture(scope="session")
def lab_server(tmp_path_factory):
    """One `dlcourse lab` with a home of its own."""
    lab = Lab(tmp_path_factory.mktemp("home"))
    yield lab
    lab.kill()


class Library:
    """The notebooks that are open, in one browser context (so JupyterLab's own files come from its cache)."""

    def __init__(self, context, lab: Lab, name: str):
        self.context, self.lab, self.name = context, lab, name
        self.books: list[Book] = []
        self.opened = 0

    def open(self, cells: list[str]) -> Book:
        self.opened += 1
        self.books.append(Book(self.context, self.lab, cells, f"{self.name}-{self.opened}"))
        return self.books[-1]

    def check(self) -> None:
        """No console error and no request abroad that a test has not taken note of."""
        errors = [text for book in self.books for text in book.console_errors]
        abroad = [url for book in self.books for url in book.abroad]
        for book in self.books:
            book.console_errors.clear()
            book.abroad.clear()
        assert (errors, abroad) == ([], [])


@pytest.fixture(scope="module")
def library(chromium, lab_server, request):
    """Opens notebooks that stay open for the whole file."""
    context = chromium.new_context(viewport=VIEWPORT)
    context.route(ABROAD, lambda route: route.abort())
    library = Library(context, lab_server, request.module.__name__.rpartition(".")[2])
    yield library
    for book in library.books:
        book.close()
    context.close()


@pytest.fixture(scope="module")
def book(library, request):
    """One notebook for a whole file, of the file's `CELLS`; the first of them has run."""
    opened = library.open(request.module.CELLS)
    opened.run(0)
    return opened


@pytest.fixture(autouse=True)
def _clean(request):
    """No test leaves an error or a request abroad behind."""
    yield
    if "library" in request.fixturenames:
        request.getfixturevalue("library").check()
