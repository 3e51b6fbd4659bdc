"""A gallery's folder that several processes or threads read, add to, join and remove from at once."""

import os
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mot_reid.gallery.folder_store import FolderStore
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.identifying import identify_records
from mot_reid.gallery.presence import origins
from mot_reid.gallery.shared_view import SharedView
from mot_reid.gallery.standing import VIEWS, Floor, read_views

from .conftest import D, Made, tracklet


def test_what_two_say_at_once_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Gallery(tmp_path / "shop", Made()).add([tracklet(np.ones(D))])
    read = FolderStore.read_document

    def slow(store: FolderStore, name: str) -> str | None:
        text = read(store, name)
        time.sleep(0.1)
        return text

    monkeypatch.setattr(FolderStore, "read_document", slow)
    said = [threading.Thread(target=Gallery(tmp_path / "shop").say, args=("two", "a", b)) for b in "bcd"]
    for thread in said:
        thread.start()
    for thread in said:
        thread.join(30)
    assert set(Gallery(tmp_path / "shop").corrections()) == {("a", "b"), ("a", "c"), ("a", "d")}


def test_what_another_process_puts_together_meanwhile_is_still_read(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    for number in range(40):
        gallery.add([tracklet(np.eye(D)[number % D], track_id=number, start=number, end=number + 1)])
    rows = np.arange(39, -1, -1)
    reader = Gallery(tmp_path / "shop").store
    names = reader.table().record[rows].tolist()
    FolderStore(tmp_path / "shop").compact()
    assert [path[0, 1] for path in reader.paths(rows)] == rows.tolist()
    assert [(entry.record, len(entry.crops)) for entry in reader.tracklets(rows)] == [(n, 1) for n in names]
    reader.table()
    FolderStore(tmp_path / "shop").remove([names[0]])  # forgotten: nothing is known any more
    assert [len(path) for path in reader.paths(rows)] == [0, *[2] * 39]
    assert [entry.record for entry in reader.tracklets(rows)] == names[1:]


def test_adding_leaves_the_rows_of_a_table_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One thread adds, and joins small parts, while another one reads what it has listed."""
    gallery = Gallery(tmp_path / "shop", Made())
    for number in range(4):
        gallery.add([tracklet(np.eye(D)[number], track_id=number)])
    table = gallery.table()
    monkeypatch.setattr("mot_reid.gallery.folder_store._SMALL_PARTS", 1)
    FolderStore(tmp_path / "shop").remove([table.record[0]])
    gallery.add([tracklet(np.eye(D)[4], track_id=4)])
    np.testing.assert_array_equal(gallery.store.means(np.arange(4)), np.eye(D)[:4])


def test_no_record_is_missed_while_parts_are_put_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    for number in range(40):
        gallery.add([tracklet(np.eye(D)[number % D], track_id=number)])
    reader, read = FolderStore(tmp_path / "shop"), FolderStore._read_part
    looked: list[Path] = []

    def slow(store: FolderStore, folder: Path, *damaged: list[str]) -> object:
        if store is reader:
            looked.append(folder)
            if len(looked) == 3:  # another process joins all of them just now
                FolderStore(tmp_path / "shop").compact()
        return read(store, folder, *damaged)

    monkeypatch.setattr(FolderStore, "_read_part", slow)
    assert reader.table().track_id.tolist() == list(range(40))
    assert not reader.damaged


def test_a_part_that_another_process_finishes_is_no_trouble(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add([tracklet(np.eye(D)[0])])
    unfinished, stat = tmp_path / "shop" / "parts" / ".new", Path.stat
    unfinished.mkdir()

    def late(path: Path, **options: bool) -> os.stat_result:
        if path == unfinished and os.path.lexists(path):
            path.rename(path.with_name("new"))
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", late)
    gallery.store.compact()
    assert len(gallery.table()) == 1


def test_who_is_forgotten_while_others_are_identified_stays_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add([tracklet(np.eye(D)[place], "abc"[place], track_id=place) for place in range(3)])
    gone, (a, b, c) = str(gallery.table().record[1]), origins(gallery.table()).tolist()
    view = SharedView(np.eye(3), (1.0, 0.1), (0.0, 1.0), 1.0, 5.0, 0)
    floors = {pair: Floor(view, frozenset({pair})) for pair in ((a, b), (a, c))}

    def slow(*given: object) -> object:
        found = identify_records(*given)  # type: ignore[arg-type]
        Gallery(tmp_path / "shop").forget([gone])
        return replace(found, views=floors)

    monkeypatch.setattr("mot_reid.gallery.gallery.identify_records", slow)
    found = gallery.identify()
    assert gallery.identities() == {name: number for name, number in found if name != gone}
    content = b"".join(p.read_bytes() for p in (tmp_path / "shop").rglob("*") if p.is_file())
    assert gone.encode() not in content
    assert b"b.mp4" not in content
    assert list(read_views(gallery.store.read_document(VIEWS), "shop")) == [(a, c)]
