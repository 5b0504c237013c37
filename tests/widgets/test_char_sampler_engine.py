"""The char sampler's engine: what is drawn from what, back and branch, bits, cuts, odd texts, and what is refused."""

import contextlib
import io
import itertools
import json
import math
import subprocess
import sys
import time

import pytest
import torch

from dlcourse import data, generation, generator, models
from dlcourse.widgets.char_sampler import symbols, words
from dlcourse.widgets.char_sampler.engine import MOST_LINES, CharSamplerEngine
from dlcourse.widgets.char_sampler.line import LONGEST, luck
from dlcourse.widgets.char_sampler.picture import picture
from dlcourse.widgets.char_sampler.reader import NGramReader, usual
from dlcourse.widgets.snapshot import LIMIT, pack

ODD = data.Vocabulary("a é\n\t·😀\u0301\u200b\u202eשß")  # what a learner's text may hold
ABC = data.Vocabulary("abc")


class Chain(torch.nn.Module):
    """What comes next hangs on the last symbol alone: a row of probabilities for each."""

    def __init__(self, rows):
        super().__init__()
        self.rows = torch.nn.Parameter(torch.tensor(rows).log())

    def forward(self, ids, state=None):
        return self.rows[ids], ids[:, -1]


def chain():
    return Chain([[0.5, 0.25, 0.25], [0.0, 0.125, 0.875], [1.0, 0.0, 0.0]])


def network(vocabulary=ABC, seed=0, **sizes):
    return models.CharRNN(len(vocabulary), hidden=7, embedding=5, generator=generator(seed), **sizes)


def sampler(model=None, **values):
    return CharSamplerEngine(network() if model is None else model, ABC, **{"prefix": "ab", **values})


# ---------------------------------------------------------------- drawing


def test_the_usual_model_is_the_6_gram_of_the_topics():
    engine = CharSamplerEngine()
    assert (engine.reader.title, engine.values["prefix"]) == ("6-gram", "The ")
    engine.step(60)
    assert engine.text.startswith("The ")
    assert len(engine.text) == 64
    ids = torch.tensor(engine.line.prefix + engine.line.tokens)
    ngram, vocabulary = usual()
    assert vocabulary.decode(ids) == engine.text
    for place in (0, 1, 33, 59):
        expected = ngram.probabilities(ids[: 4 + place])
        assert torch.allclose(engine.line.written[place].step.logits.softmax(0), expected, atol=1e-6)


def test_the_usual_model_is_ready_in_a_moment():
    usual.cache_clear()
    start = time.process_time()
    CharSamplerEngine()
    assert time.process_time() - start < 1  # 0.12 s on a quiet machine
    start = time.process_time()
    CharSamplerEngine()
    assert time.process_time() - start < 0.1


def test_what_is_kept_is_what_the_network_says_to_the_whole_text():
    model = network(layers=2)
    engine = sampler(model, temperature=1.5)
    engine.step(40)
    ids = torch.tensor([engine.line.prefix + engine.line.tokens])
    with torch.no_grad():
        logits = model(ids)[0][0]
    kept = torch.stack([written.step.logits for written in engine.line.written])
    assert torch.allclose(kept, logits[1:-1], atol=1e-5)
    for written in engine.line.written:
        assert torch.equal(written.step.probabilities, generation.shaped(written.step.logits, temperature=1.5))


def test_the_same_seed_writes_the_same_and_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    texts = []
    for seed in (3, 3, 4):
        engine = sampler(seed=seed)
        engine.step(30)
        texts.append(engine.text)
    assert texts[0] == texts[1] != texts[2]
    assert torch.equal(torch.random.get_rng_state(), before)


def test_steps_at_once_and_one_by_one_write_the_same():
    one, other = sampler(), sampler()
    one.step(20)
    for _ in range(20):
        other.step()
        other.snapshot()  # which must not keep what it found from step to step
        assert torch.equal(other.logits, other.here.step.logits)
    assert one.share() == other.share()


