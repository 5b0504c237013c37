"""Text from a language model: shaping what it says may come next, and drawing from that, a symbol at a time."""

from dlcourse.generation.sampling import SampleStep, sample, sample_steps
from dlcourse.generation.shaping import keep_top_k, keep_top_p, shaped, temper

__all__ = ["SampleStep", "keep_top_k", "keep_top_p", "sample", "sample_steps", "shaped", "temper"]
