import threading

import pytest
import torch

from dlcourse.widgets.guard import Guard


@pytest.fixture(autouse=True)
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def test_while_it_is_held_torch_keeps_to_one_thread():
    guard = Guard()
    with guard:
        with guard:
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 2


def test_an_exception_gives_everything_back():
    guard = Guard()
    with pytest.raises(KeyError), guard:
        raise KeyError
    assert torch.get_num_threads() == 2
    assert elsewhere(guard, wait=5)


def test_another_thread_waits():
    guard = Guard()
    with guard:
        assert not elsewhere(guard, wait=0.1)


def test_two_widgets_in_two_threads_give_all_threads_back():
    first, second = Guard(), Guard()
    inside, out = threading.Event(), threading.Event()
    seen = []

    def other():
        with second:
            inside.set()
            out.wait(5)
        seen.append(torch.get_num_threads())

    thread = threading.Thread(target=other)
    with first:
        thread.start()
        assert inside.wait(5)
    out.set()  # the second leaves after the first
    thread.join()
    later = threading.Thread(target=lambda: seen.append(torch.get_num_threads()))
    later.start()
    later.join()
    assert (torch.get_num_threads(), seen) == (2, [2, 2])


def elsewhere(guard, *, wait: float) -> bool:
    """Whether another thread gets the guard within that many seconds."""
    entered = threading.Event()

    def enter():
        with guard:
            entered.set()

    threading.Thread(target=enter, daemon=True).start()
    return entered.wait(wait)