def test_the_luck_of_seeds_and_of_places_is_fair_and_shared_by_nothing():
    """Draws at the first places of many seeds, and at many places of one seed, come as often as they should."""
    p = torch.tensor([0.5, 0.3, 0.2])
    for draws in (
        [torch.multinomial(p, 1, generator=luck(seed, 0)).item() for seed in range(2000)],
        [torch.multinomial(p, 1, generator=luck(seed, 7)).item() for seed in range(2000)],
        [torch.multinomial(p, 1, generator=luck(5, place)).item() for place in range(2000)],
    ):
        counts = torch.tensor(draws).bincount(minlength=3)
        assert float(((counts - 2000 * p) ** 2 / (2000 * p)).sum()) < 13.8  # of 2 degrees: 1 in 1,000 is above
        pairs = torch.tensor([3 * a + b for a, b in itertools.pairwise(draws)]).bincount(minlength=9)
        wanted = 1999 * torch.outer(p, p).flatten()
        assert float(((pairs - wanted) ** 2 / wanted).sum()) < 26.1  # of 8


def test_at_temperature_0_the_likeliest_is_written():
    engine = sampler(chain(), prefix="a", temperature=0)
    engine.step(5)
    assert engine.text == "aaaaaa"
    engine = sampler(chain(), prefix="b", temperature=0)
    engine.step(4)
    assert engine.text == "bcaaa"


def test_what_is_cut_off_is_never_written():
    engine = sampler(chain(), prefix="a", top_k=1, temperature=2)
    engine.step(50)
    assert set(engine.text) == {"a"}
    engine = sampler(chain(), prefix="b", top_p=0.8)
    engine.step(50)
    assert "bb" not in engine.text
    engine = sampler(chain(), prefix="b")
    engine.step(LONGEST)
    assert "bb" in engine.text


def test_a_full_line_is_full():
    engine = sampler()
    engine.step(LONGEST + 50)
    assert (len(engine.line), engine.at, engine.running) == (LONGEST, LONGEST, False)
    engine.back()
    assert engine.running
    engine.reset()
    assert (len(engine.line), engine.at, engine.running) == (0, 0, True)


# ---------------------------------------------------------------- bars and bits


def test_bars_are_sorted_and_shaped():
    engine = sampler(chain(), prefix="b", temperature=0.5)
    rows = engine.bars()
    assert rows[:, 0].tolist() == [2, 1, 0]
    assert rows[:, 1].tolist() == pytest.approx([0.875, 0.125, 0])
    assert rows[:, 2].tolist() == pytest.approx([0.98, 0.02, 0])  # 49 : 1
    assert rows[:, 3].isnan().all()
    engine.set(top_k=1)
    assert engine.bars()[:, 2].tolist() == [1, 0, 0]
    assert engine.snapshot().header["kept"] == 1
    engine.set(top_k=None, temperature=1, top_p=0.9)
    assert engine.values["top_k"] == 0
    assert engine.snapshot().header["kept"] == 2


def test_bits_by_hand():
    engine = sampler(chain(), prefix="a")
    engine.branch("b")  # 1/4
    engine.step(0)
    engine.set(temperature=0)
    engine.step()  # c, 7/8, whatever the temperature
    engine.step()  # a, 1
    assert engine.text == "abca"
    assert [each.bits for each in engine.line.written] == pytest.approx([2, math.log2(8 / 7), 0], abs=1e-6)
    assert engine.line.bits == pytest.approx((2 + math.log2(8 / 7)) / 3)


def test_bits_are_the_n_grams_loss():
    ngram, _vocabulary = usual()
    engine = CharSamplerEngine(prefix="T", temperature=0.7, top_k=20)
    engine.step(100)
    ids = torch.tensor(engine.line.prefix + engine.line.tokens)
    first = -math.log(ngram.probabilities(ids[:0])[ids[0]])
    assert sum(each.bits for each in engine.line.written) * math.log(2) == pytest.approx(
        ngram.loss(ids) * 101 - first, rel=1e-4
    )


