"""A gallery: tracklets of any number of videos, remembered, found again, and joined to people."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from mot_reid.gallery.fingerprint import embedder_fingerprint
from mot_reid.gallery.recorder import EmbedCrops, Recorder, RecorderSettings
from mot_reid.gallery.records import Tracklet, parse_track
from mot_reid.gallery.store import GalleryError, GalleryInfo, RecordTable, Store

if TYPE_CHECKING:
    from mot_reid.appearance.embedder import Embedder

__all__ = ["Gallery", "StoreKind", "crop_embedder", "open_store"]

StoreKind = Literal["folder", "lance"]

IDENTITIES = "identities.csv"
CORRECTIONS = "corrections.jsonl"


def open_store(place: str | Path, info: GalleryInfo | None = None, kind: StoreKind | None = None) -> Store:
    """Opens the store of a gallery, or makes one.

    Args:
        place: a folder, or for LanceDB also an address such as ``s3://bucket/shop``.
        info: of a new gallery; None to open one that exists.
        kind: of a new gallery, by default a folder of numpy and Parquet files; one that exists says itself.

    Raises:
        GalleryError: there is no gallery and no ``info``, or it is of another kind.
        ImportError: a package is not installed; the message names the extra.
    """
    address = "://" in str(place)
    exists = "lance" if address or (Path(place) / "records.lance").is_dir() else None
    if exists is None and (Path(place) / "gallery.json").is_file():
        exists = "folder"
    if exists is not None and kind is not None and kind != exists:
        raise GalleryError(f"{place}: a gallery of kind {exists}, expected {kind}")
    if (exists or kind) == "lance":
        from mot_reid.gallery.lance_store import LanceStore

        return LanceStore(str(place), info)
    from mot_reid.gallery.folder_store import FolderStore

    return FolderStore(place, info)


class Gallery:
    """Tracklets remembered, in a folder or a LanceDB.

    Several processes may use one gallery at the same time. Pictures of people lie in it: `forget` and
    `forget_older` remove what is about them for good.

    Args:
        place: the folder, or for LanceDB also an address such as ``s3://bucket/shop``.
        embedder: the embedder whose embeddings are or will be in it; only needed to make a new gallery or to
            search by picture; by default the shipped one, loaded when first needed.
        store: ``"folder"`` or ``"lance"``, of a new gallery.

    Raises:
        GalleryError: it cannot be read, or its embeddings are another embedder's.

    Example:
        >>> gallery = Gallery("shop")  # doctest: +SKIP
        >>> for hit in gallery.search(image, top=10): print(hit.camera, hit.track_id)  # doctest: +SKIP
    """

    def __init__(
        self, place: str | Path, embedder: Embedder | None = None, store: StoreKind | None = None
    ) -> None:
        self.place = place
        self._kind: StoreKind | None = store
        self._embedder = embedder
        self._store: Store | None = None
        if _exists(place):
            self._store = open_store(place, kind=store)
        if self._store is not None and embedder is not None:
            self.require_embedder(embedder)

    def __repr__(self) -> str:
        return f"Gallery({str(self.place)!r})"

    def __len__(self) -> int:
        return len(self.store.table())

    def exists(self) -> bool:
        """Whether there is a gallery yet; the first record that is added makes it."""
        return self._store is not None or _exists(self.place)

    @property
    def store(self) -> Store:
        """Where the records lie.

        Raises:
            GalleryError: there is no gallery yet.
        """
        if self._store is None:
            self._store = open_store(self.place)
        return self._store

    @property
    def embedder(self) -> Embedder:
        """What embeds pictures of people to search for; loaded if need be.

        Raises:
            GalleryError: it is not the one that the gallery was made with.
        """
        if self._embedder is None:
            from mot_reid.appearance.embedder import NetworkEmbedder

            self._embedder = NetworkEmbedder()
            if self._store is not None:
                self.require_embedder(self._embedder)
        return self._embedder

    def require_embedder(self, embedder: Any, dimension: int | None = None) -> None:
        """Makes sure that an embedder's embeddings can be compared with those in the gallery.

        Raises:
            GalleryError: they cannot; the message names both embedders.
        """
        info = self.store.info
        name, fingerprint = embedder_fingerprint(embedder)
        if fingerprint != info.fingerprint:
            raise GalleryError(
                f"{self.place}: made with the embedder {info.embedder} ({info.fingerprint[:12]}), not with"
                f" {name} ({fingerprint[:12]}); they cannot be compared: use that one, or a new gallery"
            )
        if dimension is not None and dimension != info.dimension:
            raise GalleryError(f"{self.place}: embeddings of {info.dimension} numbers, got {dimension}")

    def add(self, records: Sequence[Tracklet]) -> None:
        """Adds records, all or none.

        Raises:
            GalleryError: there is no gallery yet and no embedder was given to make one with, or the
                embeddings do not fit.
            OSError: they cannot be written; what was there stays.
        """
        if not records:
            return
        dimension = len(records[0].mean)
        if not self.exists():
            self.create(dimension)
        for record in records:
            if len(record.mean) != self.store.info.dimension:
                expected = self.store.info.dimension
                raise GalleryError(f"{self.place}: embeddings of {expected} numbers, got {len(record.mean)}")
        self.store.append(records)

    def create(self, dimension: int) -> None:
        """Makes the gallery for the embedder's embeddings, if there is none."""
        if self._store is None:
            name, fingerprint = embedder_fingerprint(self.embedder)
            info = GalleryInfo(name, fingerprint, dimension)
            self._store = open_store(self.place, info, self._kind)

    def recorder(
        self,
        camera: str,
        source: str = "",
        *,
        embed: bool | EmbedCrops = True,
        class_names: Mapping[int, str] | None = None,
        epoch: float = float("nan"),
        settings: RecorderSettings | None = None,
    ) -> Recorder:
        """What collects the tracklets of one source while it is tracked.

        Args:
            camera: its name.
            source: the file, folder or address that is tracked; by default the camera's name.
            embed: True: the gallery's embedder embeds the best pictures of tracks of which too few embeddings
                came; False: nobody does; or what shall do so.
            class_names: of class numbers.
            epoch: seconds since 1970 (UTC) at the source's start; NaN where nobody knows.
            settings: what is kept.

        Example:
            >>> with gallery.recorder("door") as recorder:  # doctest: +SKIP
            ...     for number, frame in enumerate(frames, start=1):
            ...         tracks = tracker.update(frame)
            ...         recorder.update(tracks, frame, number, number / 25, tracker.last_embeddings)
        """
        maker: EmbedCrops | None = None
        if not isinstance(embed, bool):
            maker = embed
        elif embed:
            maker = crop_embedder(self.embedder)
        return Recorder(
            lambda records: self.add(records),
            camera,
            source or camera,
            embed=maker,
            class_names=class_names,
            epoch=epoch,
            settings=settings,
        )

    def table(self) -> RecordTable:
        """All records but their vectors and pictures."""
        return self.store.table()

    def tracklets(self, rows: NDArray[np.intp] | Sequence[int], crops: bool = True) -> list[Tracklet]:
        """Whole records of rows of `table`."""
        return self.store.tracklets(np.asarray(rows, np.intp), crops)

    def find(self, label: str, table: RecordTable | None = None) -> NDArray[np.intp]:
        """The rows of `table` that ``camera:track`` or ``camera:track.part`` means.

        A track id is one track within a run only; if several runs of the camera have it, all are meant.

        Raises:
            ValueError: the label is none.
            GalleryError: there is no such record.
        """
        camera, track, part = parse_track(label)
        table = self.table() if table is None else table
        chosen = (table.camera == camera) & (table.track_id == track)
        if part is not None:
            chosen &= table.part == part
        if not chosen.any():
            cameras = ", ".join(sorted(set(table.camera.tolist()))) or "none"
            raise GalleryError(f"{self.place}: no track {label} in it (cameras: {cameras})")
        return np.flatnonzero(chosen)

    def forget(self, records: Sequence[str]) -> int:
        """Removes records, their pictures, embeddings and all that is said of them, for good.

        Args:
            records: their names (`Tracklet.record`).

        Returns:
            How many there were.
        """
        gone = set(records)
        for name in (IDENTITIES, CORRECTIONS):
            text = self.store.read_document(name)
            if text and any(record in text for record in gone):
                lines = [line for line in text.splitlines() if not any(record in line for record in gone)]
                self.store.write_document(name, "".join(line + "\n" for line in lines))
        return self.store.remove(list(records))

    def forget_older(self, days: float, now: float) -> int:
        """Removes what ended more than some days ago; where the clock is not known, what was added then.

        Args:
            days: how long records are kept.
            now: seconds since 1970.

        Returns:
            How many were removed.
        """
        table = self.table()
        ended = np.where(np.isfinite(table.epoch), table.epoch + table.end, table.added)
        old = ended < now - 86_400 * days
        return self.forget(table.record[old].tolist())

    def merge(self, other: Gallery) -> int:
        """Takes in all records of another gallery, and what was said about them; says how many.

        Records that are here already stay as they are.

        Raises:
            GalleryError: its embeddings are another embedder's.
        """
        if not self.exists():
            self._store = open_store(self.place, other.store.info, self._kind)
        mine, theirs = self.store.info, other.store.info
        if mine.fingerprint != theirs.fingerprint:
            raise GalleryError(
                f"{other.place}: made with the embedder {theirs.embedder} ({theirs.fingerprint[:12]}),"
                f" {self.place} with {mine.embedder} ({mine.fingerprint[:12]}); they cannot be compared"
            )
        known = set(self.table().record.tolist())
        table = other.table()
        new = np.flatnonzero([name not in known for name in table.record.tolist()])
        for first in range(0, len(new), 1024):
            self.add(other.tracklets(new[first : first + 1024]))
        said = other.store.read_document(CORRECTIONS)
        if said:
            have = self.store.read_document(CORRECTIONS) or ""
            lines = [line for line in said.splitlines() if line not in have.splitlines()]
            self.store.write_document(CORRECTIONS, have + "".join(line + "\n" for line in lines))
        return len(new)

    def export(self, folder: str | Path) -> list[Path]:
        """Writes everything as plain files: ``tracklets.csv``, ``embeddings.npy`` and pictures in ``crops/``.

        Row i of ``embeddings.npy`` ``(N, D)`` is the mean embedding of line i of the table.

        Returns:
            The files written, without the pictures.
        """
        folder = Path(folder)
        (folder / "crops").mkdir(parents=True, exist_ok=True)
        table = self.table()
        names = [item.name for item in fields(RecordTable)]
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        writer.writerows(zip(*(getattr(table, name).tolist() for name in names), strict=True))
        (folder / "tracklets.csv").write_text(text.getvalue(), encoding="utf-8")
        np.save(folder / "embeddings.npy", self.store.means(), allow_pickle=False)
        for records in self._in_blocks(len(table)):
            for record in records:
                for number, crop in enumerate(record.crops):
                    (folder / "crops" / f"{record.record}-{number}.jpg").write_bytes(crop.jpeg)
        return [folder / "tracklets.csv", folder / "embeddings.npy"]

    def say(self, kind: Literal["one", "two"], first: str, second: str) -> None:
        """Keeps that two records are one person or two; `identify` obeys it from then on.

        What is said later about the same two records counts.

        Args:
            kind: ``"one"`` or ``"two"``.
            first: name of a record (`Tracklet.record`).
            second: of another one.
        """
        line = json.dumps({"say": kind, "records": sorted((first, second))})
        have = self.store.read_document(CORRECTIONS) or ""
        self.store.write_document(CORRECTIONS, have + line + "\n")

    def corrections(self) -> dict[tuple[str, str], str]:
        """What `say` kept: ``"one"`` or ``"two"`` by the two records' names, which are in order.

        Raises:
            GalleryError: a line of it is broken.
        """
        said: dict[tuple[str, str], str] = {}
        text = self.store.read_document(CORRECTIONS) or ""
        for number, line in enumerate(text.splitlines(), start=1):
            try:
                entry = json.loads(line)
                first, second = entry["records"]
                said[(first, second)] = entry["say"]
            except (ValueError, KeyError, TypeError):
                raise GalleryError(
                    f"{self.place}/{CORRECTIONS}:{number}: expected one/two, records"
                ) from None
        return said

    def _in_blocks(self, count: int, size: int = 256) -> Iterator[list[Tracklet]]:
        for first in range(0, count, size):
            yield self.tracklets(np.arange(first, min(first + size, count)))


def _exists(place: str | Path) -> bool:
    if "://" in str(place):
        return False  # only opening it tells
    return (Path(place) / "gallery.json").is_file() or (Path(place) / "records.lance").is_dir()


def crop_embedder(embedder: Embedder) -> EmbedCrops:
    """What embeds pictures that show one person each, by an embedder of boxes in frames."""

    def embed(pictures: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        rows = [
            embedder.embed(picture, np.array([[0, 0, picture.shape[1], picture.shape[0]]], np.float32))[0]
            for picture in pictures
        ]
        found = np.asarray(rows, np.float32)
        return found / np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)

    return embed
