"""The one table of tolerances: how far a result may be from its oracle, by dtype and kind of device."""

import torch

# (relative, absolute): some rounding steps of the dtype; other devices order their sums differently.
TOLERANCE = {
    (torch.float64, "cpu"): (1e-10, 1e-12),
    (torch.float32, "cpu"): (1e-5, 1e-6),
    (torch.float64, "cuda"): (1e-10, 1e-12),
    (torch.float32, "cuda"): (5e-5, 5e-6),
}


def assert_close(actual: torch.Tensor, expected: torch.Tensor) -> None:
    """Fail unless both have one shape, dtype and device and, within the table, one value (nan equals nan)."""
    rtol, atol = TOLERANCE[expected.dtype, expected.device.type]
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=True)