def test_an_impossible_symbol_takes_infinitely_many_bits():
    engine = sampler(chain(), prefix="c")
    engine.branch("b")
    assert engine.here.bits == math.inf
    header = engine.snapshot().header
    assert header["here"]["bits"] is None
    assert header["lines"][0]["bits"] is None
    json.dumps(header, allow_nan=False)
    assert "infinitely many bits" in engine.describe()


# ---------------------------------------------------------------- back, branch, again


def test_back_and_forward_changes_nothing():
    engine = sampler()
    engine.step(30)
    whole, steps = engine.text, list(engine.line.written)
    engine.back(12)
    assert engine.text == whole[: 32 - 12]
    engine.step(12)
    assert engine.text == whole
    assert len(engine.lines) == 1
    assert all(now is then for now, then in zip(engine.line.written, steps, strict=True))
    engine.back(1000)
    assert (engine.at, engine.here) == (0, None)


def test_other_settings_branch_where_the_draws_part_and_not_before():
    engine = sampler()
    engine.step(40)
    old, text = engine.line, engine.text
    engine.scrub(0)
    engine.set(temperature=0.3)
    engine.step(40)
    assert len(engine.lines) == 2
    assert engine.line.parent == old.number
    assert engine.symbols.text(old.prefix + old.tokens) == text
    origin = engine.line.origin
    assert engine.line.tokens[:origin] == old.tokens[:origin]
    assert engine.line.tokens[origin] != old.tokens[origin]
    alone = sampler(temperature=0.3)
    alone.step(40)
    assert alone.text == engine.text, "the same luck"


def test_a_branch_is_a_new_line_beside_the_old():
    engine = sampler(chain(), prefix="a")
    engine.step(20)
    first = engine.text
    engine.scrub(8)
    engine.branch({"a": "b", "b": "c", "c": "a"}[first[8]])
    assert (len(engine.lines), engine.at, len(engine.line), engine.line.origin) == (2, 8, 8, 7)
    assert engine.text[:8] == first[:8]
    assert engine.text[8] != first[8]
    assert engine.here.shaping is None
    engine.step(5)
    assert len(engine.text) == 14
    engine.look(1)
    assert engine.text == first
    engine.branch(engine.here.token)  # what stands there already
    assert len(engine.lines) == 2
    engine.branch(2, line=2, step=9)
    assert (engine.line.parent, engine.line.origin, engine.text[:9], engine.at) == (2, 8, engine.text[:9], 9)


def test_after_a_branch_the_model_has_read_the_branch():
    model = network()
    engine = sampler(model)
    engine.step(10)
    engine.scrub(6)
    engine.branch((engine.here.token + 1) % 3)
    engine.step(3)
    ids = torch.tensor([engine.line.prefix + engine.line.tokens])
    with torch.no_grad():
        logits = model(ids)[0][0]
    assert torch.allclose(engine.logits, logits[-2], atol=1e-5)


def test_on_an_empty_line_a_branch_needs_no_new_one():
    engine = sampler()
    engine.branch("c")
    assert (engine.text, len(engine.lines)) == ("abc", 1)
    engine.step(4)
    assert engine.text.startswith("abc")
    engine.set(seed=9)
    engine.scrub(0)
    engine.step()
    assert engine.line.tokens[0] == 2, "what was chosen by hand stays"


def test_again_writes_as_much_with_the_next_seed():
    engine = sampler(seed=9999)
    engine.step(25)
    first = engine.text
    engine.again()
    assert (engine.values["seed"], len(engine.lines), len(engine.line), engine.at) == (0, 2, 25, 25)
    other = sampler(seed=0)
    other.step(25)
    assert engine.text == other.text != first


def test_lines_have_an_end_and_can_be_dropped():
    engine = sampler()
    engine.step(3)
    for _ in range(MOST_LINES - 1):
        engine.again()
    before = engine.share()
    for attempt in (engine.again, lambda: engine.write("c"), lambda: engine.branch((engine.here.token + 1) % 3)):
        with pytest.raises(ValueError, match=f"{MOST_LINES} lines are here already"):
            attempt()
        assert engine.share() == before
    engine.drop(3)
    assert [line.number for line in engine.lines] == [1, 2, 4, 5, 6, 7, 8]
    engine.drop(engine.line.number)
    assert engine.line.number == 7
    with pytest.raises(ValueError, match="no such line; there are 1, 2, 4"):
        engine.look(3)
    for line in list(engine.lines):
        engine.drop(line.number)
    assert (len(engine.lines), len(engine.line), engine.at) == (1, 0, 0)


