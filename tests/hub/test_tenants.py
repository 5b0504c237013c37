"""People on one hub do not reach each other, and the hub is left as it was found."""

import psutil
import pytest
from dlcourse_hub import START_CHAPTER, Client


@pytest.fixture(scope="module")
def ann(running):
    client = Client(running, "ann")
    client.log_in()
    client.start()
    return client


@pytest.fixture(scope="module")
def teacher(running):
    client = Client(running, "teacher")
    client.log_in()
    client.start()
    return client


def listening(number: int) -> list[int]:
    """The ports on which processes of one account listen."""
    return sorted(
        connection.laddr.port
        for process in psutil.process_iter()
        if process.is_running() and process.uids().real == number
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    )


def test_nobody_can_listen_to_a_kernel(running, ann):
    """The one port that is open is the server's, which asks who is there; kernels have sockets in a closed folder."""
    kernel = ann.start_kernel(START_CHAPTER)
    (folder, mode) = ann.run(
        kernel,
        [
            "import os; print(os.environ['JUPYTER_RUNTIME_DIR'])",
            "print(oct(os.stat(os.environ['JUPYTER_RUNTIME_DIR']).st_mode & 0o777))",
        ],
    )
    assert folder.startswith("/tmp/jupyter-")
    assert mode.strip() == "0o700"
    assert len(listening(running.world.numbers["ann"])) == 1


def test_another_is_turned_away(running, ann):
    bob = Client(running, "bob")
    bob.log_in()
    for path in ("/lab", "/api/contents", "/api/kernels", "/terminals/1"):
        assert bob.session.get(ann.at(path)).status_code == 403, path
    (port,) = listening(running.world.numbers["ann"])
    bare = bob.session.get(f"http://127.0.0.1:{port}/user/ann/api/contents", allow_redirects=False)
    assert bare.status_code == 403  # past the proxy too
    assert ann.session.get(ann.at("/api/contents")).status_code == 200


def test_menus_of_instructors_are_theirs(ann, teacher):
    assert ann.session.get(ann.at("/formgrader")).status_code == 404
    assert ann.session.get(ann.at("/assignments")).status_code == 200
    assert teacher.session.get(teacher.at("/formgrader")).status_code == 200


def test_accounts_of_the_machine_are_turned_away(running):
    """Root has a password in this world, and is in neither group."""
    running.world.run("root", "printf 'root:root-has-seven-brown-hens\\n' | /usr/sbin/chpasswd")
    answer = Client(running, "root").log_in()
    assert answer.status_code == 403
    assert "not allowed" in answer.text.lower()


def test_a_folder_out_of_reach_of_the_home_is_not_shown(ann):
    assert ann.session.get(ann.at("/api/contents/../.bashrc")).status_code in (400, 403, 404)
    names = {each["name"] for each in ann.ask("GET", "/api/contents").json()["content"]}
    assert names == {"chapters", "exercises", "updates.md"}


def test_what_a_learner_writes_is_theirs(running, ann):
    home, number = running.world.home("ann"), running.world.numbers["ann"]
    assert {path.lstat().st_uid for path in home.rglob("*")} == {number}
    assert home.stat().st_mode & 0o077 == 0
