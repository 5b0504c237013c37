"""Every fault ends in a plain error or a right file, never in a broken cache."""

import errno
import gzip
import hashlib
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from dlcourse.data import download
from dlcourse.data.download import DataUnavailable, File, read

CONTENT = b"".join(hashlib.sha256(bytes([i])).digest() for i in range(250)) + bytes(2_000)  # 10,000 bytes
PACKED = gzip.compress(CONTENT, mtime=0)
PATH = "set/numbers.gz"


def file(*urls: str, path: str = PATH, **changes) -> File:
    facts = {"size": len(CONTENT), "sha256": hashlib.sha256(CONTENT).hexdigest()} | changes
    return File(path, urls, len(PACKED), **facts)


def files_in(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def test_a_file_is_fetched_once_and_kept_as_it_came(server, serve, cache):
    server.answers["/numbers.gz"] = serve(PACKED)
    wanted = file(f"{server.url}/numbers.gz")
    assert not download.at_hand(wanted)
    assert read(wanted) == CONTENT
    assert read(wanted) == CONTENT
    assert server.asked == {"/numbers.gz": 1}
    assert files_in(cache) == [PATH]
    assert (cache / PATH).read_bytes() == PACKED
    assert download.at_hand(wanted)


def test_the_hash_is_of_the_content_so_another_compression_of_it_is_welcome(server, serve):
    server.answers["/numbers.gz"] = serve(gzip.compress(CONTENT, compresslevel=1, mtime=1))
    assert read(file(f"{server.url}/numbers.gz")) == CONTENT


def test_a_cached_file_can_be_read_by_others(server, serve, cache):
    server.answers["/numbers.gz"] = serve(PACKED)
    read(file(f"{server.url}/numbers.gz"))
    plain = cache / "plain"
    plain.write_bytes(b"")
    assert (cache / PATH).stat().st_mode == plain.stat().st_mode


# Where a file is looked for


def test_without_a_setting_the_cache_is_the_platform_s(monkeypatch):
    monkeypatch.delenv("DLCOURSE_CACHE")
    assert "dlcourse" in download.cache_folder().parts
    assert download.local_folders() == [download.cache_folder()]


def test_the_shared_folder_comes_first_and_is_only_read(server, tmp_path, cache, monkeypatch):
    shared = tmp_path / "shared"
    (shared / "set").mkdir(parents=True)
    (shared / PATH).write_bytes(PACKED)
    monkeypatch.setenv("DLCOURSE_DATA", str(shared))
    wanted = file(f"{server.url}/numbers.gz")
    assert download.at_hand(wanted)
    assert read(wanted) == CONTENT
    assert not server.asked
    assert files_in(shared) == [PATH]
    assert not cache.exists()
    (cache / "set").mkdir(parents=True)
    (cache / PATH).write_bytes(b"damaged, which would be reported if anybody looked")
    assert read(wanted) == CONTENT


def test_what_the_shared_folder_lacks_goes_to_the_cache(server, serve, tmp_path, cache, monkeypatch):
    (tmp_path / "shared").mkdir()
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path / "shared"))
    server.answers["/numbers.gz"] = serve(PACKED)
    assert read(file(f"{server.url}/numbers.gz")) == CONTENT
    assert files_in(tmp_path / "shared") == []
    assert files_in(cache) == [PATH]


def test_the_mirror_comes_before_the_public_ones(server, serve, monkeypatch):
    server.answers["/school/set/numbers.gz"] = serve(PACKED)
    monkeypatch.setenv("DLCOURSE_DATA_MIRROR", f"{server.url}/school/")
    assert read(file(f"{server.url}/public/numbers.gz")) == CONTENT
    assert server.asked == {"/school/set/numbers.gz": 1}


