"""The playground in the notebook: what it does beyond what every widget does."""

import pytest
import torch

from dlcourse.widgets import Playground


def test_what_a_share_string_holds_takes_the_place_of_what_is_there():
    other, playground = Playground(data="xor", layers=(3,)), Playground()
    other.step(20)
    playground.load(other.share())
    assert playground.describe() == other.describe()
    assert (playground.data, playground.layers) == ("xor", (3,))


def test_a_model_of_the_learners_is_not_thrown_away():
    model = torch.nn.Linear(2, 1)
    playground = Playground(model=model)
    with pytest.raises(ValueError, match=r"a model or points of your own.*Playground\.from_share"):
        playground.load(Playground().share())
    assert playground.engine.run.model is model
    playground.step(3)
    assert playground.engine.run.at == 3
