"""Which layers are frozen: in eval mode while the model learns, as batch norm often is when a trained net learns on.

Before training, the modes are plain to see:  model.train(); model[1].eval().  But a trained model comes out in eval
mode throughout, and so does one that was interrupted. So each start of training notes on the model which layers are
frozen, and a model that is found in eval mode is trained as it last was.
"""

import torch

NOTE = "_frozen_layers"  # an attribute, so that copies of the model keep it; no part of the state dict


def frozen_layers(model: torch.nn.Module) -> frozenset[str]:
    """The names of the modules that stay in eval mode while the model is in train mode. `model.train()` thaws them all.

    >>> model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Dropout())
    >>> frozen_layers(model.eval())  # never trained: nothing is known to be frozen
    frozenset()
    >>> _ = model.train()[1].eval()
    >>> frozen_layers(model), frozen_layers(model.eval()), frozen_layers(model.train())
    (frozenset({'1'}), frozenset({'1'}), frozenset())
    """
    if model.training:
        setattr(model, NOTE, frozenset(name for name, module in model.named_modules() if not module.training))
    return getattr(model, NOTE, frozenset())


def into_train_mode(model: torch.nn.Module, frozen: frozenset[str]) -> None:
    """All modules but the frozen ones."""
    model.train()
    for name, module in model.named_modules():
        if name in frozen:
            module.training = False
