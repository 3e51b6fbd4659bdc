"""Trackers side by side on the same frames: ours, and those of other packages that are installed."""

from peers.base import Contender
from peers.boxmot import CONTENDERS as _BOXMOT
from peers.others import CONTENDERS as _OTHERS
from peers.ours import CONTENDERS as _OURS
from peers.ours import OURS
from peers.ultralytics import CONTENDERS as _ULTRALYTICS

__all__ = ["CONTENDERS", "OURS", "Contender"]

CONTENDERS = {each.name: each for each in (*_OURS, *_BOXMOT, *_ULTRALYTICS, *_OTHERS)}
"""All trackers by name, ours first."""
