"""Whether the memory of a whole run grows with its length: a made-up stream through all stages."""

import os
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from mot_reid.config import load_config
from mot_reid.evaluation.tables import Column, Table
from mot_reid.pipeline.run import track_source
from mot_reid.pipeline.summary import Summary
from mot_reid.provenance import provenance
from mot_reid.structures import Detections
from mot_reid.tracker import Tracker
from mot_reid.video.frames import Frame, Source, SourceInfo

__all__ = ["Crowd", "StandIn", "memory_table", "resident_memory"]

_WIDTH, _HEIGHT, _PEOPLE = 320, 240, 8
_ROW = 4  # pixels at the top of a picture that hold its number


class Crowd(Source):
    """A made-up stream of people who come, walk through the picture and go, for as long as wanted."""

    def __init__(self, frames: int) -> None:
        self.info = SourceInfo("crowd", "video", _WIDTH, _HEIGHT, 25.0, frames)
        self._frames = frames
        self._background = np.random.default_rng(0).integers(90, 110, (_HEIGHT, _WIDTH, 3), dtype=np.uint8)

    def __iter__(self) -> Iterator[Frame]:
        for number in range(1, self._frames + 1):
            image = self._background.copy()
            image[0, :_ROW, 0] = np.frombuffer(np.uint32(number).tobytes(), np.uint8)
            for person, (x1, y1, x2, y2) in enumerate(people(number)):
                image[y1:y2, x1:x2] = (40 * person % 256, 90 * person % 256, 150)
            yield Frame(number, image)

    def close(self) -> None:
        """There is nothing to close."""


def people(number: int) -> list[tuple[int, int, int, int]]:
    """Whole boxes in the picture: each person crosses it in its own time and is followed by another one."""
    boxes = []
    for person in range(_PEOPLE):
        x = (number * (1 + person % 3) + 97 * person) % (_WIDTH + 60) - 30
        y = 20 + 20 * person
        if x < _WIDTH - 1 and x + 20 > 1:
            boxes.append((max(x, 0), y, min(x + 20, _WIDTH), y + 50))
    return boxes


class StandIn:
    """A detector and embedder that cost nothing: the picture tells its number, and looks are noise."""

    class_names: ClassVar = {0: "person"}
    calls_at_once = 2

    def detect(self, frames: Sequence[NDArray[np.uint8]]) -> list[Detections]:
        """See `Detector.detect`."""
        numbers = [int(np.frombuffer(frame[0, :_ROW, 0].tobytes(), np.uint32)[0]) for frame in frames]
        return [Detections(np.array(people(number), float).reshape(-1, 4)) for number in numbers]

    def embed(self, frame: NDArray[np.uint8], xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """See `Embedder.embed`."""
        rows = np.random.default_rng(xyxy[:, 1].astype(int).tolist()).standard_normal((len(xyxy), 128))
        return rows.astype(np.float32)


def resident_memory() -> float:
    """MiB of this process, as Linux counts them."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def memory_table(frames: int) -> Table:
    """A run of so many frames, drawing, video and all else that is default, and its memory on the way."""
    marks = [max(frames * share // 10, 1) for share in (1, 2, 4, 6, 8, 10)]
    rows = []
    start = time.perf_counter()

    def look(summary: Summary) -> None:
        if summary.frames in marks:
            rows.append(
                {
                    "frame": summary.frames,
                    "MiB": resident_memory(),
                    "tracks": summary.tracks,
                    "seconds": time.perf_counter() - start,
                }
            )

    config = load_config(overrides=["output.formats=[mot,csv,video]"])
    stand_in = StandIn()
    with tempfile.TemporaryDirectory() as folder:
        track_source(Crowd(frames), Tracker(stand_in, stand_in, config=config), folder, on_frame=look)
    return Table(
        title=f"Memory of a run of {frames} frames",
        columns=[Column("frame"), Column("MiB", 1), Column("tracks"), Column("seconds", 1)],
        rows=rows,
        provenance=provenance(),
        notes=[
            f"A made-up stream of {_WIDTH}x{_HEIGHT} with {_PEOPLE} people who come and go, through all "
            "stages at once, video and CSV written; detector and embedder are stand-ins that cost nothing. "
            "MiB: the whole process."
        ],
    )
