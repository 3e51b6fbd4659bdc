"""One call for a whole source: `track`."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

from mot_reid.config import Config, load_config
from mot_reid.detection.motchallenge import read_detections
from mot_reid.elsewhere import TRACK, names_told
from mot_reid.pipeline.given import matched_to_frames
from mot_reid.pipeline.outputs import first_overwritten
from mot_reid.pipeline.remarks import other_frames, why_nothing
from mot_reid.pipeline.run import track_source
from mot_reid.pipeline.steps import network_threads, open_overlap, tracked_steps
from mot_reid.structures import Detections, Tracks
from mot_reid.tracker import NONE, Tracker
from mot_reid.video.formats import chosen_formats
from mot_reid.video.frames import Frame, Source
from mot_reid.video.sources import open_source

if TYPE_CHECKING:
    from mot_reid.appearance.base import EmbedderLike
    from mot_reid.detection.base import DetectorLike
    from mot_reid.pipeline.summary import Summary

__all__ = ["track"]

_log = logging.getLogger(__name__)

_SETTINGS = ("detector", "embedder", "camera_motion", "config", "device")
Given = Mapping[int, Detections] | str | Path | None


@overload
def track(
    source: str | Path | int | Source,
    output: None = None,
    *,
    tracker: Tracker | None = None,
    detections: Given = None,
    start: int = 1,
    stop: int | None = None,
    stride: int = 1,
    fps: float | None = None,
    formats: Sequence[str] | None = None,
    detector: DetectorLike | str | Path | None = None,
    embedder: EmbedderLike | str | Path | None = None,
    camera_motion: str | Path | None = None,
    config: Config | str | Path | None = None,
    device: str | None = None,
) -> Iterator[tuple[Frame, Tracks]]: ...


@overload
def track(
    source: str | Path | int | Source,
    output: str | Path,
    *,
    tracker: Tracker | None = None,
    detections: Given = None,
    start: int = 1,
    stop: int | None = None,
    stride: int = 1,
    fps: float | None = None,
    formats: Sequence[str] | None = None,
    detector: DetectorLike | str | Path | None = None,
    embedder: EmbedderLike | str | Path | None = None,
    camera_motion: str | Path | None = None,
    config: Config | str | Path | None = None,
    device: str | None = None,
) -> Summary: ...


def track(
    source: str | Path | int | Source,
    output: str | Path | None = None,
    *,
    tracker: Tracker | None = None,
    detections: Given = None,
    start: int = 1,
    stop: int | None = None,
    stride: int = 1,
    fps: float | None = None,
    formats: Sequence[str] | None = None,
    **settings: Any,
) -> Iterator[tuple[Frame, Tracks]] | Summary:
    """Tracks through a source: frame by frame in a loop, or into files.

    Without ``output`` it gives each frame with its tracks, as soon as there are any; with ``output`` it
    writes there what ``mot-reid track`` writes, and returns when all is written::

        for frame, tracks in mot_reid.track("street.mp4"):
            print(frame.number, frame.time, tracks.ids)

        summary = mot_reid.track("street.mp4", output="out", formats=["mot", "csv"])

    Decoding, detection and tracking run ahead of the loop, each in a thread (``output.lag`` seconds more).
    Whoever leaves the loop early ends them; the source is closed then.

    Args:
        source: a video file, a folder of pictures or with one video, a MOTChallenge sequence, a webcam's
            number, a URL, or an open `Source`, which is not closed here.
        output: a folder for the results.
        tracker: what tracks; it is reset first. By default one is made of the settings below.
        detections: of each frame number, or a file in MOTChallenge's format, instead of the detector.
        start: first frame wanted, from 1. An open source brings its own, and ``stop`` and ``fps``, too.
        stop: last frame wanted, included; None for all there are.
        stride: take each ``stride``-th frame; with an open source it says what that one's is.
        fps: frames a second: of a folder of pictures, or where a video says them wrong.
        formats: what is written, such as ``["mot", "csv"]``; by default ``output.formats`` of the settings.
        settings: ``detector``, ``embedder``, ``camera_motion``, ``config`` and ``device``, as for `Tracker`;
            all else goes into ``config``, such as ``load_config(None, ["detector.classes=[person, car]"])``.

    Returns:
        An iterator of frames and their tracks; or, with ``output``, the summary that ``summary.json`` holds.

    Raises:
        FileNotFoundError: weights, a configuration or a file of detections does not exist.
        OSError: an output cannot be written, or another run is writing there.
        SourceError: the source cannot be opened, or breaks off.
        TypeError: an argument has the wrong type, or settings are given beside a tracker.
        ValueError: a setting is out of range or does not exist.
    """
    _require_known(settings, tracker)
    if tracker is not None and (names := [name for name, value in settings.items() if value is not None]):
        raise TypeError(f"{', '.join(names)}: the tracker brings its own; give either it or these")
    if formats is not None and output is None:
        raise TypeError("formats: they are written to a folder; give output=")
    if isinstance(source, Source) and (fps is not None or (start, stop) != (1, None)):
        raise TypeError("start, stop, fps: an open source has its own; give them to open_source")
    given, detections_from = _given(detections, output)
    frames: Iterator[tuple[Frame, Tracks]] | None = None
    opened = (
        source if isinstance(source, Source) else open_source(_name(source), start, stop, stride, fps=fps)
    )
    try:
        made = tracker or _tracker(settings, live=opened.info.live, detects=given is None)
        if output is None:
            frames = _frames(opened, made, given, close=opened is not source)
            return frames
        kept = made.config
        try:
            made.config = kept if formats is None else _with_formats(kept, formats)
            summary = track_source(
                opened, made, output, stride=stride, detections=given, detections_from=detections_from
            )
            _tell(summary, kept, given, all_wanted=(start, stop, stride) == (1, None, 1))
            return summary
        finally:
            made.config = kept
    finally:
        if frames is None and opened is not source:
            opened.close()


def _require_known(settings: Mapping[str, Any], tracker: object) -> None:
    """Refuses what is no setting, such as ``classes``, or no tracker, and says where such are given."""
    if not isinstance(tracker, Tracker | None):
        raise TypeError(
            f"tracker: expected a Tracker, got {type(tracker).__name__}; a known method is config='bytetrack'"
        )
    if names := [name for name in settings if name not in _SETTINGS]:
        if told := names_told(names, TRACK):
            raise TypeError(told)
        raise TypeError(
            f"{', '.join(names)}: not known; settings are {', '.join(_SETTINGS)}, all others as in "
            "config=mot_reid.load_config(None, ['detector.classes=[person, car]', 'detector.score=0.3'])"
        )


def _name(source: str | Path | int) -> str | Path:
    if isinstance(source, bool) or not isinstance(source, str | Path | int):
        raise TypeError(
            f"source: expected a file, folder, webcam number, URL or Source, got {type(source).__name__}"
            "; Tracker.update takes frames of your own"
        )
    return str(source) if isinstance(source, int) else source


def _given(detections: Given, output: str | Path | None) -> tuple[Mapping[int, Detections] | None, str]:
    """Detections by frame, and where they come from."""
    if not isinstance(detections, str | Path):
        if detections is not None and not isinstance(detections, Mapping):
            raise TypeError(
                f"detections: expected a file, or a dict of Detections by frame number, "
                f"got {type(detections).__name__}"
            )
        return detections, ""
    if output is not None and first_overwritten([Path(output)], [detections]) is not None:
        raise ValueError(f"{detections}: would be overwritten by the results; choose another output folder")
    return read_detections(Path(detections)), f"{Path(detections).name} (file)"


def _tell(
    summary: Summary, config: Config, given: Mapping[int, Detections] | None, *, all_wanted: bool
) -> None:
    for text in (other_frames(summary, given, all_wanted=all_wanted), why_nothing(summary, config)):
        if text is not None:
            _log.warning("%s: %s", summary.source.name, text)


def _tracker(settings: Mapping[str, Any], *, live: bool, detects: bool) -> Tracker:
    """A tracker with its models loaded."""
    if not detects and settings.get("detector") is None:
        settings = {**settings, "detector": NONE}
    config = settings.get("config")
    read = config if isinstance(config, Config) else load_config(config)
    threads = network_threads(read, live=live, detects=detects)
    made = Tracker(**{**settings, "config": read}, threads=threads)
    made.load(detector=detects)
    return made


def _with_formats(config: Config, formats: Sequence[str]) -> Config:
    if isinstance(formats, str):
        raise TypeError(f"formats: expected a list such as ['mot', 'csv'], got {formats!r}")
    chosen_formats(formats)
    return replace(config, output=replace(config.output, formats=tuple(formats)))


def _frames(
    source: Source,
    tracker: Tracker,
    detections: Mapping[int, Detections] | None,
    *,
    close: bool,
) -> Iterator[tuple[Frame, Tracks]]:
    tracker.reset(source.info.fps)
    try:
        given = None if detections is None else matched_to_frames(detections, source)
        with open_overlap(source, tracker) as overlap:
            for step in tracked_steps(source, tracker, overlap, given):
                yield step.frame, step.tracks
    finally:
        if close:
            source.close()