# ---------------------------------------------------------------- the prefix


def test_another_prefix_is_another_line_and_the_old_stays():
    engine = sampler()
    engine.step(10)
    old = engine.text
    for typed in ("c", "ca", "cab"):
        engine.write(typed)
    assert [engine.symbols.text(line.prefix + line.tokens) for line in engine.lines] == [old, "cab"]
    engine.look(1, 4)
    assert engine.values["prefix"] == "ab"


@pytest.mark.parametrize(
    ("prefix", "says"),
    [
        ("abé", r"does not know “é” \(U\+00E9\); its vocabulary has 3 symbols. What was written before is still there"),
        ("a b\n\u200bß", r"does not know space, newline, U\+200B, “ß”"),
        ("", "type at least one character"),
        ("a" * 301, "has 301 characters; wanted up to 300"),
        ("a\ud800", "half of a character"),
        (None, "wanted a text"),
    ],
)
def test_a_prefix_that_cannot_be_read_is_said_and_nothing_is_lost(prefix, says):
    engine = sampler()
    engine.step(10)
    before = engine.share()
    with pytest.raises(ValueError, match=says):
        engine.write(prefix)
    assert engine.share() == before


def test_the_usual_prefix_is_of_symbols_that_there_are():
    assert CharSamplerEngine(network(), ABC).values["prefix"] == "a"
    assert CharSamplerEngine(network(ODD), ODD).values["prefix"] == "\n"
    engine = CharSamplerEngine(network(), ABC, prefix="cc")
    engine.set(prefix="")
    assert engine.values["prefix"] == "a"


# ---------------------------------------------------------------- any text


@pytest.mark.parametrize("character", ODD.symbols)
def test_every_character_is_seen_and_heard(character):
    symbol = symbols.visible(character)
    assert symbol.shown.strip()
    assert symbol.said.strip()
    assert symbol.shown.isprintable()
    assert symbol.said.isprintable()


def test_odd_texts_go_through():
    engine = CharSamplerEngine(network(ODD), ODD, prefix="a é\n😀\u0301")
    engine.step(60)
    engine.branch("\u202e")
    names = engine.snapshot().header["names"]
    assert names[1] == ["␣", "space", "space"]
    assert names[3] == ["⏎", "newline", "newline"]
    assert names[ODD.symbols.index("\u202e")] == ["U+202E", "right-to-left override", "code"]
    assert CharSamplerEngine.from_share(engine.share(), network(ODD), ODD).text == engine.text
    picture(engine)


def test_bytes_are_symbols_too():
    vocabulary = data.Bytes()
    engine = CharSamplerEngine(network(vocabulary), vocabulary, prefix="é!")
    engine.step(20)
    assert len(engine.line.prefix) == 3
    assert engine.symbols[0xC3].shown == "C3"
    assert engine.symbols[0x41].said == "capital A"
    assert CharSamplerEngine.from_share(engine.share(), network(vocabulary), vocabulary).text == engine.text
    picture(engine)


# ---------------------------------------------------------------- a model beside