def test_a_mirror_that_fails_is_followed_by_the_public_ones(server, serve, monkeypatch):
    server.answers["/public/numbers.gz"] = serve(PACKED)
    monkeypatch.setenv("DLCOURSE_DATA_MIRROR", f"{server.url}/school")
    assert read(file(f"{server.url}/public/numbers.gz")) == CONTENT
    assert list(server.asked) == ["/school/set/numbers.gz", "/public/numbers.gz"]


def test_a_mirror_can_be_a_folder_even_with_blanks_in_its_name(tmp_path, cache, monkeypatch):
    mirror = tmp_path / "my files"
    (mirror / "set").mkdir(parents=True)
    (mirror / PATH).write_bytes(PACKED)
    monkeypatch.setenv("DLCOURSE_DATA_MIRROR", mirror.as_uri())
    assert read(file()) == CONTENT
    assert files_in(cache) == [PATH]


@pytest.mark.parametrize("mirror", ["/srv/data", "ftp://example.org", "example.org/data"])
def test_a_mirror_that_is_no_url_is_refused_by_name(mirror, monkeypatch):
    monkeypatch.setenv("DLCOURSE_DATA_MIRROR", mirror)
    with pytest.raises(ValueError, match=f"DLCOURSE_DATA_MIRROR is '{mirror}'.*file://"):
        read(file())


# What can go wrong on the way

