"""The search for the patches that excite each channel most: some pictures at a time, and only the best kept."""

import torch

from dlcourse.types import Tensor
from dlcourse.units import Peaks, TopPatches, patch, peaks
from dlcourse.widgets.feature_map_explorer.network import Layer, Network

KEPT = 9  # patches of each channel
PART = 64  # pictures in a step


class Search:
    """Of one layer. `done` of `total` pictures have been looked at; `top(channel)` is what is known so far."""

    def __init__(self, network: Network, layer: Layer) -> None:
        self.network, self.layer = network, layer
        self.done, self.total = 0, len(network.images)
        self._values: Tensor | None = None  # (kept, channels), and so are the others
        self._images: Tensor
        self._places: Tensor

    @property
    def finished(self) -> bool:
        return self.done == self.total

    def step(self) -> None:
        """Look at the next pictures."""
        part = self.network.images[self.done : self.done + PART]
        found: Peaks = peaks(self.network.model, self.layer.name, self.network.ready(part))
        index = torch.arange(self.done, self.done + len(part), device="cpu")[:, None].expand(-1, self.layer.channels)
        self._merge(found.values.float().cpu(), index, found.places.cpu())
        self.done += len(part)

    def _merge(self, values: Tensor, images: Tensor, places: Tensor) -> None:
        if self._values is not None:  # those known come first, so that of equals the earlier stays ahead
            values = torch.cat([self._values, values])
            images = torch.cat([self._images, images])
            places = torch.cat([self._places, places])
        order = values.argsort(dim=0, descending=True, stable=True)[:KEPT]
        self._values, self._images = values.gather(0, order), images.gather(0, order)
        self._places = places.gather(0, order[:, :, None].expand(-1, -1, 2))

    def top(self, channel: int, k: int = KEPT) -> TopPatches | None:
        """The same as `units.top_patches` once the search is finished; None before the first step."""
        if self._values is None:
            return None
        values, images, places = (each[:k, channel] for each in (self._values, self._images, self._places))
        pictures = self.network.images
        cut = [
            patch(pictures[image].cpu(), self.layer.field, *place)
            for image, place in zip(images.tolist(), places.tolist(), strict=True)
        ]
        return TopPatches(torch.stack(cut), values, images, places)
