"""The oracles of what works on texts and series, and broken versions that each must reject.

As in dlcourse_oracles and dlcourse_mutants, for the rooms data, models, generation and training. The definitions here
go symbol by symbol, in Python's own numbers.
"""

import copy
import math
from collections import Counter
from fractions import Fraction
from functools import partial
from itertools import product

import pytest
import torch
from dlcourse_oracles import DTYPES, agree, global_stream_untouched, random, refuses, same_state, source
from dlcourse_tolerance import assert_close

from dlcourse import data, generation, models, nn, training

INF = math.inf
LOG2 = math.log(2)
NO_INTEGERS = (torch.float32, torch.bool, torch.complex64)


def text_of(n, classes, seed, device, dtype=torch.int64):
    """Random symbols that lean on the one before, so that contexts come again."""
    g = torch.Generator().manual_seed(seed)
    steps = torch.randint(0, 2, (n,), generator=g).cumsum(0) + torch.randint(0, 2, (n,), generator=g)
    return (steps % classes).to(device, dtype)


# --- data.text --------------------------------------------------------------------------------------------------------


def decodes(vocabulary, ids, text, device):
    """What `decode` gives, and what it refuses, for a vocabulary of any kind."""
    for dtype in (torch.int64, torch.int32):
        assert vocabulary.decode(torch.tensor(ids, dtype=dtype, device=device)) == text
    assert vocabulary.decode(torch.tensor([], dtype=torch.int64, device=device)) == ""
    size = len(vocabulary)
    vocabulary.decode(torch.tensor([0, size - 1], device=device))
    for dtype in NO_INTEGERS:
        refuses(
            lambda d=dtype: vocabulary.decode(torch.ones(2, dtype=d, device=device)), TypeError, f"{dtype}", "argmax"
        )
    refuses(
        lambda: vocabulary.decode(torch.zeros(1, 2, dtype=torch.long, device=device)), ValueError, "(1, 2)", "ids[0]"
    )
    for low, high in ((-1, 0), (0, size)):
        wrong = torch.tensor([high, low], device=device)
        refuses(lambda w=wrong: vocabulary.decode(w), ValueError, f"from {low} to {high}", f"0 to {size - 1}")


def vocabulary(make, device):
    """Each character once, sorted; there and back; unknown ones named, five at most."""
    ours = make.of("banana\n")
    assert (ours.symbols, len(ours), repr(ours)) == ("\nabn", 4, r"Vocabulary(symbols='\nabn')")
    assert ours == make("\nabn") == make.of("n\nab")
    assert ours != make("abn\n")
    assert len({ours, make("\nabn")}) == 1
    ids = ours.encode("nab\nb")
    assert (ids.tolist(), ids.dtype, ids.device.type) == ([3, 1, 2, 0, 2], torch.int64, "cpu")
    assert ours.encode("").shape == (0,)
    assert ours.encode("").dtype == torch.int64
    decodes(ours, [3, 1, 2, 0, 2], "nab\nb", device)
    text = "Žluťoučký 馬 \U0001f40e\r\n"
    assert make.of(text).decode(make.of(text).encode(text)) == text
    refuses(lambda: ours.encode("bax"), ValueError, "4 characters", "vocabulary: 'x'. Make", "data.Bytes")
    refuses(lambda: ours.encode("vwxyz"), ValueError, "vocabulary: 'v', 'w', 'x', 'y', 'z'. Make")
    refuses(lambda: ours.encode("zyuxwv"), ValueError, "vocabulary: 'u', 'v', 'w', 'x', 'y', .... Make")
    for wrong in ("", "aba"):
        refuses(lambda w=wrong: make(w), ValueError, f"Vocabulary({wrong!r})", "each character once")
    refuses(lambda: make.of(""), ValueError, "at least one")


def byte_vocabulary(make, device):
    """UTF-8, there and back; a broken character is no error."""
    ours = make()
    text = "aé馬\U0001f40e\0"
    ids = ours.encode(text)
    assert (ids.tolist(), ids.dtype, ids.device.type) == (list(text.encode("utf-8")), torch.int64, "cpu")
    assert len(ours) == 256
    assert ours.encode("").shape == (0,)
    decodes(ours, ids.tolist(), text, device)
    assert ours.decode(torch.tensor([97, 195, 98], device=device)) == "a\ufffdb"


