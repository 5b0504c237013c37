"""The browser's end of the line: `recording_comm` takes down every message of a widget, and speaks as a view would."""

import json
from typing import Any

import comm
import pytest
from comm.base_comm import BaseComm

from dlcourse.widgets.snapshot import LIMIT


def strict(data: Any) -> Any:
    """A copy by way of JSON, as a browser gets it. Raises ValueError for what JSON does not know: NaN, infinity."""
    return json.loads(json.dumps(data, allow_nan=False))


class RecordingComm(BaseComm):
    """In place of the line to the browser: keeps (type, data, buffers) of all that is sent, in order."""

    def __init__(self, **settings: Any):
        self.sent: list[tuple[str, dict, list[bytes]]] = []
        self.faults: list[str] = []
        super().__init__(**settings)

    def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **_keys):
        raw = [bytes(buffer) for buffer in buffers or ()]
        if sum(map(len, raw)) > LIMIT:
            self.faults.append(f"{sum(map(len, raw))} bytes in one message")
        try:
            self.sent.append((msg_type, strict(data), raw))
        except (TypeError, ValueError) as error:
            self.faults.append(f"{error}: {data}")
            raise


class Line:
    """One widget's line: what it said, and a way to speak to it as a view does, along ipywidgets' own path."""

    def __init__(self, widget):
        self.widget = widget
        self.comm = widget.comm

    @property
    def sent(self) -> list[tuple[str, dict, list[bytes]]]:
        return self.comm.sent

    def clear(self) -> None:
        self.comm.sent.clear()

    def opening(self) -> dict:
        """The state with which the line was opened."""
        ((_, data, _),) = [message for message in self.sent if message[0] == "comm_open"]
        return data["state"]

    def messages(self) -> list[tuple[dict, list[bytes]]]:
        """Custom messages so far, with their buffers."""
        return [(data["content"], buffers) for _, data, buffers in self.sent if data.get("method") == "custom"]

    def of(self, kind: str) -> list[dict]:
        """Custom messages of one kind: frame, answer, error."""
        return [content for content, _ in self.messages() if content["kind"] == kind]

    def updates(self) -> list[dict]:
        """States that the kernel has sent of its own accord (not the echo of what a view said)."""
        return [data["state"] for _, data, _ in self.sent if data.get("method") == "update"]

    def state(self) -> dict:
        """The traits as a view has them by now, if it has only listened."""
        known = dict(self.opening())
        for state in self.updates():
            known |= state
        return known

    def say(self, **content: Any) -> list[dict]:
        """A custom message of the view; what was answered."""
        before = len(self.messages())
        self._receive({"method": "custom", "content": content})
        return [content for content, _ in self.messages()[before:]]

    def hello(self) -> list[dict]:
        return self.say(kind="hello")

    def tick(self, ident: Any = "tick-1") -> list[dict]:
        return self.say(kind="tick", id=ident)

    def act(self, name: str, **args: Any) -> list[dict]:
        return self.say(kind="act", id=f"{name}-1", name=name, args=args)

    def move(self, **state: Any) -> None:
        """The view sets traits."""
        self._receive({"method": "update", "state": state, "buffer_paths": []})

    def _receive(self, data: dict) -> None:
        message = {"header": {"msg_type": "comm_msg"}, "metadata": {}, "buffers": []}
        self.comm.handle_msg({**message, "content": {"comm_id": self.comm.comm_id, "data": strict(data)}})


@pytest.fixture
def recording_comm(monkeypatch):
    """`recording_comm(widget)` is the widget's `Line`; a widget must be made after this fixture.

    Whatever a widget sends must be strict JSON (no NaN) with at most 64 KiB of arrays, or the test fails.
    """
    comms = []

    def create(**settings):
        comms.append(RecordingComm(**settings))
        return comms[-1]

    monkeypatch.setattr(comm, "create_comm", create)
    yield Line
    assert [fault for each in comms for fault in each.faults] == []
