"""Each rule passes the small good chapter, and finds each fault put into it."""

import nbformat.v4 as nb
import pytest

from dlcourse.course.lint import lint_glossary, lint_notebook, lint_source, main, prose


def found(path):
    return [f"{problem.rule}: {problem.message}" for problem in lint_notebook(path)]


def test_the_good_chapter_has_no_problem(course):
    assert found(course()) == []


@pytest.mark.parametrize(
    ("old", "new", "rule", "words"),
    [
        # plain code
        ("seed(1)", "seed(1)\nseed(2)", "plain_code", "calls seed(...) 2 times"),
        ("seed(1)", "", "plain_code", "calls seed(...) 0 times"),
        ("seed(1)", "seed(1)\ntorch.manual_seed(3)", "plain_code", "torch.manual_seed"),
        ("seed(1)", 'seed(1)\nx = "https://example.org"', "plain_code", "a URL"),
        ("seed(1)", "seed(1)\n# pip install torch", "plain_code", "an installation"),
        ("seed(1)", 'seed(1)\nx = "cuda:0"', "plain_code", "an accelerator's name"),
        ("seed(1)", "seed(1)\ntorch.cuda.is_available()", "plain_code", "an accelerator's name"),
        ("seed(1)", "seed(1)\nx.cuda()", "plain_code", "an accelerator's name"),
        ("seed(1)", "%pip install x", "code", "no plain Python"),
        # links
        ("(#The-puzzle)", "(#The-riddle)", "links", "no heading #The-riddle"),
        ("(#The-puzzle)", "(notation.md)", "links", "links to notation.md, which is not there"),
        ("(#The-puzzle)", "(02-backprop.md)", "links", "later chapter 02-backprop.md"),
        ("01-neurons-exercises.ipynb", "01-neurons.ipynb", "links", "which is not there"),
        # figures
        ('plot.show(fig, alt="Twenty characters and more.")', "", "figures", "does not show it"),
        ('plot.show(fig, alt="Twenty characters and more.")', "fig", "figures", "ends in a bare figure"),
        ('plot.show(fig, alt="Twenty', 'plt.show()\nplot.show(fig, alt="Twenty', "figures", "calls plt.show"),
        ('alt="Twenty characters and more."', "", "figures", "without alt="),
        # predictions
        ('predict("01.shift"', 'predict("02.shift"', "predictions", "the id starts with '01.'"),
        ("guess=...", 'guess="a"', "predictions", "answers the prediction '01.shift' itself"),
        ('reveal("01.shift", 3)', "", "predictions", "no later cell reveals it"),
        ('reveal("01.shift", 3)', 'reveal("01.shift", 3)\nreveal("01.other", 3)', "predictions", "never asked"),
        ("Now look.", "Now look.\n\n## Papers", "skeleton", "out of order"),
        # quizzes
        (
            'quiz("01.bias", ...)',
            'quiz("01.bias", ...)\nquiz("01.base", ...)',
            "quizzes",
            "'01.base', which 01-neurons.quiz",
        ),
        ('quiz("01.bias", ...)', "", "quizzes", "never asks the question '01.bias'"),
        ('quiz("01.bias", ...)', 'quiz("01.bias", 4)', "quizzes", "answers the quiz '01.bias' itself"),
        ('quiz("01.bias", ...)', 'quiz("01.bias", answer=4)', "quizzes", "answers the quiz '01.bias' itself"),
        # objectives
        ("- 01-O1: count.", "- 01-O1: count.\n- 01-O2: measure.", "objectives", "serves the objective 01-O2"),
        ("- 01-O1: count.", "", "objectives", "states no objective"),
        ("- 01-O1: count.", "- 01-O2: count.", "objectives", "01.bias serves the objective 01-O1, which the header"),
        ("- 01-O1: counted.", "", "objectives", "the summary does not answer the objective 01-O1"),
        # skeleton
        ("## The puzzle", "## The riddle", "skeleton", "has no section ## The puzzle"),
        ("## Your turn\n", "", "skeleton", "has no section ## Your turn"),
        ("## Summary", "## Beliefs that fail", "skeleton", "has no section ## Summary"),
        ("torch.testing.assert_close(1, 1)", "", "skeleton", "never calls torch.testing.assert_close"),
        # numbers
        ("Of 569", "Of 570", "numbers", "the number '570' under \"The puzzle\""),
        ("97 % are", "98 % are", "numbers", "the number '98 %'"),
        ("in 1986 too", "in 1986 steps", "numbers", "'1986'"),
        ("Another picture.", "Of 569 again.", "numbers", "'569' under \"Stop 1"),
        ("Now look.", "A weight of -3.", "numbers", "'-3'"),
        ("Now look.", "After 2000 steps.", "numbers", "'2000'"),
        ('claim("97 %"', 'claim(f"97 %"', "numbers", "whose text is not written out"),
        # bold
        ("**logit**", "**score**", "bold_terms", "'score' in bold"),
        ("**logit**", "**attention**", "bold_terms", "the later chapter 09"),
    ],
)
def test_each_fault_is_found(course, old, new, rule, words):
    lines = found(course(old, new))
    assert any(line.startswith(f"{rule}: ") and words in line for line in lines), lines


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Now look.", "Since 2010, twelve of them (Nair and Hinton, 2010; ICML)."),
        ("Now look.", "1. first\n2. second"),
        ("Now look.", "Exercise 01.sigmoid, figure 3, chapters 2 and 3, a 2-D picture, the 2nd try."),
        ("Now look.", "```python\nx = 3\n## no heading 4\n```"),
        ("Now look.", "[3 ways](#The-puzzle) and <b>none</b>, float32, relu6, `**not bold**`"),
        ("Now look.", "| 2 Backpropagation | How? |"),
        ("Now look.", "**Run this:** and **Why?** and **logits**"),
        ("Now look.", "**A line of its own**"),
        ("Now look.", "[Paper](https://example.org/1958)"),
        ("About 52 minutes", "About 3 minutes"),
        ("seed(1)", "seed(1)\nx.to(device)\ny = like.device"),
    ],
)
def test_what_is_allowed(course, old, new):
    assert found(course(old, new)) == []


