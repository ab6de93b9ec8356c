"""Pictures of a clip -> what weather it has."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from streamrestore import planes as native
from streamrestore.frames import Coding, Frame, FrameBatch, Matrix
from streamrestore.networks.routernet import RouterNet
from streamrestore.route.views import Views, views_of
from streamrestore.weather import Weather, WeatherEstimate

PICTURES_PER_CLIP = 3


class Router:
    """Estimates weather; the mean over the pictures of a clip, in logits.

    Args:
        network: calibrated, fp32; it runs on the CPU, where it costs little.
    """

    def __init__(self, network: RouterNet) -> None:
        self._network = network

    def views_of_frame(self, batch: FrameBatch, frame: Frame, look: int = 0) -> Views:
        """Views of a decoded frame, turned as displayed; another look sees other places."""
        turns = batch.rotation // 90
        planes = [native.turned(torch.from_dlpack(p).cpu(), turns) for p in frame.planes]  # type: ignore[attr-defined]
        return self._views(planes, batch.coding, look)

    def views_of_rgb(self, picture: Tensor, look: int = 0) -> Views:
        """Views of (3, H, W) float RGB, nominally in [0, 1]."""
        return self._views(list(picture.cpu().float().clamp(0, 1)), Coding(Matrix.RGB, full=True), look)

    @torch.inference_mode()
    def estimate(self, views: Sequence[Views]) -> WeatherEstimate:
        """Weather of one clip from views of some of its pictures, at least one."""
        thumbnails = torch.stack([v.thumbnail for v in views])
        crops = torch.stack([v.crops for v in views])
        logits, severities = self._network(thumbnails, crops)
        probabilities = torch.sigmoid(logits.mean(dim=0) / self._network.temperature)
        *weathers, unknown = probabilities.tolist()
        return WeatherEstimate(
            weathers=dict(zip(Weather, weathers, strict=True)),
            unknown=unknown,
            severity=dict(zip(Weather, severities.mean(dim=0).tolist(), strict=True)),
        )

    def _views(self, planes: Sequence[Tensor], coding: Coding, look: int) -> Views:
        shape = self._network.config
        return views_of(planes, coding, shape.thumbnail, shape.crop, shape.crops, look)


def spread(length: int, count: int = PICTURES_PER_CLIP) -> list[int]:
    """Positions of at most `count` pictures, evenly over a clip of `length`."""
    count = min(count, length)
    return [int((2 * i + 1) * length / (2 * count)) for i in range(count)]
