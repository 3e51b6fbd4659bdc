"""Identities over all videos of a batch, and their tracks with them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from mot_reid.cluster.manifest import Video
from mot_reid.cluster.places import join, plain, read_text, write_text
from mot_reid.gallery.constraints import TravelTimes
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.global_tracks import GLOBAL_FILE, GlobalTracks
from mot_reid.gallery.identifying import Identities
from mot_reid.gallery.sources import source_label
from mot_reid.pipeline.outputs import OFFLINE_FILE

__all__ = ["identify_batch"]


def identify_batch(place: str, videos: Iterable[Video], out: str) -> tuple[Identities, list[str]] | None:
    """Joins everything in a gallery to identities, and writes each video's tracks with them.

    Args:
        place: of the gallery.
        videos: those of the batch, with their cameras' groups; one whose ``tracks.txt`` is missing is passed
            over. What other batches remembered in the gallery is a group by itself, if there are any.
        out: folder or URL of the batch's results.

    Returns:
        The identities, and the files that were written; None where the gallery remembers nobody.

    Raises:
        OSError: a file cannot be written.
        ValueError: a ``tracks.txt`` is broken.
    """
    gallery, out = Gallery(place), plain(out)
    if not gallery.exists() or not len(gallery):
        return None
    videos = list(videos)
    times = TravelTimes(groups={video.camera: video.group for video in videos if video.group})
    found, written = gallery.identify(times=times), []
    everybody = GlobalTracks(found)
    for video in videos:
        text = read_text(join(out, video.name, "tracks.txt"))
        if text is None:
            continue
        rows = np.flatnonzero(found.table.source == source_label(video.source))
        target = join(out, video.name, GLOBAL_FILE)
        write_text(target, everybody.text(text, rows, read_text(join(out, video.name, OFFLINE_FILE))))
        written.append(target)
    return found, written