def split_blocks(function, device):
    """Character i is held out if its block, i // block, is the last of `every`; refusals at the border."""
    text = "".join(map(chr, range(32, 32 + 60)))
    for n, block, every in ((60, 7, 3), (60, 1, 2), (59, 10, 2), (41, 10, 5), (60, 4, 15)):
        held = [i // block % every == every - 1 for i in range(n)]
        parts = ["".join(c for c, h in zip(text[:n], held, strict=True) if h == wanted) for wanted in (False, True)]
        assert function(text[:n], block=block, every=every) == tuple(parts)
        assert all(parts)
    long = "ab" * 25_001
    train, test = function(long)
    assert (len(train), len(test)) == (45_002, 5_000)
    refuses(lambda: function(text, block=0, every=2), ValueError, "block=0")
    for every in (1, 0, -1):
        refuses(lambda e=every: function(text, block=1, every=e), ValueError, f"every={every}", "2")
    refuses(lambda: function(text[:20], block=10, every=3), ValueError, "20 characters", "number 3", "10 each")
    assert function(text[:21], block=10, every=3) == (text[:20], text[20])


def text_batches(function, device):
    """Stream s is symbols s * length on; window by window, y one symbol further; each pass is the same."""
    for n, size, time in ((10, 2, 3), (20, 3, 6), (13, 4, 3), (2, 1, 1), (50, 7, 100), (5, 4, 2), (31, 5, 2)):
        for ids in (text_of(n, 9, n, device), text_of(n, 9, n, device, torch.int32), text_of(2 * n, 9, 1, device)[::2]):
            length = (n - 1) // size
            made = function(ids, size=size, time=time)
            assert made.stream == length
            for _ in range(2):
                passed = list(made)
                assert len(passed) == len(made)
                for i, (x, y, first) in enumerate(passed):
                    wide = range(i * time, min(i * time + time, length))
                    rows = [[s * length + t for t in wide] for s in range(size)]
                    assert x.tolist() == [[ids[j].item() for j in row] for row in rows]
                    assert y.tolist() == [[ids[j + 1].item() for j in row] for row in rows]
                    assert first is (i == 0)
                    assert (x.dtype, y.dtype, x.device) == (ids.dtype, ids.dtype, ids.device)
                assert sum(y.shape[1] for _, y, _ in passed) == length
            assert n - 1 - size * length < size
    ids = torch.arange(1001, device=device)
    assert repr(function(ids, size=4, time=100)) == "TextBatches(3 of 4 x 100, from 1,001 symbols)"
    x, y, _ = next(iter(function(ids, size=4, time=100)))
    assert x.untyped_storage().data_ptr() == y.untyped_storage().data_ptr() == ids.untyped_storage().data_ptr()
    for dtype in NO_INTEGERS:
        refuses(lambda d=dtype: function(ids.to(d), size=1, time=1), TypeError, f"{dtype}", "encode")
    for wrong, size, time in ((ids[None], 1, 1), (ids, 0, 1), (ids, 1, 0), (ids[:3], 3, 1), (ids[:0], 1, 1)):
        words = (str(tuple(wrong.shape)), f"size={size}", f"time={time}")
        refuses(lambda w=wrong, s=size, t=time: function(w, size=s, time=t), ValueError, *words)
    assert len(function(ids[:3], size=2, time=1)) == 1


# --- data.series ------------------------------------------------------------------------------------------------------


def windows(function, device):
    """Window by window, for one and for several features; copies; slopes go back to the series."""
    for dtype in DTYPES:
        for shape, length, horizon in (((7,), 3, 1), ((7, 2), 3, 2), ((4,), 1, 3), ((5, 2, 3), 2, 3), ((2,), 1, 1)):
            series = random(*shape, dtype=dtype, device=device)
            before = series.clone()
            options = {"length": length} if horizon == 1 else {"length": length, "horizon": horizon}
            x, y = function(series, **options)
            n = len(series) - length - horizon + 1
            assert (x.shape, y.shape) == ((n, length, *shape[1:]), (n, horizon, *shape[1:]))
            for i in range(n):
                assert torch.equal(x[i], series[i : i + length])
                assert torch.equal(y[i], series[i + length : i + length + horizon])
            wanted = y.clone()
            x.fill_(7.0)
            assert torch.equal(series, before)
            assert torch.equal(y, wanted)
            if n > 1:
                y[0] = 8.0
                assert torch.equal(y[1], wanted[1])
            agree(
                lambda s, o=options: torch.cat([part.flatten() for part in function(s, **o)]),
                lambda s, a=length, b=horizon: torch.cat(
                    [
                        torch.stack([s[i : i + a] for i in range(len(s) - a - b + 1)]).flatten(),
                        torch.stack([s[i + a : i + a + b] for i in range(len(s) - a - b + 1)]).flatten(),
                    ]
                ),
                series,
            )
    x, y = function(random(12, device=device)[::2], length=4)
    assert (x.shape, y.shape) == ((2, 4), (2, 1))
    series = random(4, device=device)
    for wrong, length, horizon in ((series, 0, 1), (series, 1, 0), (series, 3, 2), (series[0], 1, 1)):
        words = (str(tuple(wrong.shape)), f"length={length}", f"horizon={horizon}")
        refuses(lambda w=wrong, a=length, b=horizon: function(w, length=a, horizon=b), ValueError, *words)


def split_in_time(function, device):
    """One cut; with a history the test part begins before it; copies."""
    for n, options, cut, begin in (
        (10, {}, 8, 8),
        (10, {"test": 0.5}, 5, 5),
        (10, {"history": 8}, 8, 0),
        (11, {"test": 0.3, "history": 2}, 8, 6),
        (2, {"test": 0.5}, 1, 1),
    ):
        for shape in ((n,), (n, 3)):
            series = random(*shape, device=device)
            train, test = function(series, **options)
            assert torch.equal(train, series[:cut])
            assert torch.equal(test, series[begin:])
            kept = series.clone()
            train.zero_()
            test.zero_()
            assert torch.equal(series, kept)
    series = random(10, device=device)
    for share in (0.0, 0.04, 0.96, 1.0, 1.5, -0.5):
        refuses(lambda s=share: function(series, test=s), ValueError, "(10,)", f"test={share}", "between 0 and 1")
    refuses(lambda: function(series, test=0.0), ValueError, "10 values before", "and 0 after")
    refuses(lambda: function(series, test=1.0), ValueError, "0 values before", "10 after")
    for history in (-1, 9):
        refuses(lambda h=history: function(series, history=h), ValueError, f"history={history}", "0 to 8")


# --- models.ngram -----------------------------------------------------------------------------------------------------


def witten_bell(text, context, order, classes):
    """p(symbol | context) as exact fractions: the recursion as printed, over a table of counts."""
    after = {}
    for n in range(order):
        for i in range(len(text) - n):
            after.setdefault(tuple(text[i : i + n]), Counter())[text[i + n]] += 1

    def p(w, h):
        lower = p(w, h[1:]) if h else Fraction(1, classes)
        if h not in after:
            return lower
        kinds = len(after[h])
        return (after[h][w] + kinds * lower) / (after[h].total() + kinds)

    h = tuple(context[max(len(context) - order + 1, 0) :]) if order > 1 else ()
    return [p(w, h) for w in range(classes)]


def kneser_ney(text, context, order, classes):
    """The same: all the pieces of each length, in a list as they occur for the longest, in a set for the others."""
    pieces = {n: [tuple(text[i : i + n]) for i in range(len(text) - n + 1)] for n in range(1, order + 1)}

    def p(w, h):
        lower = p(w, h[1:]) if h else Fraction(1, classes)
        # Of a shorter context: what stands behind the first symbol of the pieces that are one longer, each piece once.
        found = pieces[order] if len(h) == order - 1 else [piece[1:] for piece in set(pieces[len(h) + 2])]
        after = Counter(piece[-1] for piece in found if piece[:-1] == h)
        if not after:
            return lower
        return (max(after[w] - Fraction(3, 4), 0) + Fraction(3, 4) * len(after) * lower) / after.total()

    h = tuple(context[max(len(context) - order + 1, 0) :]) if order > 1 else ()
    return [p(w, h) for w in range(classes)]


SMOOTHED = (({}, witten_bell), ({"smoothing": "witten-bell"}, witten_bell), ({"smoothing": "kneser-ney"}, kneser_ney))
CASES = ((30, 3, 3), (1, 1, 1), (40, 4, 1), (25, 2, 5), (3, 5, 3), (60, 6, 4), (7, 2, 7))  # symbols, classes, order


def contexts(text, classes, device):
    """Contexts seen and never seen, short and long, and the end of the text, which nothing may follow."""
    for ids in ([], [0], text[-1:], text[-3:], text, [classes - 1] * 4, [*text[:2], 0], [0, *text[3:5]]):
        yield torch.tensor(ids, dtype=torch.int64, device=device)


def ngram_class(make, device):
    """The recursion's probabilities, for texts and contexts of any kind; the loss is their mean surprise."""
    for (n, classes, order), (options, smoothed) in product(CASES, SMOOTHED):
        for dtype in (torch.int64, torch.int32):
            ids = text_of(n, classes, n, device, dtype)
            text = ids.tolist()
            model = make.fit(ids, order=order, classes=classes, **options)
            for context in contexts(text, classes, device):
                found = model.probabilities(context.to(dtype))
                wanted = torch.tensor([float(p) for p in smoothed(text, context.tolist(), order, classes)])
                assert_close(found, wanted.to(device))
            held = text_of(12, classes, 99, device, dtype)
            for other in (held, held[:1], ids, held[::2]):
                symbols = other.tolist()
                chances = [smoothed(text, symbols[:i], order, classes)[w] for i, w in enumerate(symbols)]
                assert model.loss(other) == pytest.approx(
                    -sum(map(math.log, chances)) / len(chances), rel=2e-6, abs=1e-7
                )
    ids = torch.tensor([0, 1, 2, 0, 1], device=device)
    model = make.fit(ids, order=2, classes=1100)
    assert repr(model) == "NGram(witten-bell, order 2, 1100 classes, 6 counts)"
    discounted = make.fit(ids, order=2, classes=1100, smoothing="kneser-ney")
    assert repr(discounted) == "NGram(kneser-ney, order 2, 1100 classes, 6 counts)"
    # Tables of Witten-Bell are those of each shorter order, too.
    shorter = make(1100, make.fit(ids, order=4, classes=1100).tables[:2])
    assert_close(shorter.probabilities(ids), model.probabilities(ids))
    assert repr(make.fit(torch.arange(1100, device=device), order=1, classes=1100)).endswith("1,100 counts)")
    for call, caller in (
        (partial(make.fit, order=1, classes=3), "NGram.fit"),
        (model.probabilities, "NGram.probabilities"),
        (model.loss, "NGram.loss"),
    ):
        for dtype in NO_INTEGERS:
            refuses(lambda c=call, d=dtype: c(ids.to(d)), TypeError, caller, f"{dtype}", "encode")
        refuses(lambda c=call: c(ids[None]), ValueError, caller, "(1, 5)", "(time,)")
        refuses(lambda c=call: c(ids - 1), ValueError, caller, "from -1 to 1", "symbols from 0")
        refuses(lambda c=call: c(ids + 1098), ValueError, caller, "to 1100", "symbols from 0")
    refuses(lambda: make.fit(ids, order=2, classes=2), ValueError, "from 0 to 2", "0 to 1")
    refuses(lambda: make.fit(ids, order=6, classes=3), ValueError, "6 symbols or more")
    refuses(lambda: model.loss(ids[:0]), ValueError, "1 symbols or more")
    for order, classes in ((0, 3), (1, 0), (1.5, 3)):
        refuses(lambda o=order, c=classes: make.fit(ids, order=o, classes=c), ValueError, "NGram.fit", "1 or more")
    for wrong in ("Kneser-Ney", "", None):
        words = ("NGram.fit", f"smoothing={wrong!r}", "witten-bell, kneser-ney")
        refuses(lambda w=wrong: make.fit(ids, order=1, classes=3, smoothing=w), ValueError, *words)


def ngram_definition(function, device):
    for (n, classes, order), (options, smoothed) in product(CASES, SMOOTHED):
        ids = text_of(n, classes, n, device)
        for context in contexts(ids.tolist(), classes, device):
            wanted = [float(p) for p in smoothed(ids.tolist(), context.tolist(), order, classes)]
            found = function(ids, context, order=order, classes=classes, **options)
            assert_close(found, torch.tensor(wanted, device=device))


# --- models.naive -----------------------------------------------------------------------------------------------------


def forecast(guess, *, options=({},), least=1):
    """Oracle for a forecast that learns nothing: guess(values, h, **options) is the value h steps ahead, h from 1."""

    def oracle(function, device):
        for dtype in DTYPES:
            for option in options:
                for shape in ((3, 7), (1, 6, 2), (2, max(least, option.get("season", 1))), (0, 6)):
                    for horizon in (1, 2, 5, 15):
                        agree(
                            lambda x, h=horizon, o=option: function(x, horizon=h, **o),
                            lambda x, h=horizon, o=option: torch.stack(
                                [guess([x[:, i] for i in range(x.shape[1])], k, **o) for k in range(1, h + 1)], 1
                            ),
                            random(*shape, dtype=dtype, device=device),
                        )
                transposed = random(7, 2, dtype=dtype, device=device).T
                assert_close(function(transposed, **option), guess(list(transposed.unbind(1)), 1, **option)[:, None])
        x = random(2, 7, device=device)
        for horizon in (0, 1.5):
            refuses(
                lambda h=horizon: function(x, horizon=h, **options[0]), ValueError, f"horizon={horizon}", "1 or more"
            )
        refuses(lambda: function(x[0], **options[0]), ValueError, "(7,)", "(batch, length, ...)")
        if "season" not in options[0]:
            refuses(lambda: function(x[:, : least - 1], **options[0]), ValueError, f"length of {least} or more")
        for season in (0, 1.5) if "season" in options[0] else ():
            refuses(lambda s=season: function(x, season=s), ValueError, f"season={season}", "1 or more")
        if "season" in options[0]:
            refuses(lambda: function(x, season=8), ValueError, "(2, 7)", "length of 8 or more")

    return oracle


def one_season_before(values, h, season):
    at = len(values) - 1 + h
    while at >= len(values):
        at -= season
    return values[at]


# --- models.charrnn ---------------------------------------------------------------------------------------------------


class TorchCharRNN(torch.nn.Module):
    """The same of torch's own layers."""

    def __init__(self, classes, hidden, layers, embedding, kind, device):
        super().__init__()
        self.table = torch.nn.Embedding(classes, embedding, device=device)
        self.rnn = getattr(torch.nn, kind)(embedding, hidden, layers, batch_first=True, device=device)
        self.linear = torch.nn.Linear(hidden, classes, device=device)

    def forward(self, ids, state=None):
        outputs, state = self.rnn(self.table(ids), state)
        return self.linear(outputs), state


def parts_of(state):
    return state if isinstance(state, tuple) else (state,)


def charrnn_class(make, device):
    """torch's embedding, layer and linear layer with the same weights: logits, states, slopes; weights by rule."""
    ids = text_of(15, 5, 3, device).view(3, 5)
    for options, (hidden, layers, embedding, kind) in (
        ({"hidden": 4}, (4, 1, 64, "LSTM")),
        ({"hidden": 3, "layers": 2, "embedding": 2, "cell": nn.GRU}, (3, 2, 2, "GRU")),
        ({"embedding": 1, "cell": nn.RNN}, (128, 1, 1, "RNN")),
    ):
        generator, again = source(5, device), source(5, device)
        with global_stream_untouched():
            ours = make(5, generator=generator, **options)
        theirs = TorchCharRNN(5, hidden, layers, embedding, kind, device)
        drawn = torch.randn(5, embedding, generator=again, device=device)
        assert_close(ours.embedding.detach(), drawn)
        rnn = getattr(nn, kind)(embedding, hidden, num_layers=layers, generator=again)
        linear = nn.Linear(hidden, 5, init=nn.xavier_uniform, generator=again)
        same_state(ours.rnn, rnn)
        same_state(ours.linear, linear)
        assert torch.equal(generator.get_state(), again.get_state())
        assert [name.partition(".")[0] for name in ours.state_dict()][:2] == ["embedding", "rnn"]
        assert {t.device.type for t in ours.state_dict().values()} == {device.type}
        weights = {"table.weight" if n == "embedding" else n: w for n, w in ours.state_dict().items()}
        theirs.load_state_dict(weights)
        ours, theirs = ours.double(), theirs.double()
        state = None
        for part in (ids[:, :3], ids[:, 3:].int()):
            values, slopes, states = [], [], []
            for model in (ours, theirs):
                logits, after = model(part, state)
                values.append(logits)
                states.append(parts_of(after))
                slopes.append(
                    torch.autograd.grad(logits, list(model.parameters()), random(*logits.shape, device=device))
                )
            for a, b in zip((values[0], *states[0], *slopes[0]), (values[1], *states[1], *slopes[1]), strict=True):
                assert_close(a.detach(), b.detach())
            state = tuple(s.detach() for s in states[0])
            state = state if kind == "LSTM" else state[0]
    for name in ("classes", "hidden", "layers", "embedding"):
        for size in (0, 1.5):
            sizes = {"classes": 5, "hidden": 3, name: size}
            words = f"CharRNN got {name}={size}; wanted a whole number of 1 or more"
            refuses(lambda s=sizes: make(generator=source(0, device), **s), ValueError, words)


# --- generation -------------------------------------------------------------------------------------------------------

ROWS = [
    [0.3, -1.0, 2.0, 0.3, 0.3],
    [0.0, 0.0, 0.0, 0.0, 0.0],
    [-1000.0, 1000.0, 999.0, 1000.0, 0.0],
    [1.0, -INF, -INF, 2.0, 1.0],
    [-5.0, -4.0, -3.0, -2.0, -1.0],
]


def ranked(row):
    """The places of a row from the largest on; of equal ones the first comes first."""
    return sorted(range(len(row)), key=lambda i: (-row[i], i))


def softmax_of(row):
    top = max(row)
    raised = [math.exp(z - top) for z in row]
    return [e / sum(raised) for e in raised]


def smallest_set(row, p):
    """The places of the likeliest that together have p or more, one at least."""
    chances, kept = softmax_of(row), []
    for i in ranked(row):
        kept.append(i)
        if math.fsum(chances[j] for j in kept) >= p:
            return kept
    return kept


def only(row, kept):
    return [z if i in kept else -INF for i, z in enumerate(row)]


def row_by_row(function, definition, option, device):
    """function(logits, option) is the definition for each row, by itself, stacked, transposed and empty."""
    for dtype in DTYPES:
        logits = torch.tensor(ROWS, dtype=dtype, device=device)
        before = logits.clone()
        wanted = torch.tensor([definition(row, option) for row in ROWS], dtype=dtype, device=device)
        assert_close(function(logits, option), wanted)
        assert_close(function(logits[:, None], option), wanted[:, None])
        assert_close(function(logits[0], option), wanted[0])
        assert_close(function(logits.T.contiguous().T, option), wanted)
        single = torch.tensor([definition(row[:1], option) for row in ROWS], dtype=dtype, device=device)
        assert_close(function(logits[:, :1], option), single)
        assert function(logits[:0], option).shape == (0, 5)
        assert torch.equal(logits, before), "it changed its argument"


def temper(function, device):
    """(z - largest) / temperature; at 0 the first of the largest; no overflow at tiny temperatures."""

    def divided(row, t):
        if t > 1e-300:
            return [(z - max(row)) / t for z in row]
        return [0.0 if i == ranked(row)[0] else -INF for i in range(len(row))]

    for t in (0.0, 1e-320, 0.3, 0.5, 1.0, 7.0):
        row_by_row(function, divided, t, device)
    tiny = function(torch.tensor(ROWS, device=device), 1e-30).softmax(-1)
    assert_close(
        tiny,
        (torch.tensor(ROWS) == torch.tensor(ROWS).amax(1, True))
        .float()
        .to(device)
        .div(torch.tensor([1.0, 5.0, 2.0, 1.0, 1.0], device=device)[:, None]),
    )
    for wrong in (-1.0, -1e-9, INF, math.nan):
        refuses(
            lambda w=wrong: function(torch.zeros(2, device=device), w), ValueError, f"temperature={wrong}", "finite"
        )


def keep_top_k(function, device):
    for k in (1, 2, 3, 5, 6, 100):
        row_by_row(function, lambda row, k: only(row, ranked(row)[:k]), k, device)
    ties = torch.zeros(1000, device=device)
    assert function(ties, 300).isfinite().tolist() == [True] * 300 + [False] * 700
    for wrong in (0, -1, 1.5, True):
        refuses(lambda w=wrong: function(torch.zeros(2, device=device), w), ValueError, f"k={wrong}", "1 or more")


def keep_top_p(function, device):
    for p in (0.0, 0.1, 0.21, 0.3, 0.5, 0.65, 0.9, 0.999, 1.0):
        row_by_row(function, lambda row, p: only(row, smallest_set(row, p)) if p < 1 else row, p, device)
    quarters = torch.zeros(4, device=device)  # 1/4 each, exactly: no rounding at the borders
    for p, kept in ((0.0, 1), (0.25, 1), (0.26, 2), (0.5, 2), (0.75, 3), (0.76, 4), (1.0, 4)):
        assert function(quarters, p).isfinite().sum() == kept
        assert function(quarters, p)[:kept].isfinite().all()
    rare = torch.tensor([0.0, -30.0, -60.0], device=device)  # 1 + exp(-30) rounds to 1
    assert torch.equal(function(rare, 1.0), rare)
    for wrong in (-0.1, 1.1, math.nan):
        refuses(lambda w=wrong: function(rare, w), ValueError, f"p={wrong}", "from 0", "to 1")


def shaped(function, device):
    """Temperature, then top-k, then top-p; each left out if not given."""

    def definition(row, options):
        t, k, p = (options.get(name) for name in ("temperature", "top_k", "top_p"))
        row = [(z - max(row)) / (1.0 if t is None else t) for z in row]
        row = row if k is None else only(row, ranked(row)[:k])
        return softmax_of(row if p is None else only(row, smallest_set(row, p)))

    for options in (
        *({}, {"temperature": 0.5}, {"top_k": 2}, {"top_p": 0.6}, {"top_k": 3, "top_p": 0.6}),
        *({"temperature": 2.0, "top_k": 4, "top_p": 0.8}, {"temperature": 0.5, "top_p": 0.6}),
    ):
        row_by_row(lambda logits, o: function(logits, **o), definition, options, device)
    assert function(torch.tensor(ROWS, device=device), temperature=0.0).tolist() == [
        [float(i == ranked(row)[0]) for i in range(5)] for row in ROWS
    ]
    zeros = torch.zeros(3, device=device)
    for options in ({"temperature": -1.0}, {"top_k": 0}, {"top_p": 2.0}):
        refuses(lambda o=options: function(zeros, **o), ValueError, next(iter(options)).removeprefix("top_"))


class Table(torch.nn.Module):
    """Logits by the symbol and the state, which counts and adds up what was read. Keeps a record of its calls."""

    def __init__(self, classes, device):
        super().__init__()
        self.weight = torch.nn.Parameter(random(classes, classes, scale=2, dtype=torch.float32, device=device))
        self.drop = torch.nn.Dropout(0.5)
        self.calls = []

    def forward(self, ids, state=None):
        before = torch.zeros(1, len(ids), 2, device=ids.device) if state is None else state
        self.calls.append(
            (ids.tolist(), None if state is None else state.tolist(), self.training, torch.is_grad_enabled())
        )
        read = torch.stack([torch.ones_like(ids), ids], -1).cumsum(1) + before[0][:, None]
        logits = self.drop(self.weight[ids] * read[..., :1].sqrt() + read.sum(-1, keepdim=True).sin())
        return logits, read[:, -1][None].float()


def sampling_definition(model, prefix, steps, options, generator, state=None):
    """Tokens, logits, probabilities and states, by reading the whole text anew for each symbol."""
    text, found = list(prefix), []
    for _ in range(steps):
        logits, after = model(torch.tensor([text], device=model.weight.device), state)
        chances = generation.shaped(logits[0, -1], **options)
        token = torch.multinomial(chances.to(generator.device), 1, generator=generator).item()
        found.append((token, logits[0, -1], chances, after))
        text.append(token)
    return found


def sample_steps(function, device):
    """Step for step what reading the whole text anew gives; eval mode while it reads; the state goes on; branches."""
    for prefix, steps, options in (
        ([1], 6, {}),
        ([0, 3, 2], 5, {"temperature": 0.7, "top_k": 3}),
        ([2, 2], 4, {"top_p": 0.5}),
        ([4], 3, {"temperature": 0.0}),
        ([1, 1], 0, {}),
    ):
        for dtype in (torch.int64, torch.int32):
            model = Table(5, device)
            ids = torch.tensor(prefix, dtype=dtype, device=device)
            wanted = sampling_definition(copy.deepcopy(model).eval(), prefix, steps, options, source(7, device))
            generator = source(7, device)
            with global_stream_untouched():
                stepping = function(model, ids, steps=steps, generator=generator, **options)
                found = []
                for step in stepping:
                    assert model.training  # put back before the step is handed out
                    assert model.drop.training
                    assert torch.is_grad_enabled()
                    found.append(step)
            assert [step.index for step in found] == list(range(steps))
            assert [step.token for step in found] == [token for token, *_ in wanted]
            assert all(type(step.token) is int for step in found)
            for step, (_, logits, chances, state) in zip(found, wanted, strict=True):
                assert_close(step.logits, logits.detach())
                assert_close(step.probabilities, chances.detach())
                assert_close(step.state, state.detach())
                assert not step.logits.requires_grad
                assert not step.state.requires_grad
            reads = [len(ids[0]) for ids, *_ in model.calls]
            assert reads == ([len(prefix)] + [1] * (steps - 1) if steps else [])  # nothing is read twice
            assert not any(learning or grad for *_, learning, grad in model.calls)
            assert ids.tolist() == prefix
    model = Table(5, device)
    trunk = list(function(model, torch.tensor([1, 0], device=device), steps=4, generator=source(1, device)))
    model.calls.clear()
    other = torch.tensor([3], device=device)
    branch = list(function(model, other, steps=2, state=trunk[2].state, generator=source(2, device)))
    assert model.calls[0][:2] == ([[3]], trunk[2].state.tolist())
    whole = torch.tensor([1, 0, trunk[0].token, trunk[1].token, 3], device=device)
    assert_close(branch[0].logits, next(function(model, whole, steps=1, generator=source(2, device))).logits)
    refuses(lambda: next(function(model, other[:0], steps=1, generator=source(0, device))), ValueError, "(0,)")
    refuses(lambda: next(function(model, other[None], steps=1, generator=source(0, device))), ValueError, "(1, 1)")
    refuses(lambda: next(function(model, other[0], steps=1, generator=source(0, device))), ValueError, "()")
    refuses(lambda: next(function(model, other, steps=-1, generator=source(0, device))), ValueError, "steps=-1")
    refuses(lambda: next(function(model, other, steps=1, top_k=0, generator=source(0, device))), ValueError, "k=0")
    for times in (1, 3):  # seeds repeat and differ
        drawn = [
            [s.token for s in function(model, other, steps=20, generator=source(times + seed, device))]
            for seed in (0, 0, 1)
        ]
        assert drawn[0] == drawn[1] != drawn[2]


def sample(function, device):
    """The tokens of `sample_steps`, in a row of the prefix's kind."""
    model = Table(5, device)
    for dtype in (torch.int64, torch.int32):
        prefix = torch.tensor([1, 4], dtype=dtype, device=device)
        for options in (
            {},
            {"temperature": 0.5},
            {"top_k": 2},
            {"top_p": 0.4},
            {"state": random(1, 1, 2, device=device)},
        ):
            for steps in (0, 1, 30):
                drawn = function(model, prefix, steps=steps, generator=source(3, device), **options)
                wanted = generation.sample_steps(model, prefix, steps=steps, generator=source(3, device), **options)
                assert drawn.tolist() == [step.token for step in wanted]
                assert (drawn.dtype, drawn.device) == (prefix.dtype, prefix.device)


# --- training.sequences -----------------------------------------------------------------------------------------------


def bits_per_character(function, device):
    for loss, wanted in ((0.0, 0.0), (math.log(2), 1.0), (math.log(8), 3.0), (1.0, 1.4426950408889634)):
        assert function(loss) == pytest.approx(wanted, abs=1e-15)
        found = function(torch.tensor(loss, device=device))
        assert type(found) is float
        assert found == pytest.approx(wanted, rel=1e-6)


def perplexity(function, device):
    for loss, wanted in ((0.0, 1.0), (math.log(4), 4.0), (math.log(103), 103.0), (709.0, math.exp(709))):
        assert function(loss) == pytest.approx(wanted)
    assert function(1e6) == function(math.inf) == function(710.0) == math.inf
    found = function(torch.tensor(math.log(4), device=device))
    assert type(found) is float
    assert found == pytest.approx(4.0, rel=1e-6)


def text_loss(function, device):
    """Every stream read symbol by symbol with its own state; modes put back."""
    for n, options, size in (
        (40, {}, 16),
        (40, {"size": 3}, 3),
        (41, {"size": 3, "time": 4}, 3),
        (9, {"size": 1, "time": 3}, 1),
    ):
        ids = text_of(n, 5, n, device)
        model = Table(5, device).train()
        model.drop.eval()
        length, losses = (n - 1) // size, []
        plain = copy.deepcopy(model).eval()
        for s in range(size):
            state = None
            for t in range(s * length, (s + 1) * length):
                logits, state = plain(ids[None, t : t + 1], state)
                losses.append(-math.log(softmax_of(logits[0, 0].tolist())[ids[t + 1]]))
        assert function(model, ids, **options) == pytest.approx(sum(losses) / len(losses), rel=1e-5)
        assert (model.training, model.drop.training) == (True, False)
        assert not any(learning or grad for *_, learning, grad in model.calls)
        assert len({tuple(map(len, call[0])) for call in model.calls}) <= 2  # windows, and perhaps a shorter last one
    model.train()
    ids = text_of(2000, 5, 0, device)
    model.calls.clear()
    function(model, ids)
    assert [len(call[0]) for call in model.calls] == [16]
    model.calls.clear()
    function(model, ids, size=1)
    assert [len(call[0][0]) for call in model.calls] == [256] * 7 + [1999 - 7 * 256]
    refuses(lambda: function(model, ids[:5], size=5), ValueError, "size=5")


def mean_absolute_error(function, device):
    for shape in ((5,), (2, 3), (4, 2, 1), ()):
        a, b = random(*shape, device=device), random(*shape, seed=1, device=device)
        pairs = list(zip(a.flatten().tolist(), b.flatten().tolist(), strict=True))
        found = function(a, b)
        assert type(found) is float
        assert found == pytest.approx(sum(abs(p - q) for p, q in pairs) / len(pairs))
        assert function(b, a) == found
    for p, q in (((3,), (3, 1)), ((2,), (1,)), ((0,), (0,))):
        words = (str(p), str(q), "equal shapes")
        refuses(
            lambda p=p, q=q: function(torch.zeros(p, device=device), torch.zeros(q, device=device)), ValueError, *words
        )


def scaled_error(function, device):
    """The error over that of looking one season back, on the training part; 1 for that very guess."""
    for shape, season in (((12,), 1), ((12,), 4), ((12, 3), 2), ((3,), 2)):
        train = random(*shape, seed=2, device=device)
        a, b = random(5, *shape[1:], device=device), random(5, *shape[1:], seed=1, device=device)
        rows = train.view(shape[0], -1).tolist()
        steps = [
            abs(p - q) for old, new in zip(rows, rows[season:], strict=False) for p, q in zip(old, new, strict=True)
        ]
        wanted = (a - b).abs().mean().item() / (sum(steps) / len(steps))
        options = {} if season == 1 else {"season": season}
        assert function(a, b, train=train, **options) == pytest.approx(wanted)
        assert function(10 * a, 10 * b, train=10 * train, **options) == pytest.approx(wanted)  # no unit
    train = torch.tensor([1.0, 2.0, 1.0, 2.0], device=device)
    for season in (0, -1, 4):
        refuses(lambda s=season: function(train, train, train=train, season=s), ValueError, "(4,)", f"season={season}")
    refuses(lambda: function(train, train, train=train, season=2), ValueError, "every 2 steps")
    refuses(lambda: function(train, train[:2], train=train), ValueError, "(2,)", "equal shapes")


ORACLES = {
    "data.Vocabulary": vocabulary,
    "data.Bytes": byte_vocabulary,
    "data.split_blocks": split_blocks,
    "data.text_batches": text_batches,
    "data.windows": windows,
    "data.split_in_time": split_in_time,
    "models.NGram": ngram_class,
    "models.ngram_definition": ngram_definition,
    "models.persistence": forecast(lambda values, h: values[-1]),
    "models.seasonal_persistence": forecast(one_season_before, options=({"season": 3}, {"season": 1}, {"season": 6})),
    "models.mean_forecast": forecast(lambda values, h: sum(values) / len(values)),
    "models.drift": forecast(lambda values, h: values[-1] + h * (values[-1] - values[0]) / (len(values) - 1), least=2),
    "models.CharRNN": charrnn_class,
    "generation.temper": temper,
    "generation.keep_top_k": keep_top_k,
    "generation.keep_top_p": keep_top_p,
    "generation.shaped": shaped,
    "generation.sample_steps": sample_steps,
    "generation.sample": sample,
    "training.bits_per_character": bits_per_character,
    "training.perplexity": perplexity,
    "training.text_loss": text_loss,
    "training.mean_absolute_error": mean_absolute_error,
    "training.scaled_error": scaled_error,
}


# --- broken versions --------------------------------------------------------------------------------------------------


def broken(base, **methods):
    """The class with some methods changed, under its own name."""
    return type(base.__name__, (base,), methods)


def in_order_of_appearance(cls, text):
    return cls("".join(dict.fromkeys(text)))


def without_the_unknown(self, text):
    return data.Vocabulary.encode(self, "".join(c for c in text if c in self.symbols))


def from_the_end_too(self, ids):
    return "".join(self.symbols[i % len(self)] for i in ids.tolist())


def first_of_each(text, *, block=5000, every=10):
    blocks = [text[i : i + block] for i in range(0, len(text), block)]
    return "".join(b for i, b in enumerate(blocks) if i % every), "".join(blocks[::every])


def the_last_share(text, *, block=5000, every=10):
    train, _ = data.split_blocks(text, block=block, every=every)
    return text[: len(train)], text[len(train) :]


class Batches:
    """`text_batches` with what it yields changed: change(x, y, first)."""

    def __init__(self, change, ids, *, size, time):
        self.kept, self.change = data.text_batches(ids, size=size, time=time), change

    def __getattr__(self, name):
        return getattr(self.kept, name)

    def __len__(self):
        return len(self.kept)

    def __repr__(self):
        return repr(self.kept)

    def __iter__(self):
        return iter([self.change(*batch) for batch in self.kept])


def in_the_order_of_the_text(ids, *, size, time):
    """Rows of a batch follow each other: what is right where no state is carried on."""
    made = data.text_batches(ids, size=size, time=time)
    used = made.size * made.stream
    order = torch.arange(used, device=ids.device).view(-1, size).T.reshape(-1)
    return Batches(lambda x, y, first: (x, y, first), torch.cat([ids[:used][order], ids[used:]]), size=size, time=time)


def views(series, *, length, horizon=1):
    data.windows(series, length=length, horizon=horizon)
    cut = series.unfold(0, length + horizon, 1).movedim(-1, 1)
    return cut[:, :length], cut[:, length:]


def answer_in_the_window(series, *, length, horizon=1):
    x, y = data.windows(series, length=length, horizon=horizon)
    return torch.cat([x[:, 1:], y[:, :1]], 1), y


def drawn_at_random(series, *, test=0.2, history=0):
    train, held = data.split_in_time(series, test=test, history=history)
    order = torch.randperm(len(series), generator=source(0, "cpu"))
    return series[order[: len(train)]], series[order[len(series) - len(held) :]]


def smoothed_by(count, total, kinds, p, classes):
    return (count + kinds * p) / (total + kinds)


def discounted_by(count, total, kinds, p, classes):
    return ((count - 0.75).clamp(min=0) + 0.75 * kinds * p) / total


def counting(blend=smoothed_by, discounted=discounted_by):
    """An NGram with other formulas, of (count, total, kinds, p, classes), where the context was seen."""

    def changed(self, before, symbol):
        formula = discounted if self.smoothing == "kneser-ney" else blend
        p = torch.full_like(symbol, 1 / self.classes, dtype=torch.float32)
        for table, context in zip(self.tables, before, strict=True):
            pairs = context * self.classes + symbol
            place = torch.searchsorted(table.pairs, pairs).clamp(max=len(table.pairs) - 1)
            count = torch.where(table.pairs[place] == pairs, table.count[place], 0)
            total, kinds = table.total[context], table.kinds[context]
            p = torch.where((context >= 0) & (total > 0), formula(count, total, kinds, p, self.classes), p)
        return p

    return broken(models.NGram, _blend=changed)


def with_tables(change):
    """An NGram whose tables for Kneser-Ney are change(its own, plain counts, its own for one order more)."""

    def fit(cls, ids, *, order, classes, smoothing="witten-bell"):
        own = models.NGram.fit(ids, order=order, classes=classes, smoothing=smoothing).tables
        if smoothing == "kneser-ney":
            plain = models.NGram.fit(ids, order=order, classes=classes).tables
            more = models.NGram.fit(ids, order=min(order + 1, len(ids)), classes=classes, smoothing=smoothing).tables
            own = change(own, plain, more[:order])
        return cls(classes, own, smoothing)

    return broken(models.NGram, fit=classmethod(fit))


def forward_like(change):
    """A CharRNN whose forward is change(self, ids, state)."""
    return broken(models.CharRNN, forward=change)


def frozen_embedding(self, ids, state=None):
    outputs, state = self.rnn(self.embedding.detach()[ids] + 0 * self.embedding.sum(), state)
    return self.linear(outputs), state


def all_that_tie(logits, k):
    generation.keep_top_k(logits, k)
    least = logits.topk(min(k, logits.shape[-1]), -1).values[..., -1:] if logits.numel() else logits
    return logits.masked_fill(logits < least, -INF) if logits.numel() else logits


def below_p(logits, p):
    """Only those whose sum stays below p: may be none."""
    generation.keep_top_p(logits, p)
    falling, order = logits.softmax(-1).sort(dim=-1, descending=True, stable=True)
    keep = torch.zeros_like(order, dtype=torch.bool).scatter(-1, order, falling.cumsum(-1) <= p)
    return logits.masked_fill(~keep, -INF)


def shaped_backwards(logits, *, temperature=1.0, top_k=None, top_p=None):
    logits = logits if top_p is None else generation.keep_top_p(logits, top_p)
    logits = logits if top_k is None else generation.keep_top_k(logits, top_k)
    return generation.temper(logits, temperature).softmax(-1)


def not_summing_to_1(logits, *, temperature=1.0, top_k=None, top_p=None):
    kept = generation.shaped(logits, temperature=temperature, top_k=top_k, top_p=top_p) > 0
    return generation.temper(logits, temperature or 1.0).softmax(-1) * kept


def sampling(*, read=lambda prefix: prefix, carry=lambda state: state, stays=False, draw=None, index=lambda i: i):
    """`sample_steps` with one part of it changed; its refusals are kept."""

    def changed(model, prefix, *, steps, state=None, generator, **options):
        spare = source(0, generator.device)
        next(generation.sample_steps(copy.deepcopy(model), prefix, steps=steps, generator=spare, **options), None)
        ids = read(prefix)
        for i in range(steps):
            with training.evaluating(model):
                outputs, state = model(ids[None], state)
            model.train(model.training and not stays)
            chances = generation.shaped(outputs[0, -1], **options)
            token = torch.multinomial(chances, 1, generator=generator) if draw is None else draw(chances)
            yield generation.SampleStep(index(i), token.item(), outputs[0, -1], chances, state)
            state, ids = carry(state), token.to(prefix)

    return changed


def loss_of_text(*, carry=True, learning=False, by_batch=False):
    """`text_loss` with one part of it changed."""

    def changed(model, ids, *, size=16, time=256):
        losses, weights, state = [], [], None
        with torch.no_grad():
            modes = [(module, module.training) for module in model.modules()]
            model.train(learning)
            for x, y, first in data.text_batches(ids, size=size, time=time):
                logits, state = model(x, None if first or not carry else state)
                losses.append(nn.cross_entropy(logits.flatten(0, 1), y.flatten()).item())
                weights.append(1 if by_batch else y.numel())
            for module, mode in modes:
                module.training = mode
        return sum(p * q for p, q in zip(losses, weights, strict=True)) / sum(weights)

    return changed


NAMED = [
    ("data.Vocabulary", "in the order of the text", broken(data.Vocabulary, of=classmethod(in_order_of_appearance))),
    ("data.Vocabulary", "unknown characters left out", broken(data.Vocabulary, encode=without_the_unknown)),
    ("data.Vocabulary", "numbers beyond the end decoded", broken(data.Vocabulary, decode=from_the_end_too)),
    (
        "data.Bytes",
        "code points for bytes",
        broken(data.Bytes, encode=lambda self, text: torch.tensor([*map(ord, text)], dtype=torch.long, device="cpu")),
    ),
    (
        "data.Bytes",
        "an error for half a character",
        broken(data.Bytes, decode=lambda self, ids: data.Bytes.decode(self, ids) and bytes(ids.tolist()).decode()),
    ),
    ("data.split_blocks", "the first of each", first_of_each),
    ("data.split_blocks", "the end of the text", the_last_share),
    ("data.split_blocks", "parts the wrong way round", lambda text, **o: data.split_blocks(text, **o)[::-1]),
    ("data.text_batches", "the input as target", partial(Batches, lambda x, y, first: (x, x, first))),
    ("data.text_batches", "two symbols further", partial(Batches, lambda x, y, first: (x, y.roll(-1, 1), first))),
    ("data.text_batches", "always the first", partial(Batches, lambda x, y, first: (x, y, True))),
    (
        "data.text_batches",
        "streams the wrong way round",
        partial(Batches, lambda x, y, first: (x.flip(0), y.flip(0), first)),
    ),
    ("data.text_batches", "rows follow each other", in_the_order_of_the_text),
    ("data.windows", "the answer in the window", answer_in_the_window),
    ("data.windows", "views of the series", views),
    ("data.windows", "the last one forgotten", lambda s, **o: tuple(part[:-1] for part in data.windows(s, **o))),
    ("data.windows", "targets in advance", lambda s, **o: tuple(part.flip(1) for part in data.windows(s, **o))),
    ("data.split_in_time", "drawn at random", drawn_at_random),
    ("data.split_in_time", "no history", lambda s, *, test=0.2, history=0: data.split_in_time(s, test=test)),
    (
        "data.split_in_time",
        "the future as history",
        lambda s, *, test=0.2, history=0: (
            s[: len(data.split_in_time(s, test=test)[0]) + history].clone(),
            data.split_in_time(s, test=test, history=history)[1],
        ),
    ),
    ("models.NGram", "unsmoothed", counting(lambda count, total, kinds, p, classes: count / total)),
    ("models.NGram", "add one", counting(lambda count, total, kinds, p, classes: (count + 1) / (total + classes))),
    ("models.NGram", "one new symbol", counting(lambda count, total, kinds, p, classes: (count + p) / (total + 1))),
    (
        "models.NGram",
        "shorter contexts only for new symbols",
        counting(
            lambda count, total, kinds, p, classes: torch.where(count > 0, count, kinds * p) / (total + kinds),
        ),
    ),
    ("models.NGram", "plain counts in shorter contexts", with_tables(lambda own, plain, more: plain)),
    ("models.NGram", "contexts counted for the longest, too", with_tables(lambda own, plain, more: more)),
    ("models.NGram", "Witten-Bell over contexts", counting(discounted=smoothed_by)),
    (
        "models.NGram",
        "what was taken is not handed on",
        counting(discounted=lambda count, total, kinds, p, classes: (count - 0.75).clamp(min=0) / total + p * 0),
    ),
    (
        "models.NGram",
        "three quarters handed on, whatever was taken",
        counting(
            discounted=lambda count, total, kinds, p, classes: ((count - 0.75).clamp(min=0) + 0.75 * p) / (total + 0.75)
        ),
    ),
    (
        "models.NGram",
        "below 0 where nothing was counted",
        counting(discounted=lambda count, total, kinds, p, classes: (count - 0.75 + 0.75 * kinds * p) / total),
    ),
    (
        "models.NGram",
        "in bits",
        broken(models.NGram, loss=lambda self, ids: models.NGram.loss(self, ids) / math.log(2)),
    ),
    (
        "models.NGram",
        "a whole context for each symbol",
        broken(models.NGram, loss=lambda self, ids: models.NGram.loss(self, ids[:-1])),
    ),
    ("models.persistence", "the first value", lambda x, **o: models.persistence(x.flip(1), **o)),
    ("models.persistence", "the mean", models.mean_forecast),
    (
        "models.seasonal_persistence",
        "the season read backwards",
        lambda x, *, season, **o: models.seasonal_persistence(x, season=season, **o).flip(1),
    ),
    (
        "models.seasonal_persistence",
        "a season too late",
        lambda x, *, season, horizon=1: models.seasonal_persistence(x.roll(1, 1), season=season, horizon=horizon),
    ),
    ("models.mean_forecast", "the last value", models.persistence),
    (
        "models.mean_forecast",
        "the median",
        lambda x, **o: models.mean_forecast(x, **o) - x.mean(1, True) + x.median(1, True).values,
    ),
    ("models.drift", "no drift", lambda x, **o: models.drift(x, **o) * 0 + models.persistence(x, **o)),
    (
        "models.drift",
        "the last step",
        lambda x, *, horizon=1: models.drift(x[:, -2:], horizon=horizon),
    ),
    (
        "models.CharRNN",
        "always from zeros",
        forward_like(lambda self, ids, state=None: models.CharRNN.forward(self, ids)),
    ),
    (
        "models.CharRNN",
        "probabilities",
        forward_like(
            lambda self, ids, state=None: (lambda logits, after: (logits.softmax(-1), after))(
                *models.CharRNN.forward(self, ids, state)
            )
        ),
    ),
    ("models.CharRNN", "the embedding learns nothing", forward_like(frozen_embedding)),
    ("generation.temper", "multiplied", lambda z, t: generation.temper(z, 1 / t if t else t)),
    ("generation.temper", "overflows", lambda z, t: generation.temper(z, t) if t in (0, 1) else z / t),
    ("generation.keep_top_k", "all that tie", all_that_tie),
    ("generation.keep_top_k", "0 for minus infinity", lambda z, k: generation.keep_top_k(z, k).clamp(min=0)),
    ("generation.keep_top_k", "the smallest", lambda z, k: -generation.keep_top_k(-z, k)),
    ("generation.keep_top_p", "less than p", below_p),
    ("generation.keep_top_p", "the rarest cut off at 1", lambda z, p: generation.keep_top_p(z, min(p, 1 - 1e-7))),
    ("generation.shaped", "temperature last", shaped_backwards),
    ("generation.shaped", "no sum of 1", not_summing_to_1),
    ("generation.sample_steps", "always the likeliest", sampling(draw=lambda chances: chances.argmax(keepdim=True))),
    ("generation.sample_steps", "from the global stream", sampling(draw=lambda chances: torch.multinomial(chances, 1))),
    ("generation.sample_steps", "only the last of the prefix", sampling(read=lambda prefix: prefix[-1:])),
    ("generation.sample_steps", "the state forgotten", sampling(carry=lambda state: None)),
    ("generation.sample_steps", "stays in eval mode", sampling(stays=True)),
    ("generation.sample_steps", "index from 1", sampling(index=lambda i: i + 1)),
    ("generation.sample", "with its prefix", lambda m, p, **o: torch.cat([p, generation.sample(m, p, **o)])),
    ("generation.sample", "the last one only", lambda m, p, **o: generation.sample(m, p, **o)[-1:]),
    ("training.bits_per_character", "in nats", float),
    ("training.bits_per_character", "times log 2", lambda loss: float(loss) * math.log(2)),
    ("training.perplexity", "2 to the loss", lambda loss: 2 ** min(float(loss), 1e3)),
    ("training.text_loss", "no state carried on", loss_of_text(carry=False)),
    ("training.text_loss", "with dropout", loss_of_text(learning=True)),
    ("training.text_loss", "batches weigh the same", loss_of_text(by_batch=True)),
    ("training.mean_absolute_error", "squares", lambda a, b: ((a - b) ** 2).mean().item()),
    ("training.mean_absolute_error", "every pair", lambda a, b: (a - b).abs().mean().item()),
    (
        "training.scaled_error",
        "season ignored",
        lambda a, b, *, train, season=1: training.scaled_error(a, b, train=train),
    ),
    (
        "training.scaled_error",
        "scaled on the targets",
        lambda a, b, *, train, season=1: training.scaled_error(a, b, train=b, season=season),
    ),
]
# The helpers above with nothing changed: each must pass, or the faults made with it prove nothing.
UNCHANGED = [
    ("data.text_batches", partial(Batches, lambda x, y, first: (x, y, first))),
    ("models.NGram", counting()),
    ("models.NGram", with_tables(lambda own, plain, more: own)),
    ("models.CharRNN", forward_like(models.CharRNN.forward)),
    ("generation.sample_steps", sampling()),
    ("training.text_loss", loss_of_text()),
]
