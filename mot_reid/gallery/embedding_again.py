"""A gallery's records embedded again by another embedder, from the pictures that are kept of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from mot_reid.gallery.documents import copy_documents
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.pooling import medoids, weighted_mean
from mot_reid.gallery.queries import crop_embedder
from mot_reid.gallery.recorder import EmbedCrops
from mot_reid.gallery.records import Crop, Tracklet
from mot_reid.gallery.settings import RecorderSettings
from mot_reid.typing import Image

__all__ = ["embed_again"]

_AT_ONCE = 64


def embed_again(
    gallery: Gallery, into: Gallery, tell: Callable[[int, int], None] = lambda done, total: None
) -> tuple[int, int]:
    """Adds the records of a gallery to another one, embedded by that one's embedder.

    Their names, and what was said about them, stay. A record that is there already stays as it is; one of
    which no picture was kept cannot be embedded and is left out.

    Args:
        gallery: with the records.
        into: another gallery, that of the embedder; made if there is none.
        tell: called with how many records are done, and how many there are to do.

    Returns:
        How many records were added, and how many were left out.

    Raises:
        GalleryError: one of them cannot be read, or is another embedder's than it was opened with.
        OSError: it cannot be written.
    """
    embed, table = crop_embedder(into.embedder), gallery.table()
    there = set(into.table().record.tolist()) if into.exists() else set()
    new = np.flatnonzero([name not in there for name in table.record.tolist()])
    added, gone = 0, set()
    for first in range(0, len(new), _AT_ONCE):
        records = gallery.tracklets(new[first : first + _AT_ONCE])
        made = [other for record in records if (other := _again(record, embed)) is not None]
        into.add(made)
        added += len(made)
        gone |= {record.record for record in records} - {record.record for record in made}
        tell(first + len(records), len(new))
    if into.exists():
        copy_documents(gallery.store, into.store, gone)
    return added, len(gone)


def _again(record: Tracklet, embed: EmbedCrops) -> Tracklet | None:
    """A record with embeddings of its pictures alone; None where it has none."""
    settings = RecorderSettings()
    seen = [(crop, picture) for crop in record.crops if (picture := _decoded(crop)) is not None]
    if not seen:
        return None
    found = embed([picture for _, picture in seen])
    quality = np.array([crop.quality for crop, _ in seen])
    different = medoids(found, quality, settings.medoids, settings.apart)
    mean = weighted_mean(found, quality)
    return replace(record, mean=mean, medoids=found[different], views=len(seen), attributes={})


def _decoded(crop: Crop) -> Image | None:
    import cv2

    data = np.frombuffer(crop.jpeg, np.uint8)
    picture = cv2.imdecode(data, cv2.IMREAD_COLOR) if len(data) else None
    return None if picture is None else np.asarray(picture, np.uint8)
