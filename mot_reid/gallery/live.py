"""Identities while sources run, beside what a gallery remembers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from mot_reid.gallery.finding import find_calibration
from mot_reid.gallery.fingerprint import embedder_fingerprint
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.online import IdentityEvent, OnlineIdentities, OnlineSettings

__all__ = ["online_identities"]


def online_identities(
    gallery: Gallery,
    false_links: float = 0.05,
    tell: Callable[[IdentityEvent], None] = lambda event: None,
    settings: OnlineSettings | None = None,
    without: Sequence[str] = (),
) -> OnlineIdentities:
    """What says who is who while sources run; it knows those whom the gallery has identified.

    Args:
        gallery: whose recorders will ask it (`Gallery.recorder`).
        false_links: largest probability of being wrong at which an identity is committed or two are merged.
        tell: called with each event, in the thread of the source that showed it.
        settings: all others.
        without: names of records that are not to be compared with.

    Example:
        >>> online = online_identities(gallery, tell=print)  # doctest: +SKIP
        >>> door = gallery.recorder("door", online=online)  # doctest: +SKIP
        >>> hall = gallery.recorder("hall", online=online)  # doctest: +SKIP
        >>> door.update(tracks, frame, number, time, tracker.last_embeddings)  # doctest: +SKIP
        >>> door.identities  # of tracks, row by row  # doctest: +SKIP
    """
    base = settings or OnlineSettings()
    chosen = OnlineSettings(false_links, base.views, base.patience, base.tolerance, base.remembered)
    if not gallery.exists():
        name, fingerprint = embedder_fingerprint(gallery.embedder)
        return OnlineIdentities(find_calibration(fingerprint, name), chosen, tell)
    known, table = gallery.identities(), gallery.table()
    # Also of those who are not compared with: nobody new gets the number of one of them.
    online = OnlineIdentities(gallery.calibration, chosen, tell, max(known.values(), default=0) + 1)
    compared = list(known.keys() - set(without))
    rows = np.flatnonzero(np.isin(table.record.astype(str), compared))[-chosen.remembered :]
    for row, mean in zip(rows.tolist(), gallery.store.means(rows), strict=True):
        name = str(table.record[row])
        span = float(table.start[row]), float(table.end[row])
        # One record is one track here: parts of a track have their own names.
        online.remember(
            f"{table.run[row]} {name}",
            str(table.camera[row]),
            int(table.track_id[row]),
            span,
            mean,
            known[name],
        )
    return online