def test_a_model_beside_reads_the_same_text():
    model, beside = network(), models.NGram.fit(ABC.encode("abcabcaabbcc"), order=3, classes=3)
    engine = CharSamplerEngine(model, ABC, beside=beside, prefix="ab")
    alone = CharSamplerEngine(model, ABC, prefix="ab")
    engine.step(20)
    alone.step(20)
    assert engine.text == alone.text
    ids = torch.tensor(engine.line.prefix + engine.line.tokens)
    for place in (0, 1, 10, 19):
        written = engine.line.written[place]
        expected = beside.probabilities(ids[: 2 + place])
        assert torch.allclose(written.other.logits.softmax(0), expected, atol=1e-6)
        assert written.other_bits == pytest.approx(-math.log2(expected[ids[2 + place]]), abs=1e-4)
    rows = engine.bars()
    assert torch.allclose(rows[:, 3], engine.other_logits.softmax(0)[rows[:, 0].long()])
    assert engine.reader.title == "CharRNN"
    assert engine.other.title == "3-gram"
    assert engine.line.other_bits == pytest.approx(sum(each.other_bits for each in engine.line.written) / 20)
    assert "for the 3-gram beside it" in engine.describe()


@pytest.mark.parametrize("smoothing", ["witten-bell", "kneser-ney"])
@pytest.mark.parametrize("parts", [(10,), (1,) * 10, (3, 1, 6)])
def test_an_n_gram_reads_like_a_network_whatever_the_pieces(parts, smoothing):
    ngram = models.NGram.fit(ABC.encode("abcabcaabbccbab"), order=4, classes=3, smoothing=smoothing)
    ids, reader = ABC.encode("bacabbacca"), NGramReader(ngram)
    logits, state = [], None
    for piece in ids.split(list(parts)):
        some, state = reader(piece[None], state)
        logits.append(some[0])
    expected = torch.stack([ngram.probabilities(ids[: end + 1]) for end in range(10)])
    assert torch.allclose(torch.cat(logits).exp(), expected, atol=1e-6)
    assert state.tolist() == [ids[-3:].tolist()]


def test_an_n_gram_without_context():
    ngram = models.NGram.fit(ABC.encode("aab"), order=1, classes=3)
    engine = sampler(ngram)
    engine.step(5)
    assert torch.allclose(engine.logits.softmax(0), ngram.probabilities(torch.tensor([0])), atol=1e-6)
    drawn = generation.sample(NGramReader(ngram), torch.tensor([0]), steps=5, generator=generator(0))
    assert drawn.shape == (5,)


# ---------------------------------------------------------------- the learner's model


def test_the_learners_model_is_left_as_it_was():
    model = network()
    model.train()
    model.linear.eval()
    weights = [weight.clone() for weight in model.parameters()]
    engine = sampler(model)
    engine.step(5)
    assert (model.training, model.linear.training) == (True, False)
    assert all(torch.equal(now, then) for now, then in zip(model.parameters(), weights, strict=True))
    assert all(weight.grad is None and weight.requires_grad for weight in model.parameters())
    assert not engine.logits.requires_grad


def test_a_model_that_is_trained_on_meanwhile_is_said():
    model = network()
    engine = sampler(model)
    engine.step(3)
    assert engine.notice == ""
    with torch.no_grad():
        model.linear.bias += 1
    assert "weights have changed" in engine.snapshot().header["notice"]
    engine.reset()
    assert engine.notice == ""


def _no_state(ids, state=None):
    return torch.zeros(1, ids.shape[1], 3)


def _nan(ids, state=None):
    return torch.full((1, ids.shape[1], 3), math.nan), None


def _impossible(ids, state=None):
    return torch.full((1, ids.shape[1], 3), -math.inf), None


@pytest.mark.parametrize(
    ("model", "vocabulary", "says"),
    [
        (models.CharRNN, ABC, "cannot be called; wanted a trained model"),
        ("abc", ABC, "model is str, which cannot be called"),
        (_no_state, ABC, r"gave a tensor \(1, 1, 3\); wanted \(logits, state\)"),
        (lambda ids, state: (1, 2, 3), ABC, "gave a tuple of 3"),
        (network(ODD), ABC, r"gave logits \(1, 1, 12\).*trained with this vocabulary"),
        (_nan, ABC, "not numbers"),
        (_impossible, ABC, "not numbers"),
        (network(), "abc", "wanted what the model was trained with"),
        (network(), 3, "wanted what the model was trained with"),
        (network(), None, "both or neither"),
        (None, ABC, "both or neither"),
    ],
)
def test_what_is_no_such_model_is_refused_in_words(model, vocabulary, says):
    with pytest.raises(ValueError, match=says):
        CharSamplerEngine(model, vocabulary)