FAULTS = {
    "the connection breaks off": (lambda s, f: s(PACKED[:30], announced=len(PACKED)), {}, "the connection broke off"),
    "a truncated gzip": (lambda s, f: s(PACKED[:-20]), {}, "cut short"),
    "a truncated text": (lambda s, f: s(CONTENT[:-1]), {"path": "set/numbers.txt"}, "wrong length: 9,999 bytes"),
    "nothing at all": (lambda s, f: s(b""), {"path": "set/numbers.txt"}, "wrong length: 0 bytes"),
    "a web page": (lambda s, f: s(b"\n<!DOCTYPE html><title>Log in</title>"), {}, "a web page came"),
    "not a gzip": (lambda s, f: s(CONTENT), {}, "not a sound gzip file"),
    "a flipped bit in a gzip": (lambda s, f: s(flipped(PACKED, -8)), {}, "not a sound gzip file"),
    "a gzip broken inside": (lambda s, f: s(PACKED[:10] + b"\xff" * 40), {}, "not a sound gzip file"),
    "a flipped bit": (lambda s, f: s(gzip.compress(flipped(CONTENT, 40))), {}, "wrong content: SHA-256"),
    "another beginning": (
        lambda s, f: s(PACKED),
        {"start": b"\x00\x01", "sha256": None},
        f"begins with {CONTENT[:2].hex()}",
    ),
    "404": (lambda s, f: f(404), {}, "the server answered 404 Not Found"),
    "503": (lambda s, f: f(503), {}, "the server answered 503 Service Unavailable"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_in_a_plain_error_and_an_empty_cache(fault, server, serve, fail, cache):
    answer, changes, reason = FAULTS[fault]
    server.answers["/bad"] = answer(serve, fail)
    with pytest.raises(DataUnavailable) as caught:
        read(file(f"{server.url}/bad", **changes))
    assert reason in str(caught.value)
    assert_plain(caught.value)
    assert not cache.exists()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_one_mirror_is_mended_by_the_next(fault, server, serve, fail, cache):
    answer, changes, _ = FAULTS[fault]
    wanted = file(f"{server.url}/bad", f"{server.url}/good", **changes)
    content = wanted.start + CONTENT[len(wanted.start) :]
    server.answers["/bad"] = answer(serve, fail)
    server.answers["/good"] = serve(gzip.compress(content) if wanted.path.endswith("gz") else content)
    assert read(wanted) == content
    assert files_in(cache) == [wanted.path]
    assert list(server.asked) == ["/bad", "/good"]


def test_no_network_is_said_in_one_paragraph_with_the_ways_out(dead_url, cache):
    with pytest.raises(DataUnavailable, match="no connection") as caught:
        read(file(f"{dead_url}/numbers.gz"))
    assert_plain(caught.value)
    assert caught.value._render_traceback_() == [f"DataUnavailable: {caught.value}"]
    assert not cache.exists()


def test_a_server_that_falls_silent_is_given_up(server, monkeypatch):
    monkeypatch.setattr(download, "TIMEOUT", 0.2)
    release = threading.Event()
    server.answers["/numbers.gz"] = lambda handler: release.wait(10)
    with pytest.raises(DataUnavailable, match=r"no answer for 0\.2 seconds"):
        read(file(f"{server.url}/numbers.gz"))
    release.set()


def assert_plain(fault: DataUnavailable) -> None:
    text = str(fault)
    assert "\n" not in text
    assert len(text) < 1_000
    for way_out in ("try again", "DLCOURSE_DATA_MIRROR", "DLCOURSE_DATA ", "digits"):
        assert way_out in text
    assert fault.__cause__ is None
    assert fault.__context__ is None


# What can go wrong at home


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_file_that_cannot_be_kept_leaves_nothing_behind(number, server, serve, cache, monkeypatch):
    server.answers["/numbers.gz"] = serve(PACKED)
    write = Path.write_bytes

    def half(path: Path, content: bytes) -> int:
        write(path, content[: len(content) // 2])
        raise OSError(number, os.strerror(number), str(path))

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_bytes", half)
        with pytest.raises(DataUnavailable, match=r"cannot be kept in .*cache") as caught:
            read(file(f"{server.url}/numbers.gz"))
    assert ("the disk is full" in str(caught.value)) == (number == errno.ENOSPC)
    for way_out in ("make room", "DLCOURSE_CACHE", "DLCOURSE_DATA ", "digits"):
        assert way_out in str(caught.value)
    assert caught.value.__cause__.errno == number
    assert files_in(cache) == []
    assert read(file(f"{server.url}/numbers.gz")) == CONTENT


def test_a_cache_that_cannot_be_made_is_a_plain_error(server, serve, tmp_path, monkeypatch):
    server.answers["/numbers.gz"] = serve(PACKED)
    (tmp_path / "a file").write_bytes(b"")
    monkeypatch.setenv("DLCOURSE_CACHE", str(tmp_path / "a file" / "cache"))
    with (
        pytest.warns(UserWarning, match="cannot be used"),
        pytest.raises(DataUnavailable, match=r"cannot be kept in .*a file"),
    ):
        read(file(f"{server.url}/numbers.gz"))


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="whoever is root may write anywhere")
def test_a_read_only_cache_is_a_plain_error(server, serve, cache):
    server.answers["/numbers.gz"] = serve(PACKED)
    cache.mkdir()
    cache.chmod(0o555)
    with pytest.raises(DataUnavailable, match="Permission denied"):
        read(file(f"{server.url}/numbers.gz"))
    cache.chmod(0o755)
    assert files_in(cache) == []


@pytest.mark.parametrize("damage", [PACKED[:-20], b"", flipped(PACKED, -8), gzip.compress(flipped(CONTENT, 40))])
def test_a_damaged_cache_is_noticed_on_reading_and_mended(damage, server, serve, cache):
    server.answers["/numbers.gz"] = serve(PACKED)
    (cache / "set").mkdir(parents=True)
    (cache / PATH).write_bytes(damage)
    with pytest.warns(UserWarning, match="cannot be used"):
        assert read(file(f"{server.url}/numbers.gz")) == CONTENT
    assert (cache / PATH).read_bytes() == PACKED
    assert read(file()) == CONTENT


def test_a_damaged_cache_without_network_is_a_plain_error(dead_url, cache):
    (cache / "set").mkdir(parents=True)
    (cache / PATH).write_bytes(PACKED[:-20])
    with (
        pytest.warns(UserWarning, match="cut short"),
        pytest.raises(DataUnavailable, match=r"cut short.*no connection"),
    ):
        read(file(f"{dead_url}/numbers.gz"))


def test_a_damaged_shared_file_is_reported_passed_over_and_left_alone(server, serve, tmp_path, monkeypatch):
    (tmp_path / "shared" / "set").mkdir(parents=True)
    (tmp_path / "shared" / PATH).write_bytes(b"damaged")
    monkeypatch.setenv("DLCOURSE_DATA", str(tmp_path / "shared"))
    server.answers["/numbers.gz"] = serve(PACKED)
    with pytest.warns(UserWarning, match="shared.*cannot be used"):
        assert read(file(f"{server.url}/numbers.gz")) == CONTENT
    assert (tmp_path / "shared" / PATH).read_bytes() == b"damaged"


def test_a_broken_off_set_resumes_with_what_is_missing(server, serve, cache):
    server.answers["/one"] = serve(PACKED)
    pair = [file(f"{server.url}/one", path="set/one.gz"), file(f"{server.url}/two", path="set/two.gz")]
    with pytest.raises(DataUnavailable, match="404"):
        [read(each) for each in pair]
    assert files_in(cache) == ["set/one.gz"]
    server.answers["/two"] = serve(PACKED)
    assert [read(each) for each in pair] == [CONTENT, CONTENT]
    assert server.asked == {"/one": 1, "/two": 2}


# Processes

SCRIPT = """
import sys
from dlcourse.data.download import File, read
content = read(File("set/numbers.gz", (sys.argv[1],), 1, size=10_000, sha256=sys.argv[2]))
print(len(content))
"""


def process(url: str) -> subprocess.Popen:
    command = [sys.executable, "-W", "error", "-c", SCRIPT, url, hashlib.sha256(CONTENT).hexdigest()]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_two_processes_at_once_both_end_well(server, serve, cache):
    together = threading.Barrier(2)

    def both(handler):
        together.wait(30)  # answers neither before both have asked
        serve(PACKED)(handler)

    server.answers["/numbers.gz"] = both
    pair = [process(f"{server.url}/numbers.gz") for _ in range(2)]
    assert [p.communicate(timeout=60) for p in pair] == [("10000\n", "")] * 2
    assert server.asked == {"/numbers.gz": 2}
    assert files_in(cache) == [PATH]
    assert (cache / PATH).read_bytes() == PACKED


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGINT for one process")
def test_ctrl_c_during_a_download_leaves_nothing_broken(server, serve, cache):
    begun, release = threading.Event(), threading.Event()

    def stall(handler):
        serve(PACKED[:30], announced=len(PACKED))(handler)
        handler.wfile.flush()
        begun.set()
        release.wait(30)

    server.answers["/numbers.gz"] = stall
    interrupted = process(f"{server.url}/numbers.gz")
    assert begun.wait(30)
    interrupted.send_signal(signal.SIGINT)
    _, stderr = interrupted.communicate(timeout=30)
    release.set()
    assert interrupted.returncode != 0
    assert stderr.rstrip().endswith("KeyboardInterrupt")
    assert not cache.exists()
    server.answers["/numbers.gz"] = serve(PACKED)
    assert read(file(f"{server.url}/numbers.gz")) == CONTENT


def test_ctrl_c_while_writing_leaves_nothing_broken(server, serve, cache, monkeypatch):
    server.answers["/numbers.gz"] = serve(PACKED)

    def interrupt(*paths):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        read(file(f"{server.url}/numbers.gz"))
    assert files_in(cache) == []


def test_the_progress_bar_names_the_file(server, serve, capsys):
    server.answers["/numbers.gz"] = serve(PACKED)
    read(file(f"{server.url}/numbers.gz"), progress=True)
    assert PATH in capsys.readouterr().err


def test_without_progress_it_is_quiet(server, serve, capsys):
    server.answers["/numbers.gz"] = serve(PACKED)
    read(file(f"{server.url}/numbers.gz"))
    assert capsys.readouterr() == ("", "")
