"""Predict, then run: a reader who has committed to an answer learns more from the result, above all from a miss."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from types import EllipsisType

from dlcourse.learn.card import QUIET, Card, letters, paragraph, prose
from dlcourse.learn.record import note
from dlcourse.learn.slip import Slip

Answer = str | float


@dataclass(frozen=True)
class _Prediction:
    question: str
    options: tuple[str, ...]
    guess: Answer | None


# What this session has predicted, by id: `reveal` stands in a later cell and knows only the id.
_predictions: dict[str, _Prediction] = {}


def _choose(answer: object, options: Sequence[str]) -> Answer | None:
    """The option meant by a letter or by its text; without options the answer itself. None: no such option."""
    if not options:
        if isinstance(answer, str):
            return answer.strip()
        return answer if isinstance(answer, int) else float(answer)  # a tensor with one element becomes a number
    wanted = str(answer).strip().casefold().rstrip(".)")
    for letter, option in zip(letters(len(options)), options, strict=True):
        if wanted in (letter, option.strip().casefold()):
            return option
    return None


def _format(answer: object) -> str:
    return f"{answer:.4g}" if isinstance(answer, Real) and not isinstance(answer, int) else str(answer)


def predict(
    id: str, question: str, *, options: Sequence[str] | None = None, guess: Answer | EllipsisType = ...
) -> None:
    """Asks for a prediction before the result is computed, and remembers it for `reveal`.

    id: the chapter and a name ("01.bias"). question: one sentence; mathematics between dollar signs.
    options: the answers to choose from, named a, b, c in this order; without them a number or a text is expected.
    guess: `...` shows the question and how to answer; otherwise the letter (or the text) of an option, a number or
    a text, which is recorded on this machine only. Raises Slip, a ValueError, when it is none of the options.
    """
    choices = tuple(options or ())
    if guess is ...:
        _predictions[id] = _Prediction(question, choices, None)
        _ask(question, choices).show()
        return
    chosen = _choose(guess, choices)
    if chosen is None or chosen == "":
        named = ", ".join(f'"{letter}"' for letter in letters(len(choices))) or "a number or a few words"
        raise Slip(f"The prediction {id!r} got guess={guess!r}, and wanted {named}. Change the guess, run again.")
    _predictions[id] = _Prediction(question, choices, chosen)
    note(id, "predicted", guess=chosen)
    text = f"Your prediction: {_format(chosen)}. Noted; run on and see."
    Card("Prediction", text, paragraph(text)).show()


def _ask(question: str, options: tuple[str, ...]) -> Card:
    wanted = 'a letter, like guess="a"' if options else "your answer"
    how = f"Put {wanted} in place of guess=... and run. A wrong guess costs nothing and teaches more than none."
    lines = [f"Predict: {question}", *(f"  {n}. {o}" for n, o in zip(letters(len(options)), options, strict=True)), how]
    # The letters are written out: JupyterLab's style sheet numbers every list.
    lettered = zip(letters(len(options)), options, strict=True)
    listed = "".join(f"<li>{letter}. {prose(option)}</li>" for letter, option in lettered)
    html = f'<p style="margin:0.3em 0"><strong>Predict.</strong> {prose(question)}</p>'
    html += f'<ul style="margin:0.3em 0;list-style:none;padding-left:1em">{listed}</ul>' if options else ""
    return Card("Prediction", "\n".join(lines), html + paragraph(how, QUIET))


def reveal(id: str, truth: object, why: str = "") -> None:
    """Shows what was predicted beside what came out, and why.

    id: the prediction's. truth: the letter or text of the right option, a number, a one-element tensor or a text.
    why: one or two sentences. Works when nothing was predicted. Raises ValueError when the prediction had options
    and `truth` is none of them.
    """
    asked = _predictions.get(id, _Prediction("", (), None))
    outcome = _choose(truth, asked.options)
    if outcome is None:
        raise ValueError(
            f"The prediction {id!r} offers {list(asked.options)} and reveal got truth={truth!r}, which is none of them."
        )
    if asked.guess is None:
        lines = [f"It came out: {_format(outcome)}.", "You made no prediction here; next time, try one first."]
    elif _agree(asked.guess, outcome):
        lines = [f"You predicted: {_format(asked.guess)}. And so it is."]
    else:
        lines = [
            f"You predicted: {_format(asked.guess)}. It came out: {_format(outcome)}.",
            "A surprise shows where your picture of it can grow: find the step that misled you.",
        ]
    lines += [why] if why else []
    Card("Result of the prediction", "\n".join(lines), "".join(map(paragraph, lines))).show()


def _agree(guess: Answer, truth: Answer) -> bool:
    if isinstance(guess, str) or isinstance(truth, str):
        return str(guess).casefold() == str(truth).casefold()
    if float(guess).is_integer() and float(truth).is_integer():
        return float(guess) == float(truth)
    return math.isclose(guess, truth, rel_tol=0.02)  # 0.33 is a good guess at a third
