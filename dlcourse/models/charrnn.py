"""A recurrent network that reads a text character by character and says, at each, what may come next.

    x_t = embedding[id_t]        h_t, state = cell(x_t, state)        logits_t = W h_t + b

The embedding is a table with a row of numbers for each class: looking a row up is the product of a one-hot vector with
that table, without the zeros. The state is all that the network knows of the past, in a few hundred numbers; the same
text costs an n-gram hundreds of thousands of counts. It also has to read in order, one step after the other, which is
what transformers do away with.

Mikolov, Karafiát, Burget, Černocký and Khudanpur, 2010, "Recurrent neural network based language model"; characters and
generated text: Sutskever, Martens and Hinton, 2011, "Generating text with recurrent neural networks"; with LSTM cells
Graves, 2013, arXiv:1308.0850, sections 2 and 3.
"""

from collections.abc import Callable

import torch

from dlcourse import nn
from dlcourse.nn.sizes import whole
from dlcourse.types import Float, Int, Tensor

State = Tensor | tuple[Tensor, ...]  # (layers, batch, hidden), or several of these, as the cell wants it


class CharRNN(torch.nn.Module):
    """An embedding, a recurrent layer and a linear layer, named `embedding`, `rnn` and `linear`.

    hidden: numbers of the state in each of `layers` layers. embedding: numbers for each class. cell: nn.LSTM, nn.GRU or
    nn.RNN, or whatever is called as cell(embedding, hidden, num_layers=layers, generator=generator), takes (batch,
    time, features) and a state or None, and gives outputs and the next state. All weights come from `generator`, on
    whose device the model is made; the embedding's are standard normal, as torch's. Rows of length 1 would learn more
    slowly: the first weights of a recurrent layer are made for inputs of variance 1. Raises ValueError for sizes that
    are not whole or below 1.

    >>> model = CharRNN(5, hidden=3, generator=torch.Generator().manual_seed(0))
    >>> logits, state = model(torch.tensor([[0, 4, 1, 1]]))
    >>> tuple(logits.shape), [tuple(part.shape) for part in state]
    ((1, 4, 5), [(1, 1, 3), (1, 1, 3)])
    """

    def __init__(
        self,
        classes: int,
        *,
        hidden: int = 128,
        layers: int = 1,
        embedding: int = 64,
        cell: Callable[..., torch.nn.Module] = nn.LSTM,
        generator: torch.Generator,
    ):
        super().__init__()
        sizes = {"classes": classes, "hidden": hidden, "layers": layers, "embedding": embedding}
        classes, hidden, layers, embedding = whole("CharRNN", 1, **sizes)
        table = torch.randn(classes, embedding, generator=generator, device=generator.device)
        self.embedding = torch.nn.Parameter(table)
        self.rnn = cell(embedding, hidden, num_layers=layers, generator=generator)
        self.linear = nn.Linear(hidden, classes, init=nn.xavier_uniform, generator=generator)

    def forward(
        self, ids: Int[Tensor, "batch time"], state: State | None = None
    ) -> tuple[Float[Tensor, "batch time classes"], State]:
        """(logits, state): logits[:, t] are for the symbol after ids[:, t]; give the state back to read on from there.

        Without a state the reading begins anew, from zeros.
        """
        outputs, state = self.rnn(torch.nn.functional.embedding(ids, self.embedding), state)
        return self.linear(outputs), state
