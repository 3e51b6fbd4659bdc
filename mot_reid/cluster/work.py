"""What a worker does: looks at a video, tracks it or a piece of it, puts pieces together."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, astuple, dataclass, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from mot_reid import __version__
from mot_reid.association.candidates import LONGER
from mot_reid.association.looks import Looks
from mot_reid.association.reentry import Neighbours
from mot_reid.cluster.manifest import Video
from mot_reid.cluster.places import PARTIAL, fetched, is_remote, join, publish, read_text, remove, stamp
from mot_reid.cluster.stitching import Piece, Rows, stitched
from mot_reid.config import Config, PipelineConfig
from mot_reid.evaluation.fingerprints import weights_digest
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.queries import crop_embedder
from mot_reid.gallery.recorder import Recorder
from mot_reid.gallery.sources import records_of, source_label
from mot_reid.gallery.store import GalleryError
from mot_reid.pipeline.outputs import open_sinks
from mot_reid.pipeline.run import open_overlap, track_source, tracked_steps
from mot_reid.pipeline.summary import Summary, write_summary
from mot_reid.resources import find_weights
from mot_reid.structures import Tracks
from mot_reid.tracker import Tracker
from mot_reid.video.formats import SinkInfo, chosen_formats
from mot_reid.video.frames import SourceInfo
from mot_reid.video.sources import open_source

__all__ = [
    "DONE",
    "PIECES",
    "Job",
    "done",
    "fingerprint",
    "probe",
    "settings_digest",
    "stitch_pieces",
    "track_piece",
    "track_whole",
]

DONE = "job.json"
"""The file by which results count as complete; it names what they were made from."""

PIECES = ".pieces"
"""The folder, inside the output, for the finished pieces of videos that are not whole yet."""

_ROWS, _LOOKS = "rows.npz", "looks.npz"
_REMEMBER = 20.0  # seconds from look to look: nobody is forgotten sooner


@dataclass(frozen=True)
class Job:
    """One video and what is to come of it.

    Attributes:
        video: which.
        out: folder or URL of all results of the batch.
        config: all settings.
        fingerprint: of the video's content and of all that its results depend on.
        gallery: what remembers the tracklets; None for nobody.
    """

    video: Video
    out: str
    config: Config
    fingerprint: str
    gallery: str | None = None

    @property
    def place(self) -> str:
        """Where its results go."""
        return join(self.out, self.video.name)

    def piece_place(self, piece: Piece) -> str:
        """Where those of one piece go until the video is whole."""
        return join(self.out, PIECES, self.video.name, f"{piece.number:04d}")


def settings_digest(config: Config) -> str:
    """What results depend on besides the video: settings, version, weights; not how a machine is used."""
    plain = asdict(config)
    for part in ("device", "pipeline"):
        plain.pop(part)
    for part in ("detector", "embedder"):
        name = plain[part]["weights"]
        if name != "none":
            plain[part]["sha256"] = weights_digest(find_weights(name, (".onnx", ".pt", ".safetensors")))
    text = json.dumps([plain, __version__], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def fingerprint(video: Video, settings: str) -> str:
    """Names the results of a video under settings (`settings_digest`).

    Raises:
        FileNotFoundError: there is no such video.
    """
    return hashlib.sha256(f"{stamp(video.source)}\0{settings}".encode()).hexdigest()


def done(place: str, wanted: str) -> dict[str, Any] | None:
    """The figures of complete results at a place, if they have the fingerprint wanted; None otherwise."""
    text = read_text(join(place, DONE))
    if text is None:
        return None
    try:
        figures = json.loads(text)
    except ValueError:
        return None
    return figures if isinstance(figures, dict) and figures.get("fingerprint") == wanted else None


def probe(source: str) -> tuple[int | None, float]:
    """How many frames a video says it has, None if it does not say, and its frames a second.

    Raises:
        SourceError: it cannot be opened.
    """
    with fetched(source) as path, open_source(path) as video:
        return video.info.frame_count, video.info.fps


def track_whole(job: Job, cores: int) -> dict[str, Any]:
    """Tracks a video as ``mot-reid track`` does, and publishes its results.

    Args:
        job: the video.
        cores: how many processor cores it may use.

    Returns:
        Frames, rows, tracks and seconds.

    Raises:
        SourceError: the video cannot be read.
        OSError: the results cannot be written.
    """
    with _workplace(job) as folder:
        tracker = _tracker(job.config, cores)
        with fetched(job.video.source) as path, open_source(path) as source:
            summary = track_source(source, tracker, folder, memory=_memory(job, tracker))
        return _publish(job, folder, job.place, summary)


def track_piece(job: Job, piece: Piece, cores: int) -> dict[str, Any]:
    """Tracks a piece of a video, warm-up included, and publishes its rows.

    Returns:
        Frames (without those of the warm-up), rows and seconds.

    Raises:
        SourceError: the video cannot be read.
        OSError: the results cannot be written.
    """
    start, tracker = time.perf_counter(), _tracker(job.config, cores)
    found: list[tuple[int, float, Tracks]] = []
    with _workplace(job) as folder:
        with fetched(job.video.source) as path, open_source(path, piece.warm_up, piece.last) as source:
            tracker.reset(source.info.fps)
            info, counted, last, looked = source.info, 0, 0, 0.0
            looks = tracker.looks()
            with open_overlap(source, tracker) as overlap:
                for step in tracked_steps(source, tracker, overlap, None):
                    frame = step.frame
                    seconds = (frame.number - 1) / info.fps if frame.time is None else frame.time
                    found.append((frame.number, seconds, step.tracks))
                    counted, last = counted + (frame.number >= piece.first), frame.number
                    if seconds - looked > _REMEMBER:
                        looks, looked = looks.after(tracker.looks()), seconds
            looks = looks.after(tracker.looks())
        rows = _rows(found)
        _write_piece(folder, rows, looks)
        figures = {
            "frames": counted,
            "last_frame": last,
            "rows": int(np.count_nonzero(rows.frames >= piece.first)),
            "seconds": time.perf_counter() - start,
            "damaged": source.damaged,
            "embedded": tracker.embedding_counts[0],
            "embeddable": tracker.embedding_counts[1],
            "source": asdict(info),
        }
        return _mark(job, folder, job.piece_place(piece), figures)


def stitch_pieces(job: Job, pieces: tuple[Piece, ...]) -> dict[str, Any]:
    """Puts the finished pieces of a video together, publishes the whole, and removes the pieces.

    Returns:
        Frames, rows, tracks and seconds.

    Raises:
        OSError: a piece cannot be read, or the results cannot be written.
    """
    parts = [done(job.piece_place(piece), job.fingerprint) for piece in pieces]
    missing = [piece.number for piece, part in zip(pieces, parts, strict=True) if part is None]
    if missing:
        raise OSError(f"{job.video.source}: piece {missing[0]} is not there")
    figures = [part for part in parts if part is not None]
    summary = Summary(
        SourceInfo(**(figures[0]["source"] | {"frame_count": sum(f["frames"] for f in figures)}))
    )
    tracker = _tracker(job.config, 1)
    with _workplace(job) as folder:
        with ExitStack() as stack:
            wanted = chosen_formats(job.config.output.formats)
            formats = {name: entry for name, entry in wanted.items() if not entry.pictures}
            source = summary.source
            described = SinkInfo(source.fps, tracker.class_names, source.name, source.width, source.height)
            sinks = open_sinks(formats, folder, described, stack)
            summary.outputs[:] = [path.name for path, _ in sinks]
            association = job.config.association
            longest = LONGER * association.revive.lost_time if association.reentry == "same" else 0.0
            stored = ((piece, _read_rows(job, piece), _read_looks(job, piece)) for piece in pieces)
            for rows in stitched(stored, longest):
                for number, frame in rows.by_frame():
                    tracks = _tracks(frame)
                    summary.count(number, tracks)
                    for _, sink in sinks:
                        sink.write(number, None, tracks, float(frame.times[0]))
        summary.frames, summary.last_frame = summary.source.frame_count or 0, figures[-1]["last_frame"]
        for name in ("seconds", "damaged", "embedded", "embeddable"):
            setattr(summary, name, sum(part[name] for part in figures))
        write_summary(summary, tracker, folder)
        published = _publish(job, folder, job.place, summary, pieces=len(pieces))
    remove(join(job.out, PIECES, job.video.name))
    return published


@lru_cache(maxsize=1)
def _tracker(config: Config, cores: int) -> Tracker:
    """This worker's tracker: its models are loaded once, for all videos."""
    pipeline = PipelineConfig(overlap=False, threads=1) if cores == 1 else config.pipeline
    tracker = Tracker(config=replace(config, pipeline=pipeline), threads=pipeline.threads or cores)
    tracker.load()
    return tracker


