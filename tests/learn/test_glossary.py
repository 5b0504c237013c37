import pytest

from dlcourse.learn import UnknownTerm, content_root, glossary
from dlcourse.learn.glossary import terms

GOOD = """
[[term]]
term = "logit"
sentence = "A score <before> a sigmoid & co."
symbol = "z"
chapter = "01"
related = ["activation function"]
confused_with = ["probability"]

[[term]]
term = "activation function"
sentence = "A bend."
chapter = "01"
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "glossary.toml"
    path.write_text(GOOD, encoding="utf-8")
    return path


@pytest.mark.parametrize("term", ["logit", "Logit", " LOGIT "])
def test_one_term(path, shown, term):
    glossary(term, path=path)
    ((text, page),) = shown
    assert text.splitlines() == [
        "logit: A score <before> a sigmoid & co.",
        "  Symbol: z",
        "  First used in chapter: 01",
        "  Related: activation function",
        "  Not to be confused with: probability",
    ]
    assert "A score <before> a sigmoid & co." in page.words
    assert page.count("li") == 4


def test_what_an_entry_lacks_is_not_shown(path, shown):
    glossary("activation function", path=path)
    assert shown[0][0].splitlines() == ["activation function: A bend.", "  First used in chapter: 01"]


def test_all_terms_in_order(path, shown):
    glossary(path=path)
    ((text, page),) = shown
    assert [line.split(" (")[0] for line in text.splitlines()] == ["activation function", "logit"]
    assert page.count("dt") == page.count("dd") == 2


@pytest.mark.parametrize(
    ("term", "hint"),
    [
        ("logits", "Did you mean 'logit'"),
        ("activation", "'activation function'"),
        ("xyzzy", "lists all"),
        ("", "lists all"),
    ],
)
def test_an_unknown_term(path, term, hint):
    with pytest.raises(UnknownTerm, match=hint) as caught:
        glossary(term, path=path)
    assert isinstance(caught.value, KeyError)
    assert str(caught.value).startswith("The glossary has no")
    assert caught.value._render_traceback_() == [f"UnknownTerm: {caught.value}"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('sentence = "A bend."', "", "'activation function' lacks sentence"),
        ('term = "logit"', "", "'number 1' lacks term"),
        ('symbol = "z"', 'sumbol = "z"', "'logit' has unknown keys: sumbol"),
        ('term = "activation function"', 'term = "Logit"', "explains 'Logit' twice"),
        ('related = ["activation function"]', 'related = ["ReLU"]', r"'logit': related terms \['ReLU'\]"),
    ],
)
def test_an_authors_slip(path, old, new, message):
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        terms(path)


def test_the_courses_glossary_loads():
    assert {"logit", "bias", "activation function"} <= set(terms())


def test_content_root_holds_the_texts():
    assert (content_root() / "chapters").is_dir()
    assert (content_root() / "glossary.toml").is_file()
