"""Both stores keep, find, remove and survive in the same way."""

import errno
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mot_reid.gallery.filters import Filter
from mot_reid.gallery.folder_store import FolderStore
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.lance_store import LanceStore
from mot_reid.gallery.opening import gallery_exists, open_store, require_place
from mot_reid.gallery.presence import origins
from mot_reid.gallery.records import Crop
from mot_reid.gallery.shared_view import SharedView
from mot_reid.gallery.sources import records_of, source_label
from mot_reid.gallery.standing import VIEWS, Floor, read_views, views_text
from mot_reid.gallery.store import GalleryError, GalleryInfo

from .conftest import D, Made, people, tracklet, unit

Make = Callable[..., Gallery]


def test_what_goes_in_comes_out(make_gallery: Make) -> None:
    gallery = make_gallery()
    before = [
        tracklet(np.arange(1, D + 1), attributes={"backpack": 0.9}, epoch=1.7e9, part=2, class_name="person"),
        tracklet(-np.arange(1, D + 1), camera="b", medoids=unit(np.eye(D)[:3])),
    ]
    gallery.add(before)
    gallery.table()
    after = Gallery(gallery.place).store
    table = after.table()
    found = after.tracklets(np.array([1, 0]))
    for one, other in zip(reversed(before), found, strict=True):
        for name in ("record", "camera", "source", "run", "track_id", "part", "start", "end", "class_name"):
            assert getattr(one, name) == getattr(other, name)
        assert one.attributes == pytest.approx(other.attributes)
        assert one.crops == other.crops
        np.testing.assert_array_equal(one.mean, other.mean)
        np.testing.assert_allclose(one.medoids, other.medoids, atol=1e-3)
        np.testing.assert_array_equal(one.path, other.path)
    assert table.epoch[0] == 1.7e9
    assert np.isnan(table.epoch[1])
    _, owners = after.medoids(np.array([0, 1]))
    assert owners.tolist() == [0, 1, 1, 1]
    np.testing.assert_array_equal(after.means(), np.stack([entry.mean for entry in before]))
    np.testing.assert_array_equal(after.means(np.array([1])), before[1].mean[None])


def test_rows_are_there_before_the_table_is_asked_for(make_gallery: Make) -> None:
    gallery = make_gallery()
    for row in range(3):
        gallery.add([tracklet(np.eye(D)[row], track_id=row + 1)])
    for name in ("tracklets", "paths", "means", "medoids"):
        opened = Gallery(gallery.place).store
        assert len(getattr(opened, name)(np.array([2, 0]))) == 2
    assert [record.track_id for record in Gallery(gallery.place).tracklets([2, 0])] == [3, 1]
    for name, missing in itertools.product(("tracklets", "paths", "means", "medoids"), (-1, 3)):
        opened = Gallery(gallery.place).store
        with pytest.raises(IndexError, match=f"shop: no row {missing} in a table of 3 records"):
            getattr(opened, name)(np.array([0, missing]))


def test_a_gallery_at_an_address_is_found_again(tmp_path: Path) -> None:
    place = f"file://{tmp_path}/shop"
    early, late = Gallery(place, Made()), Gallery(place, Made("another"))
    assert not early.exists()
    assert not gallery_exists(place)
    early.add([tracklet(np.eye(D)[0])])
    again = Gallery(place, Made())
    assert again.exists()
    assert gallery_exists(place)
    assert len(records_of(again, "/videos/a.mp4")) == 1
    for made in (lambda: Gallery(place, Made("another")), lambda: late.add([tracklet(np.eye(D)[1])])):
        with pytest.raises(GalleryError, match="cannot be compared"):
            made()
    assert len(Gallery(place)) == 1


def test_a_video_whose_name_is_no_utf8_is_remembered_and_found_again(make_gallery: Make) -> None:
    gallery, names = (
        make_gallery(),
        [os.fsdecode(b"/videos/caf\xe9.mp4"), os.fsdecode(b"/videos/caf\xe8.mp4")],
    )
    gallery.add([tracklet(np.ones(D), source=source_label(name)) for name in names])
    again = Gallery(gallery.place)
    assert again.table().source.tolist() == ["/videos/caf\\xe9.mp4", "/videos/caf\\xe8.mp4"]
    assert [len(records_of(again, name)) for name in names] == [1, 1]


