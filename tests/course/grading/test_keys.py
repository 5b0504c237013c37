"""The course's secrets: kept for one owner, rotated, revoked, never shown, and never one in place of the other."""

import hashlib
import hmac
import itertools
import json
import os
import pickle
import stat

import pytest

from dlcourse.course.errors import CourseError
from dlcourse.course.grading import keys as keys_
from dlcourse.course.grading.keys import BadSignature, NoKeys, create, load, path, revoke, rotate

BODY = {"score": 2.0, "student": "bit-diddle"}


def test_a_new_file_is_the_owners_alone_whatever_the_umask(own_keys):
    before = os.umask(0)
    try:
        made = create("dlcourse")
    finally:
        os.umask(before)
    assert stat.S_IMODE(own_keys.stat().st_mode) == 0o700
    assert stat.S_IMODE(path("dlcourse").stat().st_mode) == 0o600
    assert load("dlcourse") == made
    assert [len(key.secret) for key in made.every] == [32, 32]
    assert len({key.secret for key in made.every}) == 2


def test_without_keys_the_command_that_makes_them_is_named():
    with pytest.raises(NoKeys, match="dlcourse course release ASSIGNMENT"):
        load("dlcourse")


def test_without_a_setting_they_lie_among_the_persons_own_settings(monkeypatch, tmp_path):
    monkeypatch.delenv("DLCOURSE_KEYS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert path("dlcourse").parts[-3:] == ("dlcourse", "keys", "dlcourse.json")
    assert path("dlcourse").is_relative_to(tmp_path)


def test_keys_are_not_made_twice(keys):
    with pytest.raises(CourseError, match="already"):
        create("dlcourse")
    assert load("dlcourse") == keys


@pytest.mark.parametrize("course", ["", "..", "../x", "a/b", "a\0", ".hidden", "-x", "a" * 101, "a\n"])
def test_a_course_id_that_is_no_file_name_is_refused(course):
    with pytest.raises(CourseError, match="cannot be a file name"):
        load(course)


# ---- where and how they are kept


def open_file(folder):
    path("dlcourse").chmod(0o640)


def open_folder(folder):
    folder.chmod(0o750)


def linked_file(folder):
    path("dlcourse").rename(folder.parent / "elsewhere")
    path("dlcourse").symlink_to(folder.parent / "elsewhere")


def linked_folder(folder):
    folder.rename(folder.parent / "elsewhere")
    folder.symlink_to(folder.parent / "elsewhere")


def folder_in_its_place(folder):
    path("dlcourse").unlink()
    path("dlcourse").mkdir(0o700)


def fifo_in_its_place(folder):
    path("dlcourse").unlink()
    os.mkfifo(path("dlcourse"), 0o600)


def file_as_folder(folder):
    path("dlcourse").unlink()
    (folder / ".lock").unlink()
    folder.rmdir()
    folder.write_text("")


UNSAFE = {
    open_file: "chmod 600",
    open_folder: "chmod 700",
    linked_file: "is a link",
    linked_folder: "is no folder",
    folder_in_its_place: "is no regular file",
    fifo_in_its_place: "is no regular file",
    file_as_folder: "is no folder",
}


@pytest.mark.parametrize("change", UNSAFE, ids=lambda change: change.__name__)
@pytest.mark.parametrize("use", [load, lambda c: rotate(c, "signing"), create], ids=["load", "rotate", "create"])
def test_keys_that_others_could_have_touched_are_refused(keys, own_keys, change, use):
    change(own_keys)
    with pytest.raises(CourseError, match=UNSAFE[change]) as error:
        use("dlcourse")
    assert not isinstance(error.value, NoKeys)


@pytest.mark.parametrize("name", ["folder", "file"])
def test_keys_of_another_owner_are_refused(keys, own_keys, monkeypatch, name):
    """Another owner without being root: the system's answer is changed."""
    there, real = (own_keys if name == "folder" else path("dlcourse")).stat().st_ino, stat.S_ISLNK
    wrong = os.geteuid() + 1
    lstat, fstat = os.lstat, os.fstat

    def other(found):
        return os.stat_result([*found[:4], wrong, *found[5:]]) if found.st_ino == there else found

    monkeypatch.setattr(os, "lstat", lambda *a, **k: other(lstat(*a, **k)))
    monkeypatch.setattr(os, "fstat", lambda *a, **k: other(fstat(*a, **k)))
    assert stat.S_ISLNK is real
    with pytest.raises(CourseError, match=f"belongs to the user {wrong}"):
        load("dlcourse")


@pytest.mark.parametrize("inside", ["course", "exchange"])
def test_keys_inside_the_course_or_the_exchange_are_refused(tmp_path, monkeypatch, inside):
    shared = tmp_path / inside
    shared.mkdir()
    (tmp_path / "alias").symlink_to(shared)
    for named in (shared / "keys", tmp_path / "alias" / "keys", shared):
        monkeypatch.setenv("DLCOURSE_KEYS", str(named))
        for use in (load, create):
            with pytest.raises(CourseError, match="Name another folder"):
                use("dlcourse", outside=[shared])
    assert list(shared.iterdir()) == []


# Field of the file -> another value.
DAMAGED = {
    "format": {"format": 2},
    "another course's": {"course": "other"},
    "no keys": {"keys": []},
    "keys are text": {"keys": "xy"},
    "extra": {"more": 1},
}


@pytest.mark.parametrize("change", DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_file_is_refused_and_never_made_anew(keys, change):
    file = path("dlcourse")
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    before = file.read_bytes()
    for use in (load, create, lambda c: rotate(c, "course")):
        with pytest.raises(CourseError):
            use("dlcourse")
    assert file.read_bytes() == before
    with pytest.raises(CourseError, match="Put back a copy"):
        load("dlcourse")


@pytest.mark.parametrize(
    "change",
    [{"secret": "00" * 31}, {"secret": "zz" * 32}, {"id": "s1"}, {"kind": "other"}, {"revoked": 0}, {"extra": ""}],
    ids=lambda change: next(iter(change)),
)
def test_a_damaged_key_is_refused(keys, change):
    file = path("dlcourse")
    plain = json.loads(file.read_text())
    plain["keys"][0] |= change
    file.write_text(json.dumps(plain))
    with pytest.raises(CourseError, match="Put back a copy"):
        load("dlcourse")


def test_a_full_disk_leaves_the_keys_as_they_were(keys, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(CourseError, match="No space left"):
        rotate("dlcourse", "signing")
    assert load("dlcourse") == keys
    assert sorted(os.listdir(path("dlcourse").parent)) == [".lock", "dlcourse.json"]


# ---- never shown


def test_nothing_that_is_printed_or_raised_holds_a_secret(keys):
    texts = [repr(keys), str(keys), repr(keys.every[0])]
    for attempt in (lambda: keys.verify(keys.sign(BODY) | {"signature": "00" * 32}), lambda: create("dlcourse")):
        with pytest.raises((BadSignature, CourseError)) as error:
            attempt()
        texts.append(str(error.value))
    for key, text in itertools.product(keys.every, texts):
        assert key.secret.hex() not in text
        assert repr(key.secret) not in text


def test_keys_cannot_be_sent_to_a_worker(keys):
    with pytest.raises(TypeError, match="stay in the process"):
        pickle.dumps(keys)


# ---- seeds


def test_seeds_are_as_written_down(keys):
    message = b'dlcourse hidden seed 1\n["01-neurons",2,"01.sigmoid",1]'
    digest = hmac.new(keys.current("course").secret, message, hashlib.sha256).digest()
    seeds = keys.seeds("01-neurons", 2, "01.sigmoid")
    assert seeds[1] == int.from_bytes(digest[:4], "big") // 2
    assert len(seeds) == len(set(seeds)) == 2
    assert all(type(seed) is int and 0 <= seed < 2**31 for seed in seeds)
    assert load("dlcourse").seeds("01-neurons", 2, "01.sigmoid", 5)[:2] == seeds


def test_seeds_differ_by_assignment_version_exercise_and_course(keys):
    asked = [
        ("a", 1, "x"),
        ("b", 1, "x"),
        ("a", 2, "x"),
        ("a", 1, "y"),
        ("a", 11, "x"),
        ("a/1", 1, "x"),
        ("a", 1, "1/x"),
    ]
    drawn = [
        tuple(each.seeds(*question))
        for question in asked
        for each in (keys, create("other") if question == asked[0] else keys)
    ]
    assert len(set(drawn)) == len(asked) + 1


def test_an_assignment_keeps_its_seeds_after_a_rotation(keys):
    old = keys.current("course").id
    turned = rotate("dlcourse", "course")
    assert turned.seeds("a", 1, "x") != keys.seeds("a", 1, "x")
    assert turned.seeds("a", 1, "x", key=old) == keys.seeds("a", 1, "x")
    assert turned.current("signing") == keys.current("signing")


def test_seeds_of_a_leaked_or_missing_key_are_refused_with_what_to_do(keys):
    old = keys.current("course").id
    for asked in (revoke("dlcourse", old), create("other")):
        with pytest.raises(CourseError, match="dlcourse course release 01-neurons --again"):
            asked.seeds("01-neurons", 1, "x", key=old)
    assert load("dlcourse").current("course").id != old
    assert len(load("dlcourse").seeds("01-neurons", 1, "x")) == 2


# ---- signatures


def test_what_was_signed_verifies_and_nothing_else(keys):
    signed = keys.sign(BODY)
    assert load("dlcourse").verify(json.loads(json.dumps(signed))) == BODY
    body, signature = signed["body"], signed["signature"]
    forged = [
        {"body": body | {"score": 3.0}, "signature": signature},
        {"body": body | {"score": 2}, "signature": signature},  # another spelling
        {"body": body | {"more": 1}, "signature": signature},
        {"body": BODY, "signature": signature},
        {"body": body, "signature": signature.upper()},
        {"body": body, "signature": signature[:-1]},
        {"body": body, "signature": "é" + signature[1:]},
        {"body": body, "signature": "\ud800"},
        {"body": body, "signature": ""},
        {"body": body, "signature": None},
        {"body": body | {"score": float("nan")}, "signature": signature},
        {"body": body | {"key": keys.current("course").id}, "signature": signature},
        {"body": body},
        signed | {"more": 1},
        [body, signature],
        None,
    ]
    for each in forged:
        with pytest.raises(BadSignature):
            keys.verify(each)


def test_a_seeds_code_is_no_signature_and_a_course_key_signs_nothing(keys):
    """The two purposes have lines of their own, and the two kinds of keys do not stand for each other."""
    course, signing = keys.current("course"), keys.current("signing")
    body = BODY | {"key": signing.id}
    for secret, purpose in ((signing.secret, keys_.SEEDS), (signing.secret, b""), (course.secret, keys_.RESULT)):
        digest = hmac.new(secret, purpose + keys_.canonical(body), hashlib.sha256).hexdigest()
        with pytest.raises(BadSignature):
            keys.verify({"body": body, "signature": digest})
    forged = BODY | {"key": course.id}
    digest = hmac.new(course.secret, keys_.RESULT + keys_.canonical(forged), hashlib.sha256).hexdigest()
    with pytest.raises(BadSignature, match="none of this course"):
        keys.verify({"body": forged, "signature": digest})


def test_an_old_result_verifies_after_a_rotation_and_not_after_its_key_was_revoked(keys):
    old = keys.sign(BODY)
    turned = rotate("dlcourse", "signing")
    assert turned.verify(old) == BODY
    new = turned.sign(BODY)
    assert new["body"]["key"] != old["body"]["key"]
    left = revoke("dlcourse", old["body"]["key"])
    with pytest.raises(BadSignature, match="revoked"):
        left.verify(old)
    assert left.verify(new) == BODY
    assert left == load("dlcourse")
    assert left.current("signing").id == new["body"]["key"]


def test_revoking_the_key_in_use_makes_a_new_one(keys):
    left = revoke("dlcourse", keys.current("signing").id)
    assert left.current("signing").id != keys.current("signing").id
    with pytest.raises(CourseError, match="already"):
        revoke("dlcourse", keys.current("signing").id)
    with pytest.raises(CourseError, match="no key 's00000000'"):
        revoke("dlcourse", "s00000000")


def test_results_of_another_course_do_not_verify(keys):
    with pytest.raises(BadSignature, match="none of this course"):
        create("other").verify(keys.sign(BODY))
