"""Which kind of store lies in a place."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from mot_reid.extras import require
from mot_reid.gallery.store import GalleryError, GalleryInfo, NoGalleryError, Store, import_arrow
from mot_reid.video.files import prepare_output_folder

__all__ = ["StoreKind", "find_store", "gallery_exists", "open_store", "require_place"]

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


def find_store(place: str | Path, kind: StoreKind | None = None) -> Store | None:
    """Opens the store of a gallery if there is one.

    Args:
        place: as for `open_store`.
        kind: that one which exists must be of.

    Raises:
        GalleryError: it is of another kind, cannot be read, its address cannot be reached, or its name empty.
        ImportError: a package is not installed; the message names the extra.
    """
    _require_name(place)
    address = "://" in str(place)  # only opening it tells
    try:
        return open_store(place, kind=kind) if address or gallery_exists(place) else None
    except NoGalleryError:
        return None


def gallery_exists(place: str | Path) -> bool:
    """Whether there is a gallery in a folder, or at an address, which is opened to know it."""
    if "://" in str(place):
        return find_store(place) is not None
    return (Path(place) / "gallery.json").is_file() or (Path(place) / "records.lance").is_dir()


def require_place(place: str | Path, kind: StoreKind | None = None) -> None:
    """Makes sure that a gallery can be made or written, before there is anything to put into it.

    Args:
        place: as for `open_store`; a folder is made if need be.
        kind: of a new gallery.

    Raises:
        GalleryError: the name is empty.
        ImportError: a package is not installed; the message names the extra.
        OSError: the folder cannot be made or written.
    """
    _require_name(place)
    if kind == "lance" or "://" in str(place):
        require("lancedb", f"{place}: a gallery in LanceDB")
    import_arrow()
    if "://" not in str(place):
        prepare_output_folder(place, "gallery")


def _require_name(place: str | Path) -> None:
    if not str(place).strip():
        raise GalleryError("gallery: expected a folder or an address, got an empty name")