def test_both_find_the_same(tmp_path: Path) -> None:
    records = people(40)
    stores = []
    for kind in ("folder", "lance"):
        gallery = Gallery(tmp_path / kind, Made(), store=kind)
        for first in range(0, len(records), 25):
            gallery.add(records[first : first + 25])
        gallery.table()
        stores.append(gallery.store)
    queries = unit(np.random.default_rng(1).normal(size=(5, D)))
    means = np.stack([record.mean for record in records])
    for where in (None, Filter(cameras=["b", "c"]), Filter(after=100.0, before=200.0), Filter(cameras=[])):
        allowed = np.ones(120, bool) if where is None else where.mask(stores[0].table())
        truth = np.where(allowed, queries @ means.T, -2)
        for store in stores:
            rows, cosines = store.nearest(queries, 7, where)
            width = min(7, int(allowed.sum()))
            assert rows.tolist() == np.argsort(-truth, axis=1)[:, :width].tolist()
            np.testing.assert_allclose(cosines, -np.sort(-truth, axis=1)[:, :width], atol=1e-5)


def test_a_search_by_the_time_of_day_passes_over_who_has_none(make_gallery: Make) -> None:
    gallery = make_gallery()
    gallery.add([tracklet(np.eye(D)[0]), tracklet(np.eye(D)[1], epoch=1.7e9)])
    table = gallery.table()
    query = unit(np.ones((1, D)))
    for where in (Filter(after=1.6e9), Filter(before=1.8e9)):
        rows, _ = gallery.store.nearest(query, 5, where)
        assert rows[0].tolist() == np.flatnonzero(where.mask(table)).tolist() == [1]