def _memory(job: Job, tracker: Tracker) -> Recorder | None:
    """What remembers the tracklets of a video; what an earlier try left in the gallery is forgotten first.

    Raises:
        GalleryError: the gallery is another embedder's, or nothing embeds.
    """
    if job.gallery is None:
        return None
    embedder = tracker.embedder
    if embedder is None:
        raise GalleryError(f"gallery {job.gallery}: needs an embedder")
    gallery = Gallery(job.gallery, embedder)
    if earlier := records_of(gallery, job.video.source):
        gallery.forget(earlier)
    label = source_label(job.video.source)
    return gallery.recorder(
        job.video.camera, label, embed=crop_embedder(embedder), class_names=tracker.class_names
    )


@contextmanager
def _workplace(job: Job) -> Iterator[Path]:
    """A folder for what is not finished, on the results' own disk: it is moved to its place in one step."""
    base = None if is_remote(job.out) else Path(job.out) / PARTIAL
    if base is not None:
        base.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{job.video.name}-", dir=base))
    folder.chmod(0o755)  # mkdtemp's own is for its owner alone
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _publish(job: Job, folder: Path, place: str, summary: Summary, **more: Any) -> dict[str, Any]:
    figures = {name: getattr(summary, name) for name in ("frames", "rows", "tracks", "seconds", "damaged")}
    return _mark(job, folder, place, figures | more)


