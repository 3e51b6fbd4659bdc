"""What a worker does: looks at a video, tracks it, detects ahead in a piece of it."""

from __future__ import annotations

import hashlib
import json
import logging
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mot_reid import __version__
from mot_reid.cluster.manifest import Video
from mot_reid.cluster.pieces import Piece, PieceReader, Progress, read_found, write_found
from mot_reid.cluster.places import (
    PARTIAL,
    fetched,
    is_remote,
    join,
    publish,
    read_text,
    remove,
    stamp,
    write_text,
)
from mot_reid.config import Config, PipelineConfig
from mot_reid.evaluation.fingerprints import weights_digest
from mot_reid.pipeline.run import track_source
from mot_reid.pipeline.steps import detected_steps, open_overlap
from mot_reid.pipeline.summary import Summary
from mot_reid.resources import find_weights
from mot_reid.structures import Detections
from mot_reid.tracker import Tracker
from mot_reid.video.sources import open_source

if TYPE_CHECKING:
    from mot_reid.gallery.recorder import TrackletRecorder

__all__ = [
    "DONE",
    "PIECES",
    "Job",
    "detect_piece",
    "done",
    "fingerprint",
    "probe",
    "progress_of",
    "settings_digest",
    "track_whole",
]

DONE = "job.json"
"""The file by which results count as complete; it names what they were made from."""

PIECES = ".pieces"
"""The folder, inside the output, for what is found ahead in videos that are not tracked yet."""

_FOUND, _AT = "found.npz", "at.json"
_log = logging.getLogger(__name__)


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
        """Where what is found in one piece goes until the video is tracked."""
        return self.piece_file(f"{piece.number:04d}")

    def piece_file(self, name: str) -> str:
        """A file or folder beside these."""
        return join(self.out, PIECES, self.video.name, name)


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


def track_whole(job: Job, cores: int, pieces: tuple[Piece, ...] = ()) -> dict[str, Any]:
    """Tracks a video as ``mot-reid track`` does, and publishes its results.

    Args:
        job: the video.
        cores: how many processor cores it may use.
        pieces: in which others look ahead meanwhile (`detect_piece`); what they found is not looked for
            again.

    Returns:
        Frames, rows, tracks and seconds, and how many pieces others looked at.

    Raises:
        SourceError: the video cannot be read.
        OSError: the results cannot be written.
    """
    read: set[int] = set()

    def read_piece(piece: Piece) -> dict[int, Detections] | None:
        found = _found(job, piece)
        if found is not None:
            read.add(piece.number)
        return found

    with _workplace(job) as folder:
        tracker = _tracker(job.config, cores)
        ahead = PieceReader(pieces, read_piece, partial(_tell, job)) if pieces else None
        with fetched(job.video.source) as path, open_source(path) as source:
            memory, forget_earlier = _memory(job, tracker)
            summary = track_source(source, tracker, folder, memory=memory, found_ahead=ahead)
        forget_earlier()  # not until the others are there
        published = _publish(job, folder, job.place, summary, pieces_ahead=len(read))
    if pieces:
        remove(join(job.out, PIECES, job.video.name))
    return published


def detect_piece(job: Job, piece: Piece, cores: int) -> dict[str, Any]:
    """Detects in a piece of a video that another worker tracks, and publishes what is found for it.

    Returns:
        Frames; none if the video is tracked already.

    Raises:
        SourceError: the video cannot be read, or is shorter than it says.
        OSError: what is found cannot be written.
    """
    tracker = _tracker(job.config, cores)
    with _workplace(job) as folder:
        with ExitStack() as stack:
            path = stack.enter_context(fetched(job.video.source))
            source = stack.enter_context(open_source(path, piece.first, piece.last))
            overlap = stack.enter_context(open_overlap(source, tracker))
            steps = detected_steps(source, tracker, overlap, before=piece.first - 1)
            found = {step.frame.number: step.found for step in steps if step.looked}
        write_found(folder / _FOUND, found)
        if done(job.place, job.fingerprint) is not None:  # it came too late
            return {"frames": 0}
        return _mark(job, folder, job.piece_place(piece), {"frames": len(found)})


def progress_of(job: Job) -> Progress | None:
    """How far the worker is that tracks a video; None while it has told nothing."""
    with suppress(OSError, ValueError, TypeError):
        if text := read_text(job.piece_file(_AT)):
            return Progress(**json.loads(text))
    return None


def _tell(job: Job, progress: Progress) -> None:
    with suppress(OSError):  # without it others choose worse where they detect
        place = job.piece_file(_AT)
        if not is_remote(place):
            Path(place).parent.mkdir(parents=True, exist_ok=True)
        write_text(place, json.dumps(asdict(progress)))


def _found(job: Job, piece: Piece) -> dict[int, Detections] | None:
    """What somebody found in a piece; None while nobody has."""
    place = job.piece_place(piece)
    if done(place, job.fingerprint) is None:
        return None
    try:
        with fetched(join(place, _FOUND)) as path:
            return read_found(path)
    except (OSError, ValueError, KeyError) as error:
        _log.warning("%s: piece %d cannot be read (%s)", job.video.source, piece.number, error)
        return None


@lru_cache(maxsize=1)
def _tracker(config: Config, cores: int) -> Tracker:
    """This worker's tracker: its models are loaded once, for all videos."""
    pipeline = PipelineConfig(overlap=False, threads=1) if cores == 1 else config.pipeline
    tracker = Tracker(config=replace(config, pipeline=pipeline), threads=pipeline.threads or cores)
    tracker.load()
    return tracker


def _memory(job: Job, tracker: Tracker) -> tuple[TrackletRecorder | None, Callable[[], object]]:
    """What remembers the tracklets of a video, and what forgets those that the gallery had of it before.

    Raises:
        GalleryError: the gallery is another embedder's, or nothing embeds.
    """
    if job.gallery is None:
        return None, lambda: None
    from mot_reid.gallery.gallery import Gallery  # takes a moment to load
    from mot_reid.gallery.queries import crop_embedder
    from mot_reid.gallery.sources import records_of, source_label
    from mot_reid.gallery.store import GalleryError

    embedder = tracker.embedder
    if embedder is None:
        raise GalleryError(f"gallery {job.gallery}: needs an embedder")
    gallery = Gallery(job.gallery, embedder)
    earlier, label = records_of(gallery, job.video.source), source_label(job.video.source)
    recorder = gallery.recorder(
        job.video.camera, label, embed=crop_embedder(embedder), class_names=tracker.class_names
    )
    return recorder, lambda: gallery.forget(earlier) if earlier else None


@contextmanager
def _workplace(job: Job) -> Iterator[Path]:
    """A folder for what is not finished, on the results' own disk: it is moved to its place in one step."""
    base = None if is_remote(job.out) else Path(job.out) / PARTIAL
    if base is not None:
        base.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{job.video.name[:40]}-", dir=base))  # of 255 bytes at most
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
