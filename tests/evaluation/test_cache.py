"""The cache gives back what was stored, or nothing: never what is stale or damaged."""

import logging
import multiprocessing
import os
import signal
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mot_reid.evaluation import cache as cache_module
from mot_reid.evaluation.cache import ArrayCache, Arrays

KEY = {"sequence": "A", "settings": {"score": 0.1, "classes": ["person"]}, "weights": None}
ARRAYS = {
    "boxes": np.arange(12, dtype=np.float32).reshape(3, 4),
    "nobody": np.zeros((0, 7), np.int64),
    "name": np.array("Jürgen"),
    "times": np.array([1.5, np.nan]),
}


class Compute:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self) -> Arrays:
        self.calls += 1
        return ARRAYS


@pytest.fixture
def cache(tmp_path: Path) -> ArrayCache:
    return ArrayCache(tmp_path / "deep" / "cache")


def get(
    cache: ArrayCache, name: str, key: Mapping[str, Any], compute: Callable[[], Arrays]
) -> tuple[Arrays, bool]:
    """The arrays, and whether they were read back."""
    kept = cache.load(name, key)
    if kept is None:
        cache.store(name, key, made := compute())
        return made, False
    return kept, True


def same(arrays: Arrays) -> bool:
    return arrays.keys() == ARRAYS.keys() and all(
        arrays[name].dtype == array.dtype
        and np.array_equal(arrays[name], array, equal_nan=array.dtype.kind == "f")
        for name, array in ARRAYS.items()
    )


def stored(cache: ArrayCache) -> Path:
    cache.store("MOT17-02 all/detect", KEY, ARRAYS)
    return cache.path("MOT17-02 all/detect", KEY)


def test_computed_once_then_read_back(cache: ArrayCache) -> None:
    compute = Compute()
    arrays, hit = get(cache, "boxes", KEY, compute)
    assert same(arrays)
    assert not hit
    arrays, hit = get(ArrayCache(cache.folder), "boxes", dict(reversed(KEY.items())), compute)
    assert same(arrays)
    assert hit
    assert compute.calls == 1


def test_the_file_is_a_plain_npz_with_a_name_to_read(cache: ArrayCache) -> None:
    path = stored(cache)
    assert path.name.startswith("MOT17-02-all-detect-")
    assert os.listdir(cache.folder) == [path.name]
    np.testing.assert_array_equal(np.load(path)["boxes"], ARRAYS["boxes"])
    assert len(cache.path("x" * 1000, KEY).name) < 120


@pytest.mark.parametrize(
    "other",
    [
        {**KEY, "sequence": "B"},
        {**KEY, "settings": {"score": 0.10000001, "classes": ["person"]}},
        {**KEY, "settings": {"score": 0.1, "classes": ["person", "car"]}},
        {**KEY, "weights": "abc"},
        {**KEY, "more": 1},
        {"sequence": "A"},
    ],
)
def test_another_key_is_another_file(cache: ArrayCache, other: dict[str, object]) -> None:
    path = stored(cache)
    name = "MOT17-02 all/detect"
    assert cache.path(name, other) != path
    assert cache.load(name, other) is None
    assert cache.load(name, KEY) is not None


def rewritten(path: Path, change: Callable[[bytes], bytes]) -> None:
    path.write_bytes(change(path.read_bytes()))


def flipped(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 0x10]) + data[place + 1 :]


def foreign_npz(path: Path) -> None:
    np.savez(path, **ARRAYS)


