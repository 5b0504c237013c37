from html.parser import HTMLParser

import pytest


class Page(HTMLParser):
    """Tags that a browser would see, and the words a reader would."""

    def __init__(self, html):
        super().__init__()
        self.html, self.tags, self.words = html, [], ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.words += data

    def count(self, tag):
        return sum(name == tag for name, _ in self.tags)


@pytest.fixture
def shown(monkeypatch):
    """Every card shown, as (plain text, parsed HTML); each is checked to read in any theme."""
    cards = []

    def display(card):
        page = Page(card._repr_html_())
        for _, attributes in page.tags:
            style = attributes.get("style", "")
            assert all("var(--jp-" in part for part in style.split(";") if "color" in part or "background" in part), (
                style
            )
        cards.append((repr(card), page))

    monkeypatch.setattr("IPython.display.display", display)
    return cards


@pytest.fixture
def noted(monkeypatch):
    """What would go into the progress file."""
    marks = []
    monkeypatch.setattr("dlcourse.progress.mark", lambda id, event, **data: marks.append((id, event, data)))
    return marks
