"""Submissions whose file is no plain file: links, pipes, devices, folders, nothing at all."""

import os
import shutil
import socket
from pathlib import Path

from dlcourse_hostile import FULL, NOTHING, Submission, case

NO_FILE = "no notebook of the student's own was handed in"


def victim(hand: Submission) -> Path:
    """The notebook of the student whom others want to copy."""
    return Path(hand.places["COURSE"], "submitted", hand.places["VICTIM"], hand.assignment, hand.path.name)


@case(NOTHING, NO_FILE)
def link_to_another_students_work(hand):
    os.symlink(victim(hand), hand.path)
    hand.no_notebook()


@case(NOTHING, NO_FILE)
def relative_link_to_the_solution(hand):
    os.symlink(f"../../../solutions/{hand.assignment}/{hand.path.name}", hand.path)
    hand.no_notebook()


@case(NOTHING, NO_FILE)
def folder_is_a_link(hand):
    hand.folder.rmdir()
    os.symlink(victim(hand).parent, hand.folder)
    hand.no_notebook()


@case(NOTHING, NO_FILE)
def students_folder_is_a_link(hand):
    shutil.rmtree(hand.folder.parent)
    os.symlink(victim(hand).parents[1], hand.folder.parent)
    hand.no_notebook()


@case(NOTHING, NO_FILE)
def link_in_a_circle(hand):
    os.symlink(hand.path.name, hand.path)
    hand.no_notebook()


@case(NOTHING, NO_FILE)
def link_to_nothing(hand):
    os.symlink("/nowhere/at/all", hand.path)
    hand.no_notebook()


@case(NOTHING, NO_FILE)
def link_to_an_endless_device(hand):
    os.symlink("/dev/zero", hand.path)
    hand.no_notebook()


@case(NOTHING, NO_FILE)
def hard_link_to_the_solution(hand):
    os.link(Path(hand.places["COURSE"], "solutions", hand.assignment, hand.path.name), hand.path)
    hand.no_notebook()


@case(NOTHING, NO_FILE)
def pipe(hand):
    os.mkfifo(hand.path)
    hand.no_notebook()


@case(NOTHING, NO_FILE)
def socket_file(hand):
    here = os.getcwd()
    with socket.socket(socket.AF_UNIX) as server:  # the path of a socket may hold 107 bytes only
        os.chdir(hand.folder)
        try:
            server.bind(hand.path.name)
        finally:
            os.chdir(here)
    hand.no_notebook()


@case(NOTHING, NO_FILE)
def folder_in_place_of_the_notebook(hand):
    hand.path.mkdir()
    hand.no_notebook()


@case(NOTHING, NO_FILE)
def empty_folder(hand):
    hand.no_notebook()


@case(NOTHING, NO_FILE)
def file_in_place_of_the_folder(hand):
    hand.folder.rmdir()
    hand.folder.write_text("{}", encoding="utf-8")
    hand.no_notebook()


@case(FULL, "the one notebook in the folder is the one that is meant")
def notebook_of_another_name(hand):
    hand.save()
    hand.path.rename(hand.folder / "my solution (final) ü.ipynb")
    hand.no_notebook()


@case(NOTHING, "which of two notebooks counts is not ours to guess")
def two_notebooks_of_other_names(hand):
    hand.save()
    shutil.copy(hand.path, hand.folder / "a.ipynb")
    hand.path.rename(hand.folder / "b.ipynb")
    hand.no_notebook()


@case(FULL, "copies, check points and other files are not read")
def many_files_beside_the_notebook(hand):
    for number in range(300):
        hand.beside(f"data/{number}.csv", "1,2")
    hand.beside(".ipynb_checkpoints/01-neurons-exercises-checkpoint.ipynb", "{}")
    hand.beside("copy of 01-neurons-exercises.ipynb", "{}")
    hand.beside("\n\x1b[2J\r.txt", "x")


@case(FULL, "a file of the student's that nobody may read is left alone")
def unreadable_files_beside_the_notebook(hand):
    hand.beside("secret/x", "x")
    os.mkfifo(hand.folder / "pipe")
    os.chmod(hand.folder / "secret", 0)


@case(FULL, "a strange time of handing in is a strange time")
def time_stamp_of_rubbish(hand):
    hand.beside("timestamp.txt", b"\xff\xfe 99999-99-99 \x00 <script>")


@case(FULL, "no time of handing in is no fault")
def time_stamp_is_a_folder(hand):
    (hand.folder / "timestamp.txt").mkdir()


@case(FULL, "a pipe in place of the time of handing in holds nobody up")
def time_stamp_is_a_pipe(hand):
    os.mkfifo(hand.folder / "timestamp.txt")


@case(FULL, "an endless device in place of the time of handing in is not read to its end")
def time_stamp_is_an_endless_device(hand):
    os.symlink("/dev/zero", hand.folder / "timestamp.txt")


@case(FULL, "a link in place of the time of handing in tells nothing of where it leads")
def time_stamp_is_a_link_to_a_secret(hand):
    os.symlink(Path(hand.places["HOME"], "secret.txt"), hand.folder / "timestamp.txt")


@case(FULL, "a time of handing in of 50 MB is none")
def time_stamp_without_end(hand):
    hand.beside("timestamp.txt", b"2026-01-05 12:00:00 UTC" + b" " * 50 * 2**20)