def test_the_model_beside_is_checked_too():
    with pytest.raises(ValueError, match="beside's logits are not numbers"):
        CharSamplerEngine(network(), ABC, beside=_nan)


def test_a_model_trained_to_pieces_is_said_and_what_is_written_stays():
    model = network()
    engine = sampler(model)
    engine.step(4)
    text = engine.text
    with torch.no_grad():
        model.linear.bias.fill_(math.nan)
    with pytest.raises(ValueError, match="trained to pieces"):
        engine.step()
    with pytest.raises(ValueError, match="trained to pieces"):
        engine.again()
    assert (engine.text, engine.at, engine.values["seed"], len(engine.lines)) == (text, 4, 0, 1)
    engine.snapshot()


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda e: e.branch(3), "from 0 to 2"),
        (lambda e: e.branch("ab"), "wanted one symbol; these are 2"),
        (lambda e: e.branch("é"), "does not know"),
        (lambda e: e.branch(None), "from 0 to 2"),
        (lambda e: e.branch(0, line=7), "no such line"),
        (lambda e: e.look(True), "no such line"),
        (lambda e: e.look(1, 99), "from 0 to 5"),
        (lambda e: e.scrub(6), "from 0 to 5"),
        (lambda e: e.back(0), "from 1 to"),
        (lambda e: e.step(-1), "from 0 to"),
        (lambda e: e.set(temperature=3), "from 0 to 2"),
        (lambda e: e.set(top_k=1.5), "whole number"),
        (lambda e: e.set(top_p=-0.1), "from 0 to 1"),
        (lambda e: e.set(nothing=1), "no parameter 'nothing'"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(call, says):
    engine = sampler()
    engine.step(5)
    before = engine.share()
    with pytest.raises(ValueError, match=says):
        call(engine)
    assert engine.share() == before


# ---------------------------------------------------------------- handed on


def rich():
    engine = CharSamplerEngine(network(), ABC, beside=chain(), prefix="ab", temperature=0.9)
    engine.step(12)
    engine.scrub(5)
    engine.branch((engine.here.token + 1) % 3)
    engine.set(top_k=2, seed=7)
    engine.step(6)
    engine.write("cc")
    engine.step(3)
    engine.look(2, 7)
    return engine


def test_a_share_string_brings_everything_back_to_the_bit():
    engine = rich()
    other = CharSamplerEngine.from_share(engine.share(), network(), ABC, beside=chain())
    assert other.share() == engine.share()
    one, two = engine.snapshot(), other.snapshot()
    assert one.header == two.header
    assert all((one.arrays[name] == two.arrays[name]).all() for name in one.arrays)
    for each in (engine, other):
        each.look(2)
        each.step(5)
    assert engine.text == other.text
    assert torch.equal(engine.logits, other.logits)


def test_a_share_string_of_another_vocabulary_is_refused():
    text = rich().share()
    with pytest.raises(ValueError, match="another vocabulary"):
        CharSamplerEngine.from_share(text, network(), data.Vocabulary("abd"))
    with pytest.raises(ValueError, match="another vocabulary"):
        CharSamplerEngine.from_share(text)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("lines",), []),
        (("lines",), 3),
        (("lines", 0, "tokens", 0), 3),
        (("lines", 0, "tokens", 0), "a"),
        (("lines", 0, "prefix"), []),
        (("lines", 0, "how"), []),
        (("lines", 0, "how", 0), [9, 0, 1, 0]),
        (("lines", 0, "how", 0), [1, 0]),
        (("lines", 1, "parent"), 1),
        (("lines", 1, "origin"), -1),
        (("lines", 0, "tokens"), [0] * 1000),
        (("line",), 9),
        (("at",), 500),
        (("params", "prefix"), "xyz"),
        (("params",), 0),
    ],
)
def test_a_strangers_string_is_refused_in_words(path, value):
    state = json.loads(json.dumps(rich().state()))
    place = state
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    engine = sampler()
    with pytest.raises(ValueError, match=r"share string|wanted|does not know"):
        engine.take(state)


