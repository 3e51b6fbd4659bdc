"""What a run did, as a person and a program want to know it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mot_reid.files import atomic
from mot_reid.pipeline.summary_file import BEGUN
from mot_reid.provenance import versions
from mot_reid.structures import Tracks
from mot_reid.tracker import Tracker
from mot_reid.video.frames import SourceInfo

__all__ = ["STAGES", "Summary", "write_begun", "write_summary"]

STAGES = ("decode", "detect", "embed", "camera motion", "associate", "remember", "draw", "write")


@dataclass
class Summary:
    """What a run did; ``summary.json`` holds it.

    Attributes:
        source: what was read.
        outputs: names of the files written, in the output folder.
        frames: how many frames were tracked and written.
        last_frame: the source's number of the last of them, 0 before the first.
        last_time: its time, seconds of the source since its first frame.
        stride: every how many frames one was tracked.
        rows: boxes of tracks in all frames.
        tracks: how many were written; an id that was given out may belong to another before its first row.
        people_in_view: tracks seen in the last frame.
        dropped: frames of a live source that came too fast.
        damaged: frames of a video, or pictures, that could not be decoded.
        notes: what a user should know of the source and the outputs, a sentence each.
        interrupted: whether Ctrl-C ended it; a live source has no other end, so that it is complete then.
        detections_used: frames whose detections were given.
        looked: frames that the detector looked at, or that came with detections.
        found: detections in all frames.
        best_score: the highest score of any of them.
        other_classes: boxes that the detector found of classes that are not wanted, by name.
        detections: where the detections come from, if not from the tracker's detector.
        embedded: detections whose appearance was looked at.
        embeddable: detections of which it could have been, all confident ones.
        remembered: tracklets that went into a gallery.
        gallery_run: under which name of a run (`mot_reid.gallery.records.Tracklet.run`); None without one.
        seconds: wall time of the run so far.
        stages: seconds spent in each stage. Stages overlap: together they can be more than ``seconds``.
        error: why the run ended early; None if it did not.
    """

    source: SourceInfo
    outputs: list[str] = field(default_factory=list)
    frames: int = 0
    last_frame: int = 0
    last_time: float = 0.0
    stride: int = 1
    rows: int = 0
    tracks: int = 0
    people_in_view: int = 0
    dropped: int = 0
    damaged: int = 0
    notes: list[str] = field(default_factory=list)
    interrupted: bool = False
    detections_used: int = 0
    looked: int = 0
    found: int = 0
    best_score: float = 0.0
    other_classes: Counter[str] = field(default_factory=Counter)
    detections: str | None = None
    embedded: int = 0
    embeddable: int = 0
    remembered: int = 0
    gallery_run: str | None = None
    seconds: float = 0.0
    stages: Mapping[str, float] = field(default_factory=dict)
    error: str | None = None
    _written: bytearray = field(default_factory=bytearray, init=False, repr=False)  # by id, whether it was

    def count(self, frame_number: int, tracks: Tracks, time: float | None = None) -> None:
        """Takes in one more frame."""
        self.frames += 1
        self.last_frame = frame_number
        self.last_time = self.last_time if time is None else max(self.last_time, time)
        self.rows += len(tracks)
        self._written.extend(bytes(max(int(tracks.ids.max(initial=0)) + 1 - len(self._written), 0)))
        for track in tracks.ids.tolist():
            self.tracks += not self._written[track]
            self._written[track] = 1
        self.people_in_view = len(tracks)

    @property
    def frames_per_second(self) -> float:
        """Frames tracked in a second of wall time."""
        return self.frames / self.seconds if self.seconds else 0.0

    def milliseconds(self) -> dict[str, float]:
        """Mean milliseconds a frame spent in each stage."""
        per_frame = 1000 / max(self.frames, 1)
        return {stage: round(self.stages.get(stage, 0.0) * per_frame, 3) for stage in STAGES}

    def to_dict(self, tracker: Tracker) -> dict[str, Any]:
        """The summary as JSON can hold it, with versions, models and the configuration."""
        return {
            "source": asdict(self.source),
            "complete": self.error is None,
            "error": self.error,
            "interrupted": self.interrupted,
            "frames": self.frames,
            "last_frame": self.last_frame,
            "last_time": round(self.last_time, 3),
            "stride": self.stride,
            "frames_looked_at": self.looked,
            "frames_dropped": self.dropped,
            "frames_damaged": self.damaged,
            "notes": self.notes,
            "tracks": self.tracks,
            "rows": self.rows,
            "boxes_of_other_classes": dict(self.other_classes.most_common()),
            "embeddings": {"made": self.embedded, "possible": self.embeddable},
            "tracklets_remembered": self.remembered,
            "gallery_run": self.gallery_run,
            "seconds": round(self.seconds, 3),
            "frames_per_second": round(self.frames_per_second, 2),
            "milliseconds_per_frame": self.milliseconds(),
            "outputs": self.outputs,
            "models": tracker.model_names() | ({"detector": self.detections} if self.detections else {}),
            "versions": versions(),
            "configuration": asdict(tracker.config),
        }


def write_begun(summary: Summary, folder: Path) -> None:
    """Takes an earlier run's summary away, and writes what is known of this one before its first frame.

    Without that nobody could tell the times of tracks that are looked at while the run goes on.
    """
    (folder / "summary.json").unlink(missing_ok=True)  # it would speak for this run
    known = {"source": asdict(summary.source), "complete": False, "error": None, "stride": summary.stride}
    with atomic(folder / BEGUN) as part:
        part.write_text(json.dumps(known, indent=2) + "\n", encoding="utf-8")


def write_summary(summary: Summary, tracker: Tracker, folder: Path) -> None:
    """Writes ``summary.json``, whole or not at all, which takes the place of what `write_begun` wrote."""
    try:
        with atomic(folder / "summary.json") as part:
            part.write_text(json.dumps(summary.to_dict(tracker), indent=2) + "\n", encoding="utf-8")
        (folder / BEGUN).unlink(missing_ok=True)
    except OSError:
        if summary.error is None:  # else the disk is full, say, and the run has said so already
            raise
