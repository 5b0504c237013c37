"""What the bars show, as a program."""

from typing import Any

from dlcourse.models.ngram import NGram
from dlcourse.widgets.char_sampler.line import place_seed
from dlcourse.widgets.char_sampler.reader import ORDER

PROGRAM = '''"""What may come next, and what is drawn from it.{note}"""

import torch

from dlcourse import {imports}
{more}
{model}
ids = {ids}
# This place's own luck: another number, another draw.
luck = torch.Generator().manual_seed({seed})
(step,) = generation.sample_steps(
    {reader}, ids, steps=1, temperature={temperature!r}, top_k={top_k!r}, top_p={top_p!r}, generator=luck
)
before, after = step.logits.softmax(0), step.probabilities
for token in before.argsort(descending=True)[:10]:
    print(f"{{vocabulary.decode(token[None])!r:>6}}  before {{before[token]:.4f}}  after {{after[token]:.4f}}")
print("drawn:", repr(vocabulary.decode(torch.tensor([step.token]))))
'''
OWN = f"""text = data.load("topics").text
vocabulary = data.Vocabulary.of(text)
train = vocabulary.encode(data.split_blocks(text)[0])
model = models.NGram.fit(train, order={ORDER}, classes=len(vocabulary))"""
READER = "from dlcourse.widgets.char_sampler.reader import NGramReader\n"


def program(engine: Any) -> str:
    """Runs as it is for the model that comes along, else where `model` and `vocabulary` are the learner's."""
    place = max(0, engine.at - 1)
    ids = engine.line.prefix + engine.line.tokens[:place]
    ngram = isinstance(engine.model, NGram)
    text = engine.symbols.text(ids)
    same = engine.symbols.vocabulary.encode(text).tolist() == ids  # not so for bytes that are no whole character
    return PROGRAM.format(
        note="" if engine.own else " `model` and `vocabulary` are your own.",
        imports="data, generation, models" if engine.own else "generation",
        more=READER if ngram else "",
        model=f"{OWN}\n" if engine.own else "",
        ids=f"vocabulary.encode({text!r})" if same else f"torch.tensor({ids})",
        seed=place_seed(engine.values["seed"], place),
        reader="NGramReader(model)" if ngram else "model",
        **engine.shaping.options,
    )
