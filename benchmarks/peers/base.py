"""What a tracker must offer to be in a benchmark."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
from numpy.typing import NDArray

import mot_reid
from mot_reid.timing import Stopwatch
from peers.scene import HEIGHT, WIDTH, SceneFrame

__all__ = ["BLANK", "Answer", "Contender", "GivenCamera", "Runner"]

Answer = tuple[NDArray[np.int64], NDArray[np.float64]]
"""The ids ``(N,)`` and the boxes ``(N, 4)`` that a tracker reports in a frame."""

BLANK = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
"""A picture for trackers that insist on one."""


@dataclass(frozen=True)
class Runner:
    """One fresh tracker.

    Attributes:
        prepare: brings a frame into the form that the tracker takes; not timed.
        step: takes in what was prepared; this is timed.
        read: makes ids and boxes of what ``step`` returned; not timed.
    """

    prepare: Callable[[SceneFrame], Any]
    step: Callable[[Any], Any]
    read: Callable[[Any], Answer]


@dataclass(frozen=True)
class Contender:
    """A tracker that can be timed.

    Attributes:
        name: as in the table.
        package: its distribution on PyPI.
        make: gives a fresh tracker with its own defaults; ImportError where it is not installed.
        appearance: whether it gets the embeddings.
        camera: whether it gets the camera motion; without, it is told that there is none.
        timed: as ``make``, with a stopwatch that is told of each stage of a frame; None where there is none.
    """

    name: str
    package: str
    make: Callable[[], Runner]
    appearance: bool = False
    camera: bool = False
    timed: Callable[[Stopwatch], Runner] | None = None

    @property
    def version(self) -> str:
        """Of the package that is installed."""
        return mot_reid.__version__ if self.package == "mot_reid" else version(self.package)


class GivenCamera:
    """Stands in for a peer's estimator of camera motion and says what it was told."""

    method = "given"

    def __init__(self) -> None:
        self.affine = np.eye(2, 3)

    def apply(self, image: object, detections: object = None) -> NDArray[np.float64]:
        """As boxmot and Ultralytics call it."""
        return self.affine

    estimate = apply  # as roboflow's trackers call it

    def reset(self) -> None:
        """There is no state."""
