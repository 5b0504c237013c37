"""Named answers for the checks: `tests/checks/wrong_answers_chNN.py` fills these lists with its two decorators.

The name of the function or class under `@wrong(exercise, phrase)` names the misconception.
"""

WRONG = []  # (exercise, name, answer, the words that its diagnosis must hold)
RIGHT = []  # (exercise, name, answer)


def wrong(exercise, phrase):
    def add(answer):
        WRONG.append((exercise, answer.__name__, answer, phrase))
        return answer

    return add


def right(exercise):
    def add(answer):
        RIGHT.append((exercise, answer.__name__, answer))
        return answer

    return add