def _mark(job: Job, folder: Path, place: str, figures: dict[str, Any]) -> dict[str, Any]:
    marked = {"fingerprint": job.fingerprint, "video": job.video.source, **figures}
    (folder / DONE).write_text(json.dumps(marked, indent=2) + "\n", encoding="utf-8")
    publish(folder, place, DONE, job.out)
    return marked


def _rows(found: list[tuple[int, float, Tracks]]) -> Rows:
    seen = [entry for entry in found if len(entry[2])]
    if not seen:
        seen = [(0, 0.0, Tracks.empty())]
    counts = [len(tracks) for _, _, tracks in seen]
    columns = ("ids", "xyxy", "scores", "classes", "detection_index", "id_confidence")
    return Rows(
        np.repeat(np.array([number for number, _, _ in seen], np.int64), counts),
        np.repeat(np.array([seconds for _, seconds, _ in seen], np.float64), counts),
        *(np.concatenate([getattr(tracks, name) for _, _, tracks in seen]) for name in columns),
    )


def _write_piece(folder: Path, rows: Rows, looks: Looks) -> None:
    np.savez(folder / _ROWS, **{item.name: getattr(rows, item.name) for item in fields(rows)})
    nearest = astuple(looks.neighbours)
    np.savez(folder / _LOOKS, ids=looks.ids, embeddings=looks.embeddings, neighbours=nearest)


def _read_rows(job: Job, piece: Piece) -> Rows:
    with fetched(join(job.piece_place(piece), _ROWS)) as path, np.load(path) as arrays:
        return Rows(*(arrays[item.name] for item in fields(Rows)))


def _read_looks(job: Job, piece: Piece) -> Looks:
    with fetched(join(job.piece_place(piece), _LOOKS)) as path, np.load(path) as arrays:
        return Looks(arrays["ids"], arrays["embeddings"], Neighbours(*arrays["neighbours"].tolist()))


def _tracks(rows: Rows) -> Tracks:
    return Tracks(rows.ids, rows.xyxy, rows.scores, rows.classes, rows.detection_index, rows.id_confidence)
