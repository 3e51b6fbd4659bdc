"""Whether memory stays flat over an hour of video, end to end: a real file through all stages.

    python benchmarks/memory_video.py --minutes 60 -o benchmarks/tables

makes an H.264 video with sound in a temporary folder, of people (boxes) who come and go, and tracks through
it with given detections, all text outputs and the annotated video. It prints the resident memory as the run
goes on, and fails if it grows behind the first fifth.
"""

from __future__ import annotations

import argparse
import logging
import tempfile
from collections.abc import Iterator, Mapping
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from memory import Crowd, StandIn, people, resident_memory
from rich.console import Console

from mot_reid.config import load_config
from mot_reid.evaluation.tables import Column, Table
from mot_reid.pipeline.run import track_source
from mot_reid.pipeline.summary import Summary
from mot_reid.provenance import provenance
from mot_reid.structures import Detections
from mot_reid.tracker import Tracker
from mot_reid.video import open_source

__all__ = ["Given", "make_video"]

RATE, SOUND_RATE = 25, 16_000
ALLOWED = 32.0  # MiB that a run may grow by behind its first fifth


class Given(Mapping[int, Detections]):
    """The detections of each frame, made as they are asked for."""

    def __init__(self, frames: int) -> None:
        self._frames = frames

    def __getitem__(self, number: int) -> Detections:
        if not 1 <= number <= self._frames:
            raise KeyError(number)
        return Detections(np.array(people(number), float).reshape(-1, 4))

    def __iter__(self) -> Iterator[int]:
        return iter(range(1, self._frames + 1))

    def __len__(self) -> int:
        return self._frames


def make_video(path: Path, frames: int) -> None:
    """Writes the crowd as H.264 with a tone of AAC."""
    with av.open(str(path), "w") as container:
        pictures = container.add_stream("libx264", RATE, options={"preset": "ultrafast", "crf": "30"})
        pictures.width, pictures.height, pictures.pix_fmt = 320, 240, "yuv420p"
        sound = container.add_stream("aac", SOUND_RATE, layout="mono")
        tone = (np.sin(np.arange(SOUND_RATE // RATE) * 0.2) * 5000).astype(np.int16)[None]
        for frame in Crowd(frames):
            container.mux(pictures.encode(av.VideoFrame.from_ndarray(frame.image, "bgr24")))
            piece = av.AudioFrame.from_ndarray(tone, "s16", "mono")
            piece.sample_rate, piece.time_base = SOUND_RATE, Fraction(1, SOUND_RATE)
            piece.pts = (frame.number - 1) * tone.shape[1]
            container.mux(sound.encode(piece))
        container.mux(pictures.encode(None))
        container.mux(sound.encode(None))


def main() -> None:
    """Makes the video, tracks through it and prints the memory."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60.0, help="length of the video")
    parser.add_argument("-o", "--output", type=Path, metavar="DIR", help="save the table there")
    chosen = parser.parse_args()
    minutes = chosen.minutes
    frames = round(60 * RATE * minutes)
    logging.disable(logging.WARNING)
    seen: list[float] = []

    def on_frame(summary: Summary) -> None:
        if summary.frames * 20 // frames > len(seen) - 1:
            seen.append(resident_memory())

    with tempfile.TemporaryDirectory() as folder:
        make_video(Path(folder) / "hour.mp4", frames)
        formats = "output.formats=[mot,jsonl,csv,parquet,video]"
        config = load_config(None, [formats, "camera.motion=flow"])
        tracker = Tracker(detector="none", embedder=StandIn(), config=config)
        with open_source(Path(folder) / "hour.mp4") as source:
            summary = track_source(
                source, tracker, Path(folder) / "out", detections=Given(frames), on_frame=on_frame
            )
        size = (Path(folder) / "out" / "tracks.mp4").stat().st_size / 2**20
    print(f"{summary.frames} frames ({minutes:g} minutes), {summary.tracks} tracks, video of {size:.0f} MiB")
    growth = max(seen) - seen[len(seen) // 5]
    rows = [{"part": f"{5 * place} %", "MiB": value} for place, value in enumerate(seen)]
    title = f"Resident memory over {minutes:g} minutes of video ({summary.frames} frames)"
    note = f"Growth behind the first fifth: {growth:.1f} MiB; {ALLOWED:g} are allowed."
    table = Table(title, [Column("part"), Column("MiB", 1)], rows, provenance(), [note])
    table.show(Console(width=160))
    if chosen.output:
        for path in table.save(chosen.output, "memory-video"):
            print(f"saved {path}")
    raise SystemExit(growth > ALLOWED)


if __name__ == "__main__":
    main()
