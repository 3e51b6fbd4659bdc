"""The learning rate of each step."""

from __future__ import annotations

import math

from mot_reid.training.reid.settings import ScheduleSettings

__all__ = ["learning_rate"]


def learning_rate(step: int, total: int, highest: float, settings: ScheduleSettings) -> float:
    """The learning rate of a step.

    A linear warm-up, then a cosine to 0 (Loshchilov and Hutter, arXiv:1608.03983), or a division at each
    milestone.

    Args:
        step: from 0.
        total: steps of the whole training.
        highest: the rate that the warm-up leads to.
        settings: the shape.
    """
    warm = max(1, round(settings.warmup * total))
    rise = min(1.0, (step + 1) / warm)
    if settings.shape == "step":
        passed = sum(step >= round(share * total) for share in settings.milestones)
        return highest * rise / settings.divisor**passed
    fall = 0.5 + 0.5 * math.cos(math.pi * max(0, step - warm) / max(1, total - warm))
    return highest * rise * fall