@pytest.mark.parametrize(
    ("edit", "words"),
    [
        (lambda n: n.cells[1].update(execution_count=1), "has an execution count"),
        (lambda n: n.cells[1].update(outputs=[nb.new_output("stream", text="x")]), "has outputs"),
        (lambda n: n.metadata.update(widgets={}), "metadata.widgets"),
        (lambda n: n.metadata.update(jupytext={"formats": "ipynb,md:myst"}), "paired by jupytext"),
        (lambda n: n.cells.append(nb.new_raw_cell("x")), "is a raw cell"),
        (lambda n: n.cells[1].update(id="c0"), "has no id of its own ('c0')"),
        (lambda n: n.cells[1].pop("id"), "has no id of its own (None)"),
    ],
)
def test_leftovers_are_found(course, edit, words):
    assert [line for line in found(course(edit=edit)) if line.startswith("clean: ") and words in line]


def test_the_toolkit_has_its_own_form_and_links_to_no_later_chapter(course, tmp_path):
    path = course("(#The-puzzle)", "(02-backprop.md)", name="00b-toolkit")
    (tmp_path / "chapters/00b-toolkit.quiz.toml").write_text(
        (tmp_path / "chapters/01-neurons.quiz.toml").read_text(encoding="utf-8").replace("01.", "00b."),
        encoding="utf-8",
    )
    lines = found(path)
    assert [line for line in lines if line.startswith("skeleton")] == []
    assert [line for line in lines if "later chapter 02-backprop.md" in line]
    (tmp_path / "chapters/00-start.md").write_text("# 0\n", encoding="utf-8")
    lines = found(course("(#The-puzzle)", "(00-start.md)", name="00b-toolkit"))
    assert not [line for line in lines if "00-start.md" in line]


