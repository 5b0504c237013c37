import json
import textwrap

import nbformat.v4 as nb
import pytest

from dlcourse.course import lint

GLOSSARY = """
[[term]]
term = "logit"
sentence = "A score."
chapter = "01"

[[term]]
term = "attention"
sentence = "A mixture."
chapter = "09"
"""
QUIZ = """
[[question]]
id = "01.bias"
kind = "number"
objectives = ["01-O1"]
text = "How many?"
answer = 4
why = "Count."
"""
# A small chapter with nothing amiss: markdown and code by turns. Each bad sample changes one thing in it.
CHAPTER = (
    "# 1 · Neurons\n\n- 01-O1: count.\n\nAbout 52 minutes. See chapter 2 and *00 Start here*.",
    "from dlcourse import claim, data, plot, predict, quiz, reveal, seed\n\nseed(1)",
    "## The puzzle\n\n"
    "Of 569 biopsies 97 % are right (Rosenblatt, 1958), and in 1986 too. A **logit** is `3 * x` or $4x$.",
    'claim("569 biopsies", 569, 569, 569)\nclaim("97 %", 0.97, 0.9, 1.0)',
    "## Stop 1 · One neuron\n\n**Predict.** See [the puzzle](#The-puzzle).",
    'predict("01.shift", "Where?", guess=...)',
    "Now look.",
    'reveal("01.shift", 3)\nquiz("01.bias", ...)\ntorch.testing.assert_close(1, 1)\ndata.load("iris")',
    "Another picture.",
    'fig, ax = plot.figure()\nplot.show(fig, alt="Twenty characters and more.")',
    "## Beliefs that fail\n\n## What would break\n\n## Your turn\n\n"
    "[Exercises](../exercises/01-neurons/01-neurons-exercises.ipynb)\n\n## Quiz\n\n## Summary\n\n- 01-O1: counted.\n\n"
    "## Where it is used, limits, and what came after\n\n"
    "## Papers\n\n- F. Rosenblatt (1958), 386 to 408, arXiv:1511.07289.",
)


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Writes a course with one chapter, `old` replaced by `new` in its text, and gives the path of its notebook."""
    monkeypatch.setattr(lint, "exercise_objectives", lambda: {})

    def write(old="", new="", *, numbers=None, edit=None, name="01-neurons"):
        assert any(old in text for text in CHAPTER), f"the sample chapter has no {old!r}"
        texts = [text.replace(old, new) if old else text for text in CHAPTER]
        kinds = (nb.new_markdown_cell, nb.new_code_cell)
        cells = [kinds[index % 2](text, id=f"c{index}") for index, text in enumerate(texts)]
        notebook = nb.new_notebook(cells=cells)
        if edit:
            edit(notebook)
        for folder in ("chapters", "exercises/01-neurons"):
            (tmp_path / folder).mkdir(parents=True, exist_ok=True)
        (tmp_path / "exercises/01-neurons/01-neurons-exercises.ipynb").write_text("{}", encoding="utf-8")
        (tmp_path / "glossary.toml").write_text(GLOSSARY, encoding="utf-8")
        (tmp_path / "chapters/01-neurons.quiz.toml").write_text(QUIZ, encoding="utf-8")
        (tmp_path / "chapters/02-backprop.md").write_text("# 2\n\n## Two words\n", encoding="utf-8")
        if numbers is not None:
            (tmp_path / "chapters/01-neurons.numbers.toml").write_text(textwrap.dedent(numbers), encoding="utf-8")
        path = tmp_path / "chapters" / f"{name}.ipynb"
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return path

    return write
