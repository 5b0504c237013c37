"""Linear probes: can a property of x be read off a layer by a linear classifier, and what does that show?

    softmax(W h + b), with W and b at the least of      mean cross-entropy + l2 / 2 * |W|^2

trained on activations h that stay as they are (Alain and Bengio, 2016, arXiv:1610.01644). A probe that is right may
have *learned* the property instead of finding it. So the same probe is given a *control task*: each type of example
(here, say, a digit; there, a word) gets a label at random, the same for all examples of that type, which can only be
memorised. The difference is the *selectivity* (Hewitt and Liang, 2019, arXiv:1909.03368, section 2):

    selectivity = accuracy on the task - accuracy on its control task

Where it fails: what can be read is not what is used (see `circuits`: idle units). With few types, or features in which
types are far apart, a control task is easy too, and small selectivity then says nothing against the layer.
"""

import math
from dataclasses import dataclass

import torch

from dlcourse.nn.loss import cross_entropy
from dlcourse.nn.sizes import whole
from dlcourse.training.metrics import accuracy
from dlcourse.types import Float, Int, Tensor

STEPS = 1000  # of L-BFGS, at most; on standardised features some dozens are enough


@dataclass(frozen=True, eq=False)
class Probe:
    """A linear classifier of activations: probe(activations) are logits."""

    weight: Float[Tensor, "classes features"]
    bias: Float[Tensor, " classes"]

    def __call__(self, activations: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch classes"]:
        return activations.flatten(1) @ self.weight.T + self.bias

    def accuracy(self, activations: Float[Tensor, "batch ..."], labels: Int[Tensor, " batch"]) -> float:
        """The share of examples that it tells right, in [0, 1].

        >>> Probe(torch.tensor([[-1.0], [1.0]]), torch.zeros(2)).accuracy(torch.ones(4, 1), torch.tensor([1, 1, 1, 0]))
        0.75
        """
        return accuracy(self(activations), labels)


def linear_probe(
    activations: Float[Tensor, "train ..."],
    labels: Int[Tensor, " train"],
    *,
    classes: int | None = None,
    l2: float = 1e-3,
) -> Probe:
    """The best probe for these activations, flattened: there is one, and torch's L-BFGS walks there from 0.

    classes: how many there are, by default one more than the largest label. l2, above 0: how strongly large weights are
    punished, counted for features that are standardised first (mean 0, standard deviation 1 over the examples; one that
    never changes is only moved), so that layers of different scale are treated alike; the weights that come back are
    for the activations as they are. Nothing is drawn at random. Raises ValueError for no examples, unequal numbers,
    labels that are no classes, fewer than two classes, an l2 that is not above 0, and activations that are not finite.

    >>> probe = linear_probe(torch.tensor([[0.0], [1.0], [5.0], [6.0]]), torch.tensor([0, 0, 1, 1]))
    >>> probe(torch.tensor([[2.9], [3.1]])).argmax(1)
    tensor([0, 1])
    """
    classes = _classes(activations, labels, classes)
    if not 0 < l2 < math.inf:
        raise ValueError(f"linear_probe got l2={l2}; wanted a finite number above 0: without it weights have no end.")
    raw = activations.detach().flatten(1)
    mean, spread = raw.mean(0), raw.std(0, correction=0)
    spread = torch.where(spread > 0, spread, 1.0)
    features = (raw - mean) / spread
    weight = features.new_zeros(classes, features.shape[1]).requires_grad_()
    bias = features.new_zeros(classes).requires_grad_()
    optimizer = torch.optim.LBFGS(
        [weight, bias], max_iter=STEPS, tolerance_grad=1e-6, tolerance_change=1e-9, line_search_fn="strong_wolfe"
    )

    def loss() -> Tensor:
        optimizer.zero_grad()
        value = cross_entropy(features @ weight.T + bias, labels) + l2 / 2 * weight.square().sum()
        value.backward()
        return value

    with torch.enable_grad():
        optimizer.step(loss)
    weight = weight.detach() / spread
    return Probe(weight, bias.detach() - weight @ mean)


def control_task(
    types: Int[Tensor, " batch"], labels: Int[Tensor, " batch"], *, generator: torch.Generator
) -> Int[Tensor, " batch"]:
    """Labels at random, one for each type of example: those of a randomly drawn example, so classes stay as frequent.

    types, labels: of the examples, training and test together, so that a type means the same in both. Few types can get
    nearly the same label by chance: draw several tasks. Raises ValueError for unequal numbers and no examples.

    >>> types, labels = torch.tensor([3, 3, 5, 5, 3]), torch.tensor([0, 1, 1, 0, 0])
    >>> control_task(types, labels, generator=torch.Generator().manual_seed(2))
    tensor([0, 0, 1, 1, 0])
    """
    if types.shape != labels.shape or not len(types):
        raise ValueError(
            f"control_task got types {tuple(types.shape)} and labels {tuple(labels.shape)}; wanted one of each for "
            "every example, and at least one example."
        )
    known, which = types.unique(return_inverse=True)
    draw = torch.randint(len(labels), (len(known),), generator=generator, device=generator.device).to(labels.device)
    return labels[draw][which]


@dataclass(frozen=True, eq=False)
class Examples:
    """Activations, and of each example its label and its type."""

    activations: Float[Tensor, "batch ..."]
    labels: Int[Tensor, " batch"]  # the property that is asked about
    types: Int[Tensor, " batch"]  # what the control task gives one label to


@dataclass(frozen=True)
class Selectivity:
    """What a probe is worth on test examples; shares in [0, 1]."""

    accuracy: float  # on the task
    control: tuple[float, ...]  # on each control task, by a probe of its own
    commonest: float  # who always says the training examples' most frequent label: the floor of `accuracy`

    @property
    def selectivity(self) -> float:
        """accuracy - the mean over the control tasks; near 0: the probe can learn anything from these activations.

        >>> round(Selectivity(0.95, (0.75, 0.85), 0.5).selectivity, 6)
        0.15
        """
        return self.accuracy - sum(self.control) / len(self.control)


def selectivity(
    train: Examples, test: Examples, *, draws: int = 5, l2: float = 1e-3, generator: torch.Generator
) -> Selectivity:
    """A probe's accuracy on the task, beside that of the same kind of probe on `draws` control tasks.

    All probes are trained on `train` and measured on `test`; both hold the same types, for of a type that was never
    trained on a control task can know nothing. Raises ValueError for a type of `test` that is not in `train`, draws
    that are not whole or below 1, and as `linear_probe`.

    >>> generator = torch.Generator().manual_seed(0)
    >>> types = torch.arange(40) % 20
    >>> h = torch.stack([types // 10, types % 10], dim=1).float()  # which half, and where in it
    >>> examples = Examples(h, types // 10, types)
    >>> selectivity(examples, examples, generator=generator).accuracy
    1.0
    """
    (draws,) = whole("selectivity", 1, draws=draws)
    if not torch.isin(test.types, train.types).all():
        raise ValueError("selectivity got types in test that train does not have: their control label cannot be known.")
    classes = _classes(train.activations, train.labels, None)
    both = torch.cat([train.types, test.types]), torch.cat([train.labels, test.labels])

    def right(labels: Tensor) -> float:
        of_train, of_test = labels.split([len(train.labels), len(test.labels)])
        probe = linear_probe(train.activations, of_train, classes=classes, l2=l2)
        return probe.accuracy(test.activations, of_test)

    control = tuple(right(control_task(*both, generator=generator)) for _ in range(draws))
    most = train.labels.bincount().argmax()
    return Selectivity(right(both[1]), control, (test.labels == most).sum().item() / len(test.labels))


def _classes(activations: Tensor, labels: Tensor, classes: int | None) -> int:
    """The number of classes, once all fits."""
    came = f"a probe got activations {tuple(activations.shape)} and labels {tuple(labels.shape)}"
    if labels.shape != activations.shape[:1] or activations.ndim < 2 or not activations.numel():
        raise ValueError(f"{came}; wanted (batch, ...) with at least one number, and (batch,).")
    if not activations.isfinite().all():
        raise ValueError(f"{came}; some activations are inf or nan.")
    count = int(labels.max()) + 1 if classes is None else classes
    if count < 2 or not 0 <= labels.min() <= labels.max() < count:
        raise ValueError(
            f"{came} from {labels.min()} to {labels.max()}, for {count} classes; wanted two classes or more."
        )
    return count