def test_what_a_killed_forgetting_left_twice_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = Gallery(tmp_path / "shop", Made(), store="lance")
    gallery.add([tracklet(np.eye(D)[place], track_id=place) for place in range(4)])
    gone = str(gallery.table().record[3])

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    assert isinstance(gallery.store, LanceStore)
    with monkeypatch.context() as patched:
        patched.setattr(gallery.store._records, "delete", stop)  # what stays was written anew before
        with pytest.raises(KeyboardInterrupt):
            gallery.forget([gone])
    again = Gallery(tmp_path / "shop")
    assert again.table().track_id.tolist() == [0, 1, 2, 3]
    np.testing.assert_array_equal(again.store.means(), np.eye(D)[:4])
    rows, cosines = again.store.nearest(unit(np.array([[4.0, 3, 2, 1, *[0] * (D - 4)]])), 3)
    assert rows.tolist() == [[0, 1, 2]]
    assert (np.diff(cosines) < 0).all()
    assert len(again.identify().numbers) == 4
    again.add([tracklet(np.eye(D)[4], track_id=4)])  # behind the rows that are there twice
    everybody = np.arange(len(again.table()))
    assert [record.track_id for record in again.tracklets(everybody)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("kind", ["folder", "lance"])
def test_forgetting_leaves_nothing_on_the_disk(kind: str, tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made(), store=kind)  # type: ignore[arg-type]
    secret = tracklet(np.ones(D), track_id=7, crops=(people(1)[0].crops[0],))
    object.__setattr__(secret, "crops", (type(secret.crops[0])(os.urandom(64), 1, 0.0, 0.5),))
    gallery.add([tracklet(np.eye(D)[place], track_id=place + 10) for place in range(3)] + [secret])
    gallery.add([tracklet(np.eye(D)[5], track_id=20)])
    gallery.say("one", secret.record, gallery.table().record[0])
    traces = (secret.crops[0].jpeg, secret.record.encode())

    def on_disk() -> list[bytes]:
        content = b"".join(p.read_bytes() for p in (tmp_path / "shop").rglob("*") if p.is_file())
        return [trace for trace in traces if trace in content]

    assert on_disk() == list(traces)
    assert gallery.forget([secret.record, "nobody"]) == 1
    assert on_disk() == []
    assert gallery.table().track_id.tolist() == [10, 11, 12, 20]
    assert [entry.track_id for entry in gallery.tracklets([0, 3])] == [10, 20]
    assert gallery.corrections() == {}
    np.testing.assert_array_equal(gallery.store.means()[1], np.eye(D, dtype=np.float32)[1])


def test_forgetting_leaves_who_is_called_alike(make_gallery: Make) -> None:
    gallery = make_gallery()
    gallery.add([tracklet(np.eye(D)[place], track_id=place, record=f"r{place}") for place in (1, 10, 11)])
    before = gallery.identify()
    gallery.say("two", "r1", "r10")
    gallery.say("two", "r10", "r11")
    assert gallery.forget(["r1"]) == 1
    assert gallery.identities() == {name: number for name, number in before if name != "r1"}
    assert gallery.corrections() == {("r10", "r11"): "two"}


def test_a_broken_file_of_identities_is_named(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add([tracklet(np.ones(D))])
    gallery.store.write_document("identities.csv", "identity;record\n1;x\n")  # as a spreadsheet keeps it
    with pytest.raises(GalleryError, match=r"shop/identities.csv: expected columns identity and record"):
        gallery.identities()


def test_age(make_gallery: Make) -> None:
    gallery = make_gallery()
    day = 86_400.0
    gallery.add(
        [
            tracklet(np.ones(D), track_id=1, epoch=100 * day, added=1000 * day),
            tracklet(np.ones(D), track_id=2, epoch=109.5 * day, added=0),
            tracklet(np.ones(D), track_id=3, added=99 * day),
        ]
    )
    assert gallery.forget_older(5, now=110 * day) == 2
    assert gallery.table().track_id.tolist() == [2]


def _process(code: str, *arguments: object) -> subprocess.Popen[bytes]:
    """Another Python that runs some code with what `conftest` has; LanceDB does not survive a fork."""
    head = "import sys; sys.path.insert(0, sys.argv[1]); import numpy as np\nfrom conftest import *\n"
    head += "gallery = Gallery(sys.argv[2], Made(), store=sys.argv[3])\n"
    return subprocess.Popen(
        [sys.executable, "-c", head + code, str(Path(__file__).parent), *map(str, arguments)]
    )


@pytest.mark.parametrize("kind", ["folder", "lance"])
def test_two_processes_lose_nothing(kind: str, tmp_path: Path) -> None:
    code = "for n in range(4): gallery.add([tracklet(np.ones(D), track_id=int(sys.argv[4]) + n)])"
    workers = [_process(code, tmp_path / "shop", kind, start) for start in (0, 100)]
    assert [worker.wait(120) for worker in workers] == [0, 0]
    ids = Gallery(tmp_path / "shop").table().track_id.tolist()
    assert sorted(ids) == [*range(4), *range(100, 104)]


@pytest.mark.parametrize("kind", ["folder", "lance"])
def test_a_kill_leaves_whole_records(kind: str, tmp_path: Path) -> None:
    place = tmp_path / "shop"
    code = (
        "for n in range(0, 10**6, 2):\n"
        "    gallery.add([tracklet(np.ones(D), track_id=n), tracklet(np.ones(D), track_id=n + 1)])"
    )
    worker = _process(code, place, kind)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        time.sleep(0.2)
        if worker.poll() is not None or (place.is_dir() and _count(place) >= 4):
            break
    worker.kill()
    worker.wait(30)
    gallery = Gallery(place, Made())
    ids = gallery.table().track_id.tolist()
    assert len(ids) >= 4
    assert ids == list(range(len(ids)))  # whole pairs, in order, none torn
    assert len(ids) % 2 == 0
    gallery.add([tracklet(np.ones(D), track_id=9999)])
    assert gallery.table().track_id.tolist()[-1] == 9999


def _count(place: Path) -> int:
    try:
        return len(Gallery(place))
    except GalleryError:
        return 0


@pytest.mark.parametrize("early", [True, False])
def test_forgetting_that_was_killed_is_finished_later(
    early: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add([tracklet(np.ones(D), track_id=number) for number in range(4)])
    gone = gallery.table().record[1]

    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(*(FolderStore, "_rewrite") if early else (shutil, "rmtree"), stop)
        with pytest.raises(KeyboardInterrupt):
            gallery.forget([gone])
    again = Gallery(tmp_path / "shop", Made())
    assert again.table().track_id.tolist() == [0, 2, 3]  # nobody sees it, though it lies there yet
    again.store.compact()
    content = b"".join(p.read_bytes() for p in (tmp_path / "shop").rglob("*") if p.is_file())
    assert gone.encode() not in content


def test_many_small_parts_become_one(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    for number in range(40):
        gallery.add([tracklet(np.eye(D)[number % D], track_id=number)])
    before = gallery.table().record.tolist()
    gallery.store.compact()
    assert len(list((tmp_path / "shop" / "parts").iterdir())) == 1
    assert gallery.table().record.tolist() == before
    assert [entry.track_id for entry in gallery.tracklets([39, 0])] == [39, 0]


def test_a_gallery_of_large_parts_is_not_read_at_each_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("_SMALL", 4), ("_SMALL_PARTS", 2)):
        monkeypatch.setattr(f"mot_reid.gallery.folder_store.{name}", value)
    gallery, compacted, compact = Gallery(tmp_path / "shop", Made()), list[int](), FolderStore.compact
    monkeypatch.setattr(FolderStore, "compact", lambda store: (compacted.append(1), compact(store)))
    for count in (*[4] * 9, 1):
        gallery.add([tracklet(np.ones(D)) for _ in range(count)])
    assert not compacted
    gallery.add([tracklet(np.ones(D))])
    assert compacted
    assert len(list((tmp_path / "shop" / "parts").iterdir())) == 10
    assert len(gallery) == 38


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gallery.json", '{"embedder": "a", "fingerprint": "b", "dimension": 16, "format": "2"}'),
        ("gallery.json", '{"embedder": "a", "fingerprint": "b", "dimension": "x", "format": 1}'),
        ("gallery.json", '{"embedder": 1, "fingerprint": "b", "dimension": 16, "format": 1}'),
        ("gallery.json", "[1]"),
        ("forgotten.json", "x"),
        ("forgotten.json", "3"),
        ("calibration.json", "[]"),
        ("calibration.json", "null"),
    ],
)
def test_files_that_are_broken_are_named(name: str, text: str, tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add([tracklet(np.ones(D)), tracklet(np.ones(D), track_id=2)])
    (tmp_path / "shop" / name).write_text(text)
    with pytest.raises((GalleryError, ValueError), match=rf"shop/{name}: (not a|expected)"):
        Gallery(tmp_path / "shop").search("a:1")


def test_many_records_are_added_with_few_looks_at_the_disk(
    make_gallery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery, looks = make_gallery(), list[object]()

    def counted(place: object) -> bool:
        looks.append(place)
        return gallery_exists(str(place))

    monkeypatch.setattr("mot_reid.gallery.gallery.gallery_exists", counted)
    gallery.add([tracklet(np.ones(D), track_id=number) for number in range(50)])
    assert len(looks) <= 6
    assert len(gallery) == 50


def test_a_gallery_that_was_deleted_is_made_again(make_gallery: Make) -> None:
    """Else what is remembered from then on would lie where nobody finds it."""
    gallery = make_gallery()
    gallery.add([tracklet(np.ones(D))])
    shutil.rmtree(gallery.place)
    assert not gallery.exists()
    for asked in (gallery.table, gallery.identify, lambda: gallery.forget(["a"])):
        with pytest.raises(GalleryError, match="no gallery there"):
            asked()
    assert not Path(gallery.place).exists()
    gallery.add([tracklet(np.ones(D), track_id=7)])
    assert gallery.table().track_id.tolist() == [7]
    assert Gallery(gallery.place).table().track_id.tolist() == [7]


def test_what_another_process_has_just_forgotten_is_told_in_one_line(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made(), "lance")
    gallery.add([tracklet(row, track_id=number) for number, row in enumerate(np.eye(D)[:4])])
    store, rows = gallery.store, np.arange(4)
    names = store.table().record.tolist()
    Gallery(tmp_path / "shop").forget(names[:2])
    for asked in (store.means, store.medoids, store.tracklets, store.paths):
        with pytest.raises(GalleryError, match=r"shop: another process has just changed it, or it is gone"):
            asked(rows)
    assert store.table().record.tolist() == names[2:]


def test_a_damaged_part_is_named_and_left_out(tmp_path: Path) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add([tracklet(np.ones(D), track_id=1)])
    gallery.add([tracklet(np.ones(D), track_id=2)])
    first = min((tmp_path / "shop" / "parts").iterdir())
    (first / "records.parquet").write_bytes(b"PAR1 not any more")
    again = Gallery(tmp_path / "shop")
    assert again.table().track_id.tolist() == [2]
    assert len(again.store.damaged) == 1
    assert str(first) in again.store.damaged[0]


def test_a_full_disk_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = Gallery(tmp_path / "shop", Made())
    gallery.add([tracklet(np.ones(D), track_id=1)])

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("mot_reid.gallery.folder_parts.save", full)
        with pytest.raises(OSError, match=r"No space left on device.*it is as it was"):
            gallery.add([tracklet(np.ones(D), track_id=2)])
    assert gallery.table().track_id.tolist() == [1]
    assert len(list((tmp_path / "shop" / "parts").iterdir())) == 1


def test_a_full_disk_forgets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who is forgotten to make room is, where all of a part goes; else it is said that nobody is."""
    gallery = Gallery(tmp_path / "shop", Made())
    for track in (1, 2):
        gallery.add([tracklet(np.ones(D), track_id=track), tracklet(np.ones(D), track_id=track + 10)])
    gallery.identify()
    parts, write = tmp_path / "shop" / "parts", Path.write_text

    def full(path: Path, text: str, **how: Any) -> int:
        if len(list(parts.iterdir())) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, text, **how)

    monkeypatch.setattr(Path, "write_text", full)
    names = gallery.table().record.tolist()
    with pytest.raises(GalleryError, match=r"shop: nothing was forgotten \(No space left on device\); free"):
        gallery.forget(names[:1])
    assert gallery.table().track_id.tolist() == [1, 11, 2, 12]
    assert gallery.forget(names[:3]) == 3
    assert gallery.table().track_id.tolist() == [12]
    assert set(gallery.identities()) == {names[3]}


def test_what_a_full_disk_keeps_of_who_is_forgotten_is_told_and_goes_later(
    make_gallery: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = make_gallery()
    picture = (Crop(b"picture of somebody", 1, 0.0, 0.5),)
    gallery.add([tracklet(np.ones(D), track_id=1, crops=picture), tracklet(np.ones(D), track_id=2)])
    gallery.forget(["nobody"])

    def full(*_: object, **__: object) -> None:
        raise GalleryError("shop: Unable to copy data to file: No space left on device (os error 28)")

    for name in ("_write_part", "_drop_older_versions"):
        monkeypatch.setattr(type(gallery.store), name, full, raising=False)
    told = r"nobody finds them any more, but not all .* off the disk \(No space left on device\); .* compact`"
    with pytest.raises(GalleryError, match=told):
        gallery.forget(gallery.table().record.tolist()[:1])
    assert (gallery.table().track_id.tolist(), _holds(gallery, b"picture of somebody")) == ([2], True)
    monkeypatch.undo()
    gallery.store.compact()
    assert (gallery.table().track_id.tolist(), _holds(gallery, b"picture of somebody")) == ([2], False)


def test_a_lance_gallery_on_a_full_disk_forgets_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For it writes what stays anew, before anything goes."""
    gallery = Gallery(tmp_path / "shop", Made(), "lance")
    gallery.add([tracklet(np.ones(D), track_id=track) for track in (1, 2)])

    def full(*_: object, **__: object) -> None:
        raise RuntimeError("lance error: LanceError(IO): No space left on device (os error 28), x.rs:1:2")

    monkeypatch.setattr(type(gallery.store._records), "add", full)  # type: ignore[attr-defined]
    with pytest.raises(GalleryError, match=r"shop: nothing was forgotten \(No space left on device\); free"):
        gallery.forget(gallery.table().record.tolist()[:1])
    assert gallery.table().track_id.tolist() == [1, 2]


def _holds(gallery: Gallery, content: bytes) -> bool:
    return any(content in path.read_bytes() for path in Path(gallery.place).rglob("*") if path.is_file())


def test_another_embedder_is_refused(make_gallery: Make) -> None:
    gallery = make_gallery()
    gallery.add([tracklet(np.ones(D))])
    with pytest.raises(GalleryError, match=r"made with the embedder made .*, not with other"):
        Gallery(gallery.place, Made("other"))  # type: ignore[arg-type]
    with pytest.raises(GalleryError, match="embeddings of 16 numbers, got 4"):
        gallery.add([tracklet(np.ones(4))])


def test_merging(make_gallery: Make) -> None:
    one, other = make_gallery("one"), make_gallery("other")
    one.add([tracklet(np.ones(D), track_id=1)])
    other.add([tracklet(np.ones(D), track_id=2), tracklet(np.ones(D), track_id=3)])
    other.say("two", *other.table().record.tolist())
    assert one.merge(other) == 2
    assert one.merge(other) == 0
    assert sorted(one.table().track_id.tolist()) == [1, 2, 3]
    assert list(one.corrections().values()) == ["two"]
    third = make_gallery("third", Made("else"))
    third.add([tracklet(np.ones(D))])
    with pytest.raises(GalleryError, match="cannot be compared"):
        one.merge(third)


def test_export(make_gallery: Make, tmp_path: Path) -> None:
    gallery = make_gallery()
    gallery.add([tracklet(np.ones(D), track_id=5)])
    gallery.export(tmp_path / "plain")
    lines = (tmp_path / "plain" / "tracklets.csv").read_text().splitlines()
    assert len(lines) == 2
    assert lines[1].split(",")[4] == "5"
    assert np.load(tmp_path / "plain" / "embeddings.npy").shape == (1, D)
    assert [path.read_bytes() for path in (tmp_path / "plain" / "crops").iterdir()] == [b"picture of a:5"]
    for there in ("plain", "gallery"):  # pictures would stay when their people are forgotten
        with pytest.raises(GalleryError, match="is not empty"):
            gallery.export(tmp_path / there if there == "plain" else gallery.place)


def test_an_export_onto_a_full_disk_names_it(
    make_gallery: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = make_gallery()
    gallery.add([tracklet(np.ones(D), track_id=5)])

    def full(path: Path, _: bytes) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left on device") as caught:
        gallery.export(tmp_path / "plain")
    assert Path(caught.value.filename).parent == tmp_path / "plain" / "crops"


def test_an_export_that_is_cut_off_has_no_table(
    make_gallery: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gallery = make_gallery()
    gallery.add([tracklet(np.ones(D), track_id=5)])

    def killed(path: Path, _: bytes) -> int:
        raise KeyboardInterrupt(path)

    monkeypatch.setattr(Path, "write_bytes", killed)
    with pytest.raises(KeyboardInterrupt):
        gallery.export(tmp_path / "plain")
    assert [path.name for path in (tmp_path / "plain").iterdir()] == ["crops"]


def test_a_gallery_says_where_it_is(tmp_path: Path) -> None:
    assert repr(Gallery(tmp_path / "shop")) == f"Gallery({str(tmp_path / 'shop')!r})"


@pytest.mark.parametrize("name", ["", " "])
def test_an_empty_name_is_no_place(name: str) -> None:
    for use in (Gallery, require_place):
        with pytest.raises(GalleryError, match="expected a folder or an address, got an empty name"):
            use(name)


def test_what_is_no_gallery(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="no gallery there"):
        open_store(tmp_path / "nowhere")
    (tmp_path / "torn").mkdir()
    (tmp_path / "torn" / "gallery.json").write_text("{")
    with pytest.raises(GalleryError, match="cannot be read"):
        open_store(tmp_path / "torn")
    later = GalleryInfo("made", "x", D, format=99).to_dict()
    (tmp_path / "torn" / "gallery.json").write_text(json.dumps(later))
    with pytest.raises(GalleryError, match="format 99"):
        open_store(tmp_path / "torn")


@pytest.mark.parametrize("broken", [False, True])
def test_forgetting_a_video_leaves_nothing_of_it_in_what_was_learnt_of_floors(
    broken: bool, make_gallery: Make
) -> None:
    gallery = make_gallery()
    for place, source in enumerate(("door.mp4", "yard.mp4", "secret.mp4")):
        gallery.add([tracklet(np.eye(D)[place], track_id=place, source=source, record=f"r{place}")])
    door, yard, secret = origins(gallery.table()).tolist()
    view = SharedView(np.eye(3), (1.0, 0.1), (0.0, 1.0), 1.0, 5.0, 0)
    both = Floor(view, frozenset({(door, yard), (door, secret)}))
    text = views_text({("door", "yard"): both, ("door", "shed"): Floor(view, frozenset({(door, secret)}))})
    gallery.store.write_document(VIEWS, text + "]" * broken)
    gallery.forget(["r2"])
    left = gallery.store.read_document(VIEWS)
    assert left is not None
    assert "secret" not in left
    found = read_views(left, "shop")
    assert {pair: floor.sources for pair, floor in found.items()} == (
        {} if broken else {("door", "yard"): {(door, yard)}}
    )
