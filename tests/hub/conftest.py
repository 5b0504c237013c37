"""Every test of this folder starts a real hub: marker `hub`, and slow."""

from pathlib import Path

import pytest
from dlcourse_browser import CHROMIUM, launched
from dlcourse_hub import Hub, why_no_hub


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.hub)
            item.add_marker(pytest.mark.slow)
            item.add_marker(pytest.mark.skipif(why_no_hub() is not None, reason=f"{why_no_hub()}"))
            item.add_marker(pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed"))


@pytest.fixture(scope="module")
def hub():
    """A hub, not yet started, on a machine with two students and an instructor."""
    made = Hub()
    yield made
    made.remove()


@pytest.fixture(scope="module")
def running(hub):
    with hub.running():
        yield hub


@pytest.fixture(scope="module")
def chromium():
    with launched() as browser:
        yield browser