# ---------------------------------------------------------------- shown and said


def test_a_snapshot_has_all_and_is_small_and_quick():
    vocabulary = data.Bytes()
    model = Chain(torch.rand(256, 256, generator=generator(0)).tolist())
    engine = CharSamplerEngine(model, vocabulary, beside=model, prefix="The " * 75)
    engine.step(LONGEST)
    for _ in range(MOST_LINES - 1):
        engine.branch((engine.here.token + 1) % 256)
    snapshot = engine.snapshot()
    content, buffers = pack(snapshot)
    json.dumps(content, allow_nan=False)
    assert sum(map(len, buffers)) < LIMIT
    assert len(json.dumps(content)) < LIMIT
    spent = []
    for _ in range(5):
        start = time.process_time()
        engine.snapshot()
        spent.append(time.process_time() - start)
    assert min(spent) < 0.02  # 3 ms on a quiet machine
    header, arrays = snapshot.header, snapshot.arrays
    assert sum(line["prefix"] + line["length"] for line in header["lines"]) == len(arrays["ids"])
    assert sum(line["length"] for line in header["lines"]) == len(arrays["bits"]) == len(arrays["beside"])
    assert {int(token) for token in (*arrays["ids"], *arrays["bars"][:, 0])} == set(header["names"])


def test_the_symbol_that_stands_there_is_always_among_the_bars():
    engine = CharSamplerEngine(prefix="The ")
    engine.branch("ß")
    header, arrays = engine.snapshot().header, engine.snapshot().arrays
    assert header["here"]["rank"] >= 40
    assert arrays["bars"][-1, 0] == header["here"]["token"]
    shown = arrays["bars"][:, 1:3].double().sum(0)
    assert float(shown[0]) + header["rest"]["before"] == pytest.approx(1)
    assert float(shown[1]) + header["rest"]["after"] == pytest.approx(1)
    assert header["rest"]["count"] == header["classes"] - 40


def test_a_symbol_drawn_with_other_settings_says_so():
    engine = sampler(temperature=0.5)
    engine.step(3)
    assert engine.snapshot().header["here"]["how"] == ""
    engine.set(top_p=0.4)
    assert engine.snapshot().header["here"]["how"] == "temperature 0.5, seed 0"


def test_it_describes_itself():
    engine = sampler(chain(), prefix="b", top_k=1)
    engine.step(2)
    engine.scrub(1)
    said = engine.describe()
    assert "The Chain writes: 'bca'" in said
    assert "c 87.5 %, drawn with 100 %; b 12.5 %, cut off; a 0 %; 2 of 3 symbols are cut off" in said
    assert "'c' was drawn with temperature 1, top-k 1, seed 0: number 1 of 3, 0.19 bits" in said
    assert words.say(engine) == "Line 1, step 1: c drawn, 0.19 bits."
    engine.scrub(0)
    assert words.say(engine) == "Line 1, after the prefix."
    assert picture(engine).alt.startswith("Bars of the likeliest next symbols")


@pytest.mark.parametrize("make", [CharSamplerEngine, lambda: sampler(), lambda: sampler(chain())])
def test_the_program_draws_what_was_drawn(make):
    engine = make()
    engine.set(temperature=0.8, top_p=0.95)
    engine.step(9)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(engine.to_code(), {"model": engine.model, "vocabulary": engine.vocabulary})
    lines = printed.getvalue().splitlines()
    assert lines[-1] == f"drawn: {engine.symbols.text([engine.here.token])!r}"
    _, before, after, _ = engine.bars()[0].tolist()
    assert f"before {before:.4f}  after {after:.4f}" in lines[0]


def test_it_runs_without_ipywidgets():
    code = (
        "import sys; sys.modules['ipywidgets'] = sys.modules['anywidget'] = None\n"
        "from dlcourse.widgets import CharSamplerEngine as Engine\n"
        "engine = Engine(); engine.step(3); engine.snapshot()"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stderr == ""
