"""People on one hub do not reach each other, and the hub is left as it was found."""

import time

import psutil
import pytest
import zmq
from dlcourse_hub import START_CHAPTER, Client, blocks, password


def at_work(hub, name: str) -> Client:
    client = Client(hub, name)
    client.log_in()
    client.start()
    return client


@pytest.fixture(scope="module")
def ann(running):
    return at_work(running, "ann")


@pytest.fixture(scope="module")
def teacher(running):
    return at_work(running, "teacher")


def listening(hub, name: str) -> dict[int, str]:
    """The ports on which an account's processes listen, and what each process is."""
    return {
        connection.laddr.port: " ".join(process.cmdline())
        for process in psutil.Process(hub.server.process.pid).children(recursive=True)
        if process.uids().real == hub.world.numbers[name]
        for connection in process.net_connections("tcp")
        if connection.status == psutil.CONN_LISTEN
    }


def test_nobody_can_listen_to_a_kernel(running, ann):
    """Another account subscribes to every port there is, and hears nothing of what she runs and prints.

    By Jupyter's default one of them sends it to whoever asks. A kernel's sockets are files in a folder of hers here;
    the one port that a kernel still has (ipykernel's pipe for forked processes) takes in and gives nothing out.
    """
    kernel = ann.start_kernel(START_CHAPTER)
    mode = "import os; print(oct(os.stat(os.environ['JUPYTER_RUNTIME_DIR']).st_mode & 0o777))"
    assert ann.run(kernel, [mode]) == ["0o700\n"]
    ports = listening(running, "ann")
    assert any("ipykernel_launcher" in command for command in ports.values())
    with zmq.Context() as context, context.socket(zmq.SUB) as ear:
        ear.linger = 0
        ear.subscribe(b"")
        for port in ports:
            ear.connect(f"tcp://127.0.0.1:{port}")
        time.sleep(1)
        assert ann.run(kernel, ["print('a secret')"]) == ["a secret\n"]
        assert ear.poll(2000) == 0


def test_another_is_turned_away(running, ann):
    bob = Client(running, "bob")
    bob.log_in()
    for path in ("/lab", "/api/contents", "/api/kernels", "/terminals/1"):
        assert bob.session.get(ann.at(path)).status_code == 403, path
    (port,) = (port for port, command in listening(running, "ann").items() if "server_port" in command)
    bare = bob.session.get(f"http://127.0.0.1:{port}/user/ann/api/contents", allow_redirects=False)
    assert bare.status_code == 403  # past the proxy too
    assert ann.session.get(ann.at("/api/contents")).status_code == 200


def test_no_debugger_is_offered(ann, teacher):
    """It would open a port, on which every account may run code as the person."""
    for person in (ann, teacher):
        specs = person.session.get(person.at("/api/kernelspecs")).json()["kernelspecs"]
        assert {name: each["spec"]["metadata"]["debugger"] for name, each in specs.items()} == {"python3": False}


def test_menus_of_instructors_are_theirs(ann, teacher):
    assert ann.session.get(ann.at("/formgrader")).status_code == 404
    assert ann.session.get(ann.at("/assignments"), params={"course_id": "dlcourse"}).status_code == 200
    assert teacher.session.get(teacher.at("/formgrader")).status_code == 200


def test_accounts_of_the_machine_are_turned_away(running):
    """Root has a password in this world, and is in neither group."""
    running.world.run("root", f"echo 'root:{password('root')}' | /usr/sbin/chpasswd")
    answer = Client(running, "root").log_in()
    assert answer.status_code == 403
    assert "Invalid username or password" in answer.text


def test_accounts_made_as_the_guide_says_log_in(running):
    """Of somebody who is there already, and of a name that the hub refuses, nothing is touched."""
    (making,) = blocks("accounts")
    names = "printf 'ann\\nEve.Lee\\neve' > names.txt"  # no line's end after the last
    said = running.world.run("root", f"export PATH=$PATH:/usr/sbin\ncd /srv\n{names}\n({making}) 2>&1")
    assert "not a name for the hub: Eve.Lee" in said
    assert Client(running, "ann").log_in().status_code == 200
    made = running.world.folder / "srv/passwords.txt"
    assert made.stat().st_mode & 0o077 == 0
    name, word = made.read_text(encoding="utf-8").split()
    eve = Client(running, name, word)
    eve.log_in()
    eve.start()
    assert {each["name"] for each in eve.ask("GET", "/api/contents").json()["content"]} >= {"chapters", "exercises"}
    assert running.world.home("eve").stat().st_mode & 0o777 == 0o700


def test_a_folder_out_of_reach_of_the_home_is_not_shown(ann):
    assert ann.session.get(ann.at("/api/contents/../.bashrc")).status_code in (400, 403, 404)
    names = {each["name"] for each in ann.ask("GET", "/api/contents").json()["content"]}
    assert names == {"chapters", "exercises", "updates.md"}


def test_what_a_learner_writes_is_theirs(running, ann):
    home, number = running.world.home("ann"), running.world.numbers["ann"]
    assert {path.lstat().st_uid for path in home.rglob("*")} == {number}
    assert home.stat().st_mode & 0o077 == 0