def test_a_self_test_sends_to_a_section_that_exists(course, tmp_path):
    path = course()
    quiz = tmp_path / "chapters/01-neurons.quiz.toml"
    good = quiz.read_text(encoding="utf-8")
    quiz.write_text(good + 'read = "Stop 1 · One neuron"\n', encoding="utf-8")
    assert found(path) == []
    quiz.write_text(good + 'read = "Stop 2"\n', encoding="utf-8")
    assert found(path) == ["quizzes: its question '01.bias' sends to 'Stop 2', and no heading reads so"]


LISTED = """
    [[number]]
    text = "99 times in 100"
    section = "Stop 1 · One neuron"
    reason = "It quotes a belief."
"""


def test_a_listed_number_needs_no_claim(course):
    assert found(course("Now look.", "Right 99 times\nin 100, they say.", numbers=LISTED)) == []


def test_the_list_counts_for_its_section_only(course):
    lines = found(course("Of 569", "Right 99 times in 100. Of 569", numbers=LISTED))
    assert [line[:25] for line in lines] == [
        "numbers: the number '99' ",
        "numbers: the number '100'",
        "numbers: 01-neurons.numbe",
    ]


def test_a_listed_number_that_the_prose_lacks_is_found(course):
    assert found(course("Now look.", "Right 99 times in 1000.", numbers=LISTED))[-1].endswith(
        "the prose there has it not"
    )


def test_a_listed_number_needs_its_reason(course):
    with pytest.raises(ValueError, match="needs text, section and reason"):
        lint_notebook(course(numbers=LISTED.replace("It quotes a belief.", " ")))


def test_an_exercise_counts_for_an_objective(course, monkeypatch):
    path = course("- 01-O1: count.", "- 01-O1: count.\n- 01-O2: measure.")
    monkeypatch.setattr(
        "dlcourse.course.lint.exercise_objectives", lambda: {"01.ruler": ("01-O2",), "02.x": ("02-O1",)}
    )
    assert found(path) == ["objectives: the summary does not answer the objective 01-O2"]


def test_an_unknown_objective_of_an_exercise_is_found(course, monkeypatch):
    path = course()
    monkeypatch.setattr("dlcourse.course.lint.exercise_objectives", lambda: {"01.ruler": ("01-O9",)})
    assert found(path) == ["objectives: 01.ruler serves the objective 01-O9, which the header does not state"]


def test_a_problem_names_file_and_cell(course, capsys):
    path = course("Of 569", "Of 570")
    assert main([str(path)]) == 1
    out = capsys.readouterr().out
    assert out.startswith("01-neurons.ipynb, cell 3: the number '570'")
    assert out.endswith("[numbers]\n1 problem(s)\n")
    assert main([str(course())]) == 0


def test_a_notebook_elsewhere_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no rule is meant for it"):
        lint_notebook(tmp_path / "x.ipynb")


def test_sources(tmp_path):
    path = tmp_path / "01-neurons.md"
    path.write_text('# 1\n\n+++ {"nbgrader": {}}\n\n```text\n+++\n```\n', encoding="utf-8")
    assert lint_source(path) == []
    path.write_text("# 1\n\n+++\n\n```{raw-cell}\nx\n```\n", encoding="utf-8")
    assert [problem.message[:6] for problem in lint_source(path)] == ["line 3", "line 5"]


def test_the_glossarys_chapters(course, tmp_path):
    course()
    assert lint_glossary(tmp_path) == []
    (tmp_path / "glossary.toml").write_text('[[term]]\nterm = "x"\nsentence = "y"\nchapter = "21"\n', encoding="utf-8")
    assert "names the chapter '21'" in lint_glossary(tmp_path)[0].message


def test_prose_keeps_the_words():
    assert prose("One `2` of $3$ and 4.").split() == ["One", "of", "and", "4."]
