"""What a gallery has of one source: under which name, and which records."""

import os
from pathlib import Path

from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.store import RecordTable

__all__ = ["files_of_several_runs", "records_of", "source_label"]


def source_label(source: str) -> str:
    """What stands for a source in a gallery: a file's whole path, an address without passwords.

    Example:
        >>> source_label("rtsp://me:secret@door.local/stream?token=1")
        'rtsp://door.local/stream'
        >>> source_label("0")
        'webcam 0'
    """
    if "://" in source:
        scheme, _, rest = source.partition("://")
        host, slash, path = rest.partition("/")
        return f"{scheme}://{host.rpartition('@')[2]}{slash}{path.partition('?')[0]}"
    if source.isdigit() and not Path(source).exists():
        return f"webcam {source}"
    # Names on disks are bytes, and a gallery keeps text: what is none is written as \xff.
    return os.fsencode(Path(source).resolve()).decode("utf-8", "backslashreplace")


def records_of(gallery: Gallery, source: str) -> list[str]:
    """The names of the records that a gallery has of a source; `Gallery.forget` takes them."""
    if not gallery.exists():
        return []
    table = gallery.table()
    names: list[str] = table.record[table.source == source_label(source)].tolist()
    return names


def files_of_several_runs(table: RecordTable) -> set[str]:
    """The video files of which several runs are remembered, so that their people are there twice."""
    pairs = set(zip(table.source.tolist(), table.run.tolist(), strict=True))
    sources = [source for source, _ in pairs if "://" not in source and not source.startswith("webcam ")]
    return {source for source in sources if sources.count(source) > 1}
