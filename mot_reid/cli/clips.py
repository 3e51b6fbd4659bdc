"""The hits of a search cut out of their videos."""

from collections.abc import Sequence
from pathlib import Path

import typer

from mot_reid.files import atomic
from mot_reid.gallery.finding import Hit
from mot_reid.structures import Tracks
from mot_reid.video.frames import SourceError
from mot_reid.video.sources import is_live, open_source, safe_name
from mot_reid.video.video_sink import VideoSink

__all__ = ["write_clips"]

LEAST = 0.005
"""Probability below which a hit is shown as one of 0.00, and is not worth a clip."""

_LONGEST = 60  # characters of a label in a file's name, which disks take up to 255 bytes long


def write_clips(hits: Sequence[Hit], folder: Path) -> list[Path]:
    """Writes ``RANK-CAMERA-ID.mp4`` of each hit, but for those that are not the person by any chance.

    One whose video is gone, breaks off or was live is left out and told.
    """
    written = []
    for rank, hit in enumerate(hits, start=1):
        if hit.probability < LEAST:
            continue
        if is_live(hit.source):  # it would show what is there now
            typer.echo(f"warning: no clip of {hit.label}: {hit.source} is live", err=True)
            continue
        path = folder / f"{rank:02d}-{safe_name(hit.label)[-_LONGEST:]}.mp4"
        try:
            with (
                open_source(hit.source, hit.first_frame, hit.last_frame) as source,
                atomic(path) as part,  # a part of a clip would look like a whole one
                VideoSink(part, source.info.fps) as sink,
            ):
                for frame in source:
                    sink.write(frame.number, frame.image, Tracks.empty(), frame.time)
        except (SourceError, OSError) as error:
            typer.echo(f"warning: no clip of {hit.label}: {error}", err=True)
            continue
        written.append(path)
    return written
