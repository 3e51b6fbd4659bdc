"""People cut out of frames where the frames are: on the device that embeds them."""

import torch
from torch import Tensor

__all__ = ["sample_crops"]


def sample_crops(frames: Tensor, bounds: Tensor, frame_of: Tensor, size: tuple[int, int]) -> Tensor:
    """Resizes boxes of several frames bilinearly into one batch, pixel for pixel as OpenCV does it.

    Only the pixels that are needed are read, each box's from its own frame, all boxes at once.

    Args:
        frames: ``(F, H, W, 3)`` uint8.
        bounds: left, top, right, bottom of each box ``(N, 4)`` int64, as `pixel_bounds` gives them.
        frame_of: ``(N,)`` int64, which frame each box lies in.
        size: height and width of the crops, pixels.

    Returns:
        ``(N, height, width, 3)`` float32 in 0..255, the frames' channel order, on the frames' device.
    """
    height, width = frames.shape[1:3]
    left, top, right, bottom = bounds.unbind(dim=1)
    above, below, down = _between(top, bottom, size[0])
    before, behind, along = _between(left, right, size[1])
    pixels = frames.reshape(-1, 3)
    first_row = frame_of[:, None] * height

    def row(number: Tensor) -> Tensor:
        """The pixels of one row of each crop's, resized along it: ``(N, size[0], size[1], 3)``."""
        starts = ((first_row + number) * width)[:, :, None]
        here, there = pixels[starts + before[:, None]].float(), pixels[starts + behind[:, None]].float()
        return torch.lerp(here, there, along[:, None, :, None])

    return torch.lerp(row(above), row(below), down[:, :, None, None])


def _between(first: Tensor, end: Tensor, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """For ``count`` samples, evenly over the pixels from ``first`` to before ``end``, their two neighbours.

    Args:
        first: ``(N,)`` int64.
        end: ``(N,)`` int64.
        count: samples.

    Returns:
        The pixel before and the one behind each sample, ``(N, count)`` int64, and how far it lies from the
        first towards the second, float32 in 0..1.
    """
    centres = torch.arange(count, device=first.device, dtype=torch.float32) + 0.5
    last = (end - first - 1).float()[:, None]
    places = (centres * (end - first).float()[:, None] / count - 0.5).clamp(min=0).minimum(last)
    before = places.floor()
    share = places - before
    behind = (before + 1).minimum(last)
    return first[:, None] + before.long(), first[:, None] + behind.long(), share
