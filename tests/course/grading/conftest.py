"""Keys in a folder of the test's own."""

import pytest

from dlcourse.course.grading import keys as keys_


@pytest.fixture(autouse=True)
def own_keys(tmp_path, monkeypatch):
    """The folder of keys; never the instructor's own."""
    folder = tmp_path / "own" / "keys"
    monkeypatch.setenv("DLCOURSE_KEYS", str(folder))
    return folder


@pytest.fixture
def keys(own_keys):
    return keys_.create("dlcourse")
