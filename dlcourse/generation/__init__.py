"""Text from a language model: shaping what it says may come next, and drawing from that, a symbol at a time."""

from dlcourse.generation.sampling import SampleStep, sample, sample_steps
from dlcourse.generation.shaping import shaped, temper, top_k, top_p

__all__ = ["SampleStep", "sample", "sample_steps", "shaped", "temper", "top_k", "top_p"]
