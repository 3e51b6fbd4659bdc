"""Which kind of store lies in a place."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mot_reid.gallery.store import GalleryError, GalleryInfo, Store

__all__ = ["StoreKind", "gallery_exists", "open_store"]

StoreKind = Literal["folder", "lance"]


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


def gallery_exists(place: str | Path) -> bool:
    """Whether there is a gallery in a folder; of an address only opening it tells."""
    if "://" in str(place):
        return False  # only opening it tells
    return (Path(place) / "gallery.json").is_file() or (Path(place) / "records.lance").is_dir()
