"""Who live cameras saw today, over all of them: tracklets in a gallery, joined to identities as they come."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.queries import crop_embedder
from mot_reid.gallery.recorder import TrackletRecorder
from mot_reid.gallery.settings import RecorderSettings
from mot_reid.tracker import Tracker

__all__ = ["LivePeople"]

_SETTINGS = RecorderSettings(patience=4.0, longest=30.0, batch=8, wait=3.0)  # soon seen, soon told
_LEAST_WAIT = 3.0  # seconds between two joinings; ten times as long as one takes, at least
_MOST = 200


class LivePeople:
    """Remembers what live cameras see in a gallery, and says who was seen; safe to use from several threads.

    Args:
        place: of the gallery; the first tracklet makes it, if there is none.
    """

    def __init__(self, place: str | Path) -> None:
        self.place = place
        self._lock = threading.Lock()
        self._gallery: Gallery | None = None
        # Pictures are asked for meanwhile: they have a gallery of their own, which counts its own rows.
        self._faces_lock = threading.Lock()
        self._faces: Gallery | None = None
        self._told: NDArray[np.object_] = np.zeros(0, object)  # records by the rows that were told
        self._joined: NDArray[np.object_] = np.zeros(0, object)  # records that were joined last
        self._next = 0.0

    def recorder(self, camera: str, source: str, tracker: Tracker) -> TrackletRecorder | None:
        """What remembers the tracks of one camera; None where nothing embeds.

        Raises:
            GalleryError: the gallery was made with another embedder.
        """
        if tracker.embedder is None:
            return None
        with self._lock:
            if self._gallery is None:
                self._gallery = Gallery(self.place, tracker.embedder)
            gallery = self._gallery
        return gallery.recorder(
            camera,
            source,
            embed=crop_embedder(tracker.embedder),
            class_names=tracker.class_names,
            epoch=time.time(),
            settings=_SETTINGS,
        )

    def today(self) -> dict[str, Any]:
        """Everybody who was seen since midnight, the last one first, with the names of all their records."""
        now = time.time()
        with self._lock:
            gallery = self._gallery if self._gallery is not None else Gallery(self.place)
            if not gallery.exists():
                return {"people": [], "in_all": 0}
            table = gallery.table()
            known = np.array_equal(table.record, self._joined)
            if not known and len(table) and time.monotonic() >= self._next:
                begin = time.monotonic()
                gallery.identify()
                self._joined = table.record
                self._next = time.monotonic() + max(_LEAST_WAIT, 10 * (time.monotonic() - begin))
            numbers, self._told = gallery.identities(), table.record
        start, end = table.epoch + table.start, table.epoch + table.end
        local = time.localtime(now)
        midnight = time.mktime((*local[:3], 0, 0, 0, 0, 0, -1))
        people: dict[int, list[int]] = {}
        for row in np.flatnonzero(end >= midnight).tolist():
            number = numbers.get(str(table.record[row]))
            if number is not None:
                people.setdefault(number, []).append(row)
        found: list[dict[str, Any]] = []
        for number, rows in people.items():
            order = sorted(rows, key=lambda row: float(start[row]))
            places = [
                {"camera": str(table.camera[row]), "from": float(start[row]), "to": float(end[row])}
                for row in order
            ]
            best = max(rows, key=lambda row: float(table.quality[row]))
            found.append({"number": number, "row": int(best), "places": places[-20:]})
        found.sort(key=lambda person: -max(place["to"] for place in person["places"]))
        told = {person["number"]: person for person in found[:_MOST]}
        for person in told.values():
            person["records"] = []
        for name, number in numbers.items():  # also of earlier days: who is forgotten is, in all
            if number in told:
                told[number]["records"].append(name)
        return {"people": found[:_MOST], "in_all": len(found)}

    def forget(self, records: Sequence[str]) -> int:
        """Removes records from the gallery for good; says how many.

        Args:
            records: their names, as `today` told them.
        """
        with self._lock:
            gallery = self._gallery if self._gallery is not None else Gallery(self.place)
            return gallery.forget(records)

    def crop(self, row: int) -> bytes | None:
        """The best picture of a record, as JPEG; None where it is gone or has none.

        Args:
            row: as `today` told it last.
        """
        told = self._told
        if not 0 <= row < len(told):
            return None
        with self._faces_lock:
            if self._faces is None:
                self._faces = Gallery(self.place)
            found = np.flatnonzero(self._faces.table().record == told[row])
            pictures = [crop for record in self._faces.tracklets(found) for crop in record.crops]
        return max(pictures, key=lambda one: one.quality).jpeg if pictures else None
