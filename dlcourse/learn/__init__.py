"""Helps for reading that need no widget: asserted numbers, predictions, quizzes, the glossary."""

from dlcourse.learn.claim import ClaimFailed, claim
from dlcourse.learn.content import content_root
from dlcourse.learn.glossary import UnknownTerm, glossary
from dlcourse.learn.predict import predict, reveal
from dlcourse.learn.quiz import quiz, to_read
from dlcourse.learn.slip import Slip

__all__ = [
    "ClaimFailed",
    "Slip",
    "UnknownTerm",
    "claim",
    "content_root",
    "glossary",
    "predict",
    "quiz",
    "reveal",
    "to_read",
]
