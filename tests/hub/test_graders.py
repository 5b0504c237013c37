"""Two people keep one gradebook, by the lines of the host's guide: they enter one server, of an account of its own."""

import re
import time

import pytest
from dlcourse_hub import INSTRUCTOR, Client, Hub, blocks


@pytest.fixture(scope="module")
def hub():
    (settings,) = blocks("graders")
    made = Hub(settings.replace("grader", INSTRUCTOR), students=("kim", "sam", "ann"))
    yield made
    made.remove()


def enters(person: Client) -> bool:
    """Open the formgrader of the account that keeps the gradebook, and agree if the hub asks."""
    there = person.at("/formgrader", INSTRUCTOR)
    page = person.session.get(there)
    if "/oauth2/authorize" in page.url:
        fields = re.findall(r'name="(_xsrf|scopes)" value="(.*?)"', page.text)
        page = person.session.post(page.url, data=fields, headers={"Referer": page.url})
    assert page.status_code == (200 if page.url.startswith(there) else 403), page.url
    return page.status_code == 200


def test_graders_share_a_server_and_nobody_else_enters_it(running):
    kim, sam, ann = (Client(running, name) for name in ("kim", "sam", "ann"))
    for person in (kim, sam, ann):
        person.log_in()
    start = f"{running.address}/hub/spawn/{INSTRUCTOR}"
    assert ann.session.get(start).status_code == 404
    assert kim.session.get(start).status_code == 200
    deadline = time.monotonic() + 300
    while "Server is ready" not in running.said() and f"{INSTRUCTOR} took" not in running.said():
        assert time.monotonic() < deadline, running.said()[-3000:]
        time.sleep(0.5)
    assert [enters(person) for person in (kim, sam, ann)] == [True, True, False]
