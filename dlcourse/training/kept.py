"""Buffers that go back to what they were when an update fails: batch norm has learned from the batch by then."""

import torch


class Kept:
    """Inside, the models' buffers may change; if an error leaves it, they are put back.

    >>> norm = torch.nn.BatchNorm1d(1)
    >>> try:
    ...     with Kept(norm):
    ...         raise ValueError(norm(torch.ones(2, 1)))
    ... except ValueError:
    ...     norm.running_mean
    tensor([0.])
    """

    def __init__(self, *models: torch.nn.Module):
        modules = [module for model in models for module in model.modules()]
        self.holders = [module for module in modules if any(True for _ in module.buffers(recurse=False))]

    def __enter__(self) -> None:
        self.copies = [[(name, b.clone()) for name, b in m.named_buffers(recurse=False)] for m in self.holders]

    def __exit__(self, kind: type | None, fault: BaseException | None, traceback: object) -> None:
        if fault is not None:
            for module, copies in zip(self.holders, self.copies, strict=True):
                for name, copy in copies:
                    module.get_buffer(name).copy_(copy)
