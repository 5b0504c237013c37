"""Optimisers: update rules as pure functions, and thin classes with the names and the state of torch's."""

from dlcourse.optim.adam import Adam, AdamW, adam, adam_definition, adamw
from dlcourse.optim.clip import clip_grad_norm_, clip_grad_value_, gradient_norm
from dlcourse.optim.rmsprop import RMSprop, rmsprop
from dlcourse.optim.schedule import cosine, one_cycle, step_decay, warmup_cosine
from dlcourse.optim.sgd import SGD, sgd

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "RMSprop",
    "adam",
    "adam_definition",
    "adamw",
    "clip_grad_norm_",
    "clip_grad_value_",
    "cosine",
    "gradient_norm",
    "one_cycle",
    "rmsprop",
    "sgd",
    "step_decay",
    "warmup_cosine",
]