def pickled(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        head = archive.read("key.json")
    objects = path.parent / "objects.npy"
    np.save(objects, np.array([{}], object), allow_pickle=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("key.json", head)
        for name in ARRAYS:
            archive.write(objects, f"{name}.npy")
    objects.unlink()


def of_another_format(path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache_module, "_FORMAT", 2)
        ArrayCache(path.parent).store("MOT17-02 all/detect", KEY, ARRAYS)


def under_another_key(path: Path) -> None:
    other = ArrayCache(path.parent)
    other.store("other", {**KEY, "sequence": "B"}, ARRAYS)
    other.path("other", {**KEY, "sequence": "B"}).replace(path)


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\0" * 5000),
        lambda path: path.write_text("no archive"),
        lambda path: rewritten(path, lambda data: data[: len(data) // 2]),
        lambda path: rewritten(path, lambda data: data[:-1]),
        lambda path: rewritten(path, lambda data: flipped(data, data.index(ARRAYS["boxes"].tobytes()) + 9)),
        lambda path: rewritten(path, lambda data: flipped(data, data.index(b'"score"') + 1)),
        foreign_npz,
        pickled,
        of_another_format,
        under_another_key,
    ],
)
def test_damage_is_named_and_repaired(
    cache: ArrayCache, damage: Callable[[Path], object], caplog: pytest.LogCaptureFixture
) -> None:
    path, compute = stored(cache), Compute()
    damage(path)
    arrays, hit = get(cache, "MOT17-02 all/detect", KEY, compute)
    assert same(arrays)
    assert not hit
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith(f"{path}: not used and computed again: ")
    assert "\n" not in record.getMessage()
    assert get(cache, "MOT17-02 all/detect", KEY, compute)[1]
    assert compute.calls == 1
    assert len(caplog.records) == 1
    assert os.listdir(cache.folder) == [path.name]


def test_no_flipped_byte_gives_other_arrays(cache: ArrayCache) -> None:
    path = stored(cache)
    data = path.read_bytes()
    logging.disable()
    try:
        unnoticed = 0
        for place in range(len(data)):
            path.write_bytes(flipped(data, place))
            arrays = cache.load("MOT17-02 all/detect", KEY)
            unnoticed += arrays is not None
            assert arrays is None or same(arrays), place
    finally:
        logging.disable(logging.NOTSET)
    assert unnoticed < len(data) / 4  # dates and the like, in the archive's own headers


@pytest.mark.parametrize("room", [0, 100, 1_000, 20_000, 400_200])
def test_a_full_disk_costs_the_cache_only(
    cache: ArrayCache, room: int, caplog: pytest.LogCaptureFixture
) -> None:
    resource = pytest.importorskip("resource")
    limits, big = resource.getrlimit(resource.RLIMIT_FSIZE), np.random.default_rng(0).random(50_000)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, limits[1]))  # like a disk with so many bytes left
    try:
        for _ in range(3):
            arrays, hit = get(cache, "boxes", KEY, lambda: {"big": big})
            assert arrays["big"] is big
            assert not hit
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert os.listdir(cache.folder) == []
    assert caplog.messages == [
        f"cache folder {cache.folder}: cannot be written (File too large); going on without"
    ]
    assert not get(ArrayCache(cache.folder), "boxes", KEY, lambda: {"big": big})[1]
    assert get(ArrayCache(cache.folder), "boxes", KEY, lambda: {"big": big})[1]
    assert cache.path("boxes", KEY).stat().st_size > room


@pytest.mark.parametrize("inside", ["", "below"])
def test_a_folder_that_cannot_be_made_costs_the_cache_only(
    tmp_path: Path, inside: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("in the way")
    cache, compute = ArrayCache(tmp_path / "file" / inside), Compute()
    for _ in range(2):
        assert same(get(cache, "boxes", KEY, compute)[0])
    assert compute.calls == 2
    assert len(caplog.records) == 1
    assert "cannot be written" in caplog.text


def test_a_file_that_cannot_be_replaced_costs_the_cache_only(
    cache: ArrayCache, caplog: pytest.LogCaptureFixture
) -> None:
    cache.path("boxes", KEY).mkdir(parents=True)
    assert same(get(cache, "boxes", KEY, Compute())[0])
    assert len(caplog.records) == 2
    assert os.listdir(cache.folder) == [cache.path("boxes", KEY).name]


def test_an_interrupted_write_leaves_nothing(cache: ArrayCache, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(np.lib.format, "write_array", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cache.store("boxes", KEY, ARRAYS)
    assert os.listdir(cache.folder) == []


def test_leftovers_of_killed_runs_are_removed(cache: ArrayCache) -> None:
    cache.folder.mkdir(parents=True)
    old, young = cache.folder / ".a.1.part.npz", cache.folder / ".b.2.part.npz"
    old.touch()
    young.touch()
    os.utime(old, (0, 0))
    path = stored(cache)
    assert sorted(cache.folder.iterdir()) == sorted([path, young])


def write_and_read(folder: Path) -> int:
    cache, failures = ArrayCache(folder), 0
    for _ in range(100):
        cache.store("boxes", KEY, ARRAYS)
        arrays = cache.load("boxes", KEY)
        failures += arrays is None or not same(arrays)
    return failures


def test_processes_side_by_side_do_no_harm(cache: ArrayCache) -> None:
    # A handler of SIGTERM that a test before has left would be run by a main thread that waits for ever.
    leave_to_system = (signal.SIGTERM, signal.SIG_DFL)
    with multiprocessing.get_context("fork").Pool(3, signal.signal, leave_to_system) as pool:
        assert pool.map(write_and_read, [cache.folder] * 3) == [0, 0, 0]
    assert os.listdir(cache.folder) == [cache.path("boxes", KEY).name]


def test_only_json_and_numbers_are_taken(cache: ArrayCache) -> None:
    with pytest.raises(TypeError, match="not JSON serializable"):
        cache.store("boxes", {"path": Path()}, ARRAYS)
    with pytest.raises(ValueError, match="not JSON compliant"):
        cache.load("boxes", {"score": np.nan})
    with pytest.raises(ValueError, match="Object arrays cannot be saved"):
        cache.store("boxes", KEY, {"objects": np.array([{}], object)})
    assert os.listdir(cache.folder) == []
