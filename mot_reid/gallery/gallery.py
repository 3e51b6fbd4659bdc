"""A gallery: tracklets of any number of videos, remembered, found again, and joined to people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from mot_reid.appearance.base import Embedder, EmbedderLike, as_embedder
from mot_reid.gallery.at_hand import embedder_at_hand
from mot_reid.gallery.by_hand import SourceCorrections, by_hand
from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.constraints import TravelTimes
from mot_reid.gallery.documents import (
    IDENTITIES,
    forget_records,
    keep_correction,
    keep_identities,
    older_records,
    read_corrections,
)
from mot_reid.gallery.filters import Filter, records_named, rows_of_track
from mot_reid.gallery.finding import CALIBRATION, Hits, calibration_of, described, find_person, named_means
from mot_reid.gallery.fingerprint import embedder_fingerprint
from mot_reid.gallery.identifying import Identities, identify_records, read_identities
from mot_reid.gallery.online import OnlineIdentities
from mot_reid.gallery.opening import StoreKind, find_store, gallery_exists, open_store, require_place
from mot_reid.gallery.presence import not_to_find
from mot_reid.gallery.queries import crop_embedder, embedded_query
from mot_reid.gallery.recorder import EmbedCrops, TrackletRecorder
from mot_reid.gallery.records import Tracklet
from mot_reid.gallery.search import SearchSettings, liked
from mot_reid.gallery.settings import IdentifySettings, RecorderSettings
from mot_reid.gallery.store import GalleryError, GalleryInfo, RecordTable, Store
from mot_reid.gallery.transfer import export_store, merge_store
from mot_reid.structures import Detections
from mot_reid.typing import Image, Indices

__all__ = ["Gallery"]


class Gallery:
    """Tracklets remembered, in a folder or a LanceDB.

    Several processes may use one gallery at the same time. Pictures of people lie in it: `forget` and
    `forget_older` remove what is about them for good.

    Args:
        place: the folder, or for LanceDB also an address such as ``s3://bucket/shop``.
        embedder: the embedder whose embeddings are or will be in it, or its weights; only needed to make a
            new gallery or to search by picture; by default one that ships. Weights are loaded when needed.
        store: ``"folder"`` or ``"lance"``, of a new gallery.

    Raises:
        GalleryError: it cannot be read, or its embeddings are another embedder's.

    Example:
        >>> gallery = Gallery("shop")  # doctest: +SKIP
        >>> for hit in gallery.search(image, top=10): print(hit.camera, hit.track_id)  # doctest: +SKIP
    """

    def __init__(
        self,
        place: str | Path,
        embedder: EmbedderLike | str | Path | None = None,
        store: StoreKind | None = None,
    ) -> None:
        self.place = place
        self._kind: StoreKind | None = store
        self._weights = embedder if isinstance(embedder, str | Path) else None
        self._embedder = None if isinstance(embedder, str | Path | None) else as_embedder(embedder)
        self._tracker: Any = None
        self._store = find_store(place, store)
        if self._store is not None and self._embedder is not None:
            self.require_embedder(self._embedder)

    def __repr__(self) -> str:
        return f"Gallery({str(self.place)!r})"

    def __len__(self) -> int:
        return len(self.store.table())

    def exists(self) -> bool:
        """Whether there is a gallery; the first record that is added makes it, also where it was deleted."""
        return ("://" in str(self.place) and self._store is not None) or gallery_exists(self.place)

    @property
    def store(self) -> Store:
        """Where the records lie.

        Raises:
            GalleryError: there is no gallery yet, or no longer.
        """
        self._store = (self._store if self.exists() else None) or open_store(self.place)
        return self._store

    @property
    def embedder(self) -> Embedder:
        """What embeds pictures of people to search for; loaded if need be.

        Raises:
            GalleryError: it is not the one that the gallery was made with.
        """
        if self._embedder is None:
            found = embedder_at_hand(self._weights, self.store.info if self.exists() else None)
            if self.exists():
                self.require_embedder(found)
            self._embedder = found
        return self._embedder

    def require_embedder(self, embedder: Any) -> None:
        """Makes sure that an embedder's embeddings can be compared with those in the gallery.

        Raises:
            GalleryError: they cannot; the message names both embedders.
        """
        info = self.store.info
        name, fingerprint = embedder_fingerprint(embedder)
        if fingerprint != info.fingerprint:
            raise GalleryError(
                f"{self.place}: made with the embedder {info.embedder} ({info.fingerprint[:12]}), not with"
                f" {name} ({fingerprint[:12]}); they cannot be compared: use that one, or a new gallery, as"
                f" `mot-reid gallery {self.place} embed NEW` makes of the pictures in this one"
            )

    def add(self, records: Sequence[Tracklet]) -> None:
        """Adds records, all or none.

        Raises:
            GalleryError: there is no gallery yet and no embedder was given to make one with, or the
                embeddings do not fit.
            OSError: they cannot be written; what was there stays.
        """
        if not records:
            return
        self.create(len(records[0].mean))
        store = self.store  # asks the disk each time
        expected = store.info.dimension
        if other := {len(record.mean) for record in records} - {expected}:
            raise GalleryError(f"{self.place}: embeddings of {expected} numbers, got {min(other)}")
        store.append(records)

    def create(self, dimension: int) -> None:
        """Makes the gallery for the embedder's embeddings, if there is none."""
        if self._store is None or not self.exists():
            info = GalleryInfo(*embedder_fingerprint(self.embedder), dimension)
            self._store = open_store(self.place, info, self._kind)
            self.require_embedder(self.embedder)  # another process may have been faster

    def recorder(
        self,
        camera: str,
        source: str = "",
        *,
        embed: bool | EmbedCrops = True,
        class_names: Mapping[int, str] | None = None,
        epoch: float = float("nan"),
        settings: RecorderSettings | None = None,
        online: OnlineIdentities | None = None,
    ) -> TrackletRecorder:
        """What collects the tracklets of one source while it is tracked; makes the gallery's folder.

        Args:
            camera: its name.
            source: the file, folder or address that is tracked; by default the camera's name.
            embed: whether the gallery's embedder looks at tracks with too few embeddings; or what does.
            class_names: of class numbers.
            epoch: seconds since 1970 (UTC) at the source's start; NaN where nobody knows.
            settings: what is kept.
            online: says who is who meanwhile, see `mot_reid.gallery.live.online_identities`.

        Raises:
            ImportError, OSError: the gallery could not be made or written, see `require_place`.

        Example:
            >>> with gallery.recorder("door") as recorder:  # doctest: +SKIP
            ...     for number, frame in enumerate(frames, start=1):
            ...         tracks = tracker.update(frame)
            ...         recorder.update(tracks, frame, number, tracker.time, tracker.last_embeddings)
        """
        require_place(self.place, self._kind)
        own = crop_embedder(self.embedder) if embed is True else None
        maker: EmbedCrops | None = own if isinstance(embed, bool) else embed
        return TrackletRecorder(
            lambda records: self.add(records),
            camera,
            source or camera,
            embed=maker,
            class_names=class_names,
            epoch=epoch,
            settings=settings,
            online=online,
        )

    def table(self) -> RecordTable:
        """All records but their vectors and pictures."""
        return self.store.table()

    def tracklets(self, rows: Indices | Sequence[int], crops: bool = True) -> list[Tracklet]:
        """Whole records of rows of the last `table`; an IndexError names a row that it has not."""
        return self.store.tracklets(np.asarray(rows, np.intp), crops)

    def find(self, label: str, table: RecordTable | None = None) -> Indices:
        """The rows of `table` that ``camera:track``, or ``camera:track.part``, means.

        A track id is one track within a run only: ``camera:track@run`` names that, or its name's beginning.

        Raises:
            ValueError: the label is none.
            GalleryError: there is no such record, or several runs have one.
        """
        return rows_of_track(self.table() if table is None else table, label, str(self.place))

    def forget(self, records: Sequence[str]) -> int:
        """Removes records, their pictures, embeddings and all that is said of them, for good; says how many.

        Args:
            records: their names (`Tracklet.record`); those that are not there do not count. Or tracks, such
                as ``"door:17"``, which must be there (GalleryError).
        """
        return forget_records(self.store, records_named(self.table(), records, str(self.place)))

    def forget_older(self, days: float, now: float) -> int:
        """Removes what ended more than some days ago; where the clock is not known, what was added then.

        Args:
            days: how long records are kept.
            now: seconds since 1970.
        """
        return self.forget(older_records(self.table(), days, now))

    def merge(self, other: Gallery) -> int:
        """Takes in all records of another gallery, and what was said about them; says how many.

        Records that are here already stay as they are.

        Raises:
            GalleryError: its embeddings are another embedder's.
        """
        if not self.exists():
            self._store = open_store(self.place, other.store.info, self._kind)
        return merge_store(self.store, other.store)

    def export(self, folder: str | Path) -> list[Path]:
        """Writes everything as plain files: ``tracklets.csv``, ``embeddings.npy`` and pictures in ``crops/``.

        Row i of ``embeddings.npy`` ``(N, D)`` is the mean embedding of line i of the table.
        A folder in which something is already is refused with a `GalleryError`.
        """
        return export_store(self.store, Path(folder))

    @property
    def calibration(self) -> Calibration:
        """What turns likeness into probability; its fingerprint says for which embedder."""
        return calibration_of(self.store)

    def calibrate(self, calibration: Calibration) -> None:
        """Keeps a calibration with the gallery; it goes before those that ship."""
        self.store.write_document(CALIBRATION, calibration.to_json())

    def search(
        self,
        query: NDArray[Any] | Sequence[NDArray[Any]] | Tracklet | str,
        top: int = 10,
        *,
        box: Sequence[float] | None = None,
        camera: str | None = None,
        cameras: Sequence[str] | None = None,
        after: float | None = None,
        before: float | None = None,
        like: Sequence[str] = (),
        unlike: Sequence[str] = (),
        settings: SearchSettings | None = None,
    ) -> Hits:
        """Finds the tracklets that show a person.

        Args:
            query: a picture ``(H, W, 3)`` uint8 BGR, several of one person, embeddings ``(Q, D)`` float32, a
                `Tracklet`, or a track such as ``"a:17"``, not found itself, nor who is seen beside it.
            top: how many hits.
            box: ``x1, y1, x2, y2`` of the person in the picture; by default the detector finds who is in it.
            camera: where the pictures come from, if it is a camera of the gallery.
            cameras: only these.
            after: seconds from the source's start, or since 1970, at which a tracklet must still be seen.
            before: likewise, at which it must have been seen.
            like: names of records, or tracks such as ``"a:17"``, that show the person, too.
            unlike: likewise, that do not.
            settings: the defaults where None.

        Returns:
            Hits, the best first; ``absent`` is the probability that the person is not among those searched.

        Raises:
            ValueError: the query, ``top`` or a time is none; `PictureError`: it shows nobody or several.
            GalleryError: there is no such track or camera, or the gallery is another embedder's.
        """
        table = self.table()
        like, unlike = (records_named(table, names, str(self.place)) for names in (like, unlike))
        without, track = list(like), None
        if isinstance(query, str) and ":" in query:
            track = self.find(query, table)
            camera = camera or str(table.camera[track[0]])
            without += not_to_find(self.store, table, track)
            queries = self.store.means(track)
        else:
            length = self.store.info.dimension
            queries = embedded_query(query, box, lambda: self.embedder, self.detect, length)
            if isinstance(query, Tracklet):
                camera = camera or query.camera
                without.append(query.record)
        if like or unlike:
            queries = liked(queries, *named_means(self.store, table, like, unlike))
        without += unlike
        return find_person(
            self.store,
            queries,
            self.calibration,
            camera=camera,
            top=top,
            where=Filter(cameras, after, before, without=without),
            identities=self.identities(),
            settings=settings,
            table=table,
            track=track,
        )

    def detect(self, picture: Image) -> Detections:
        """Finds people in a query picture with the default detector, loaded if need be."""
        if self._tracker is None:
            from mot_reid.tracker import Tracker

            self._tracker = Tracker(embedder="none")
        return self._tracker.detect(picture)

    def describe(
        self,
        text: str,
        top: int = 10,
        *,
        cameras: Sequence[str] | None = None,
        after: float | None = None,
        before: float | None = None,
    ) -> Hits:
        """Finds the tracklets that fit a description, such as ``"red top, backpack"``.

        Raises:
            GalleryError: the gallery's embedder gives no attributes, or none is called so.
        """
        return described(self.store, self.table(), text, top, Filter(cameras, after, before))

    def identify(
        self,
        false_links: float = 0.05,
        *,
        times: TravelTimes | None = None,
        settings: IdentifySettings | None = None,
        corrected: Mapping[str, SourceCorrections] | None = None,
        online: Mapping[str, int] | None = None,
    ) -> Identities:
        """Joins all records to identities, and keeps that beside them.

        Args:
            false_links: largest share of wrong links among those made, as expected.
            times: what is known of the ways between cameras.
            settings: all others.
            corrected: what was corrected on the tracks of sources, by run (`Tracklet.run`) or camera.
            online: numbers that records got while they ran, by name: they stay where that can be.
        """
        chosen, kept = replace(settings or IdentifySettings(), false_links=false_links), self.corrections()
        before, table = dict(online or {}) | self.identities(), self.table()
        said = by_hand(self.store, corrected, lambda: self.embedder, table) if corrected else None
        found = identify_records(self.store, table, self.calibration, kept, before, times, chosen, said)
        keep_identities(self.store, found.to_csv(), found.views, table.record.tolist())
        return found

    def identities(self) -> dict[str, int]:
        """The identity of each record by name, as the last `identify` gave it; empty before."""
        return read_identities(self.store.read_document(IDENTITIES), f"{self.place}/{IDENTITIES}")

    def say(self, kind: Literal["one", "two"], first: str, second: str) -> None:
        """Keeps that two records are one person or two; `identify` obeys it from then on.

        Args:
            kind: ``"one"`` or ``"two"``; what is said later of the same two counts.
            first: name of a record (`Tracklet.record`).
            second: of another one.
        """
        keep_correction(self.store, kind, first, second)

    def corrections(self) -> dict[tuple[str, str], str]:
        """What `say` kept: ``"one"`` or ``"two"`` by the two records' names, which are in order.

        Raises:
            GalleryError: a line of it is broken.
        """
        return read_corrections(self.store)
