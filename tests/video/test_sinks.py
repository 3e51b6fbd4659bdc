import contextlib
import csv
import errno
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mot_reid.structures import Tracks
from mot_reid.video.formats import FORMATS, SinkInfo
from mot_reid.video.sinks import (
    COLUMNS,
    CsvSink,
    JsonLinesSink,
    MotSink,
    ParquetSink,
    Sink,
    convert_spool,
    prepare_output_folder,
    track_rows,
)

MakeTracks = Callable[..., Tracks]
NAMES = {0: "person", 1: 'a "big", car'}
TEXT_SINKS = [MotSink, CsvSink, JsonLinesSink]


@st.composite
def any_tracks(draw: st.DrawFn) -> Tracks:
    n = draw(st.integers(0, 4))
    int64 = st.integers(-1, 2**40)
    corner = draw(hnp.arrays(np.float32, (n, 2), elements=st.floats(-500, 4000, width=32)))
    size = draw(hnp.arrays(np.float32, (n, 2), elements=st.floats(1, 2000, width=32)))
    return Tracks(
        draw(hnp.arrays(np.int64, n, elements=int64)),
        np.concatenate([corner, corner + size], axis=1),
        draw(hnp.arrays(np.float32, n, elements=st.floats(0, 1, width=32))),
        draw(hnp.arrays(np.int64, n, elements=st.integers(0, 2))),
        draw(hnp.arrays(np.int64, n, elements=int64)),
        draw(hnp.arrays(np.float32, n, elements=st.floats(0, 1, width=32))),
    )


def write(sink: Sink, frames: list[Tracks]) -> None:
    with sink:
        for number, tracks in enumerate(frames, start=1):
            sink.write(number, None, tracks, *times(number), identities(tracks))


def times(number: int) -> tuple[float, float | None]:
    """Of every second frame nobody knows when it came."""
    return number / 30, 1.8e9 + number / 30 if number % 2 else None


def identities(tracks: Tracks) -> Any:
    """Every second one is known."""
    return np.where(tracks.ids % 2, tracks.ids + 100, 0)


def all_rows(frames: list[Tracks]) -> list[Any]:
    return [
        row
        for number, tracks in enumerate(frames, start=1)
        for row in track_rows(number, tracks, NAMES, *times(number), identities(tracks))
    ]


def float_or_none(text: str) -> float | None:
    return float(text) if text else None


def int_or_none(text: str) -> int | None:
    return int(text) if text else None


def assert_close(read: list[Any], written: list[Any], coordinate: float, score: float) -> None:
    assert len(read) == len(written)
    for got, wanted in zip(read, written, strict=True):
        assert got[:2] == wanted[:2]
        assert got[2:6] == pytest.approx(wanted[2:6], abs=coordinate, rel=0)
        assert got[6] == pytest.approx(wanted[6], abs=score, rel=0)
        assert got[7:10] == wanted[7:10]
        assert got[10] == pytest.approx(wanted[10], abs=score, rel=0)
        assert got[11] == pytest.approx(wanted[11], abs=0.00051 if score else 0, rel=0)
        assert (got[12] is None) == (wanted[12] is None)
        if got[12] is not None:
            assert got[12] == pytest.approx(wanted[12], abs=0.00051 if score else 0, rel=0)
        assert got[13] == wanted[13]


def test_rows(tracks: MakeTracks) -> None:
    rows = track_rows(7, tracks(2, classes=[0, 5]), NAMES, 0.24)
    assert rows == [
        (7, 1, 0.0, 1.0, 10.25, 30.5, 0.75, 0, "person", 1, 1.0, 0.24, None, None),
        (7, 2, 20.0, 21.0, 30.25, 50.5, 0.75, 5, "", 0, 1.0, 0.24, None, None),
    ]
    kinds = [int, int, float, float, float, float, float, int, str, int, float, float, type(None), type(None)]
    assert [type(value) for value in rows[0]] == kinds


def test_mot_lines(tmp_path: Path, tracks: MakeTracks) -> None:
    write(MotSink(tmp_path / "tracks.txt"), [tracks(1), tracks(0), tracks(2, shift=0.125)])
    assert (tmp_path / "tracks.txt").read_text() == (
        "1,1,0.00,1.00,10.25,29.50,0.7500,-1,-1,-1\n"
        "3,1,0.12,1.12,10.25,29.50,0.7500,-1,-1,-1\n"
        "3,2,20.12,21.12,10.25,29.50,0.7500,-1,-1,-1\n"
    )


@settings(max_examples=40, deadline=None)  # files are slow at times
@given(frames=st.lists(any_tracks(), max_size=4))
def test_csv_round_trip(tmp_path_factory: pytest.TempPathFactory, frames: list[Tracks]) -> None:
    path = tmp_path_factory.mktemp("csv") / "tracks.csv"
    write(CsvSink(path, NAMES), frames)
    with path.open(newline="", encoding="utf-8") as file:
        header, *lines = csv.reader(file)
    assert tuple(header) == COLUMNS
    kinds = [int, int, float, float, float, float, float, int, str, int, float, float, float_or_none]
    kinds.append(int_or_none)
    rows = [tuple(kind(text) for kind, text in zip(kinds, line, strict=True)) for line in lines]
    assert_close(rows, all_rows(frames), 0.0051, 0.000051)


@settings(max_examples=40, deadline=None)  # files are slow at times
@given(frames=st.lists(any_tracks(), max_size=4))
def test_json_lines_round_trip(tmp_path_factory: pytest.TempPathFactory, frames: list[Tracks]) -> None:
    path = tmp_path_factory.mktemp("jsonl") / "tracks.jsonl"
    write(JsonLinesSink(path, NAMES), frames)
    objects = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    assert all(tuple(item) == COLUMNS for item in objects)
    assert_close([tuple(item.values()) for item in objects], all_rows(frames), 0.0051, 0.000051)


@settings(max_examples=40, deadline=None)  # files are slow at times
@given(frames=st.lists(any_tracks(), max_size=4))
def test_parquet_round_trip(tmp_path_factory: pytest.TempPathFactory, frames: list[Tracks]) -> None:
    path = tmp_path_factory.mktemp("parquet") / "tracks.parquet"
    write(ParquetSink(path, NAMES), frames)
    table = pq.read_table(path)
    assert tuple(table.column_names) == COLUMNS
    wanted = all_rows(frames)
    assert [tuple(row.values()) for row in table.to_pylist()] == wanted  # float32 all the way: exact
    assert [file.name for file in path.parent.iterdir()] == ["tracks.parquet"]


def test_empty_parquet_has_the_schema(tmp_path: Path, tracks: MakeTracks) -> None:
    write(ParquetSink(tmp_path / "tracks.parquet"), [tracks(0)] * 3)
    schema = pq.read_schema(tmp_path / "tracks.parquet")
    assert [str(field.type) for field in schema] == ["int64"] * 2 + ["float"] * 5 + [
        "int64",
        "string",
        "int64",
        "float",
        "double",
        "double",
        "int64",
    ]
    assert tuple(schema.names) == COLUMNS
    assert pq.read_table(tmp_path / "tracks.parquet").num_rows == 0


def test_parquet_groups_are_bounded(
    tmp_path: Path, tracks: MakeTracks, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mot_reid.video.sinks._ROWS_IN_GROUP", 10)
    write(ParquetSink(tmp_path / "tracks.parquet"), [tracks(3)] * 10)
    file = pq.ParquetFile(tmp_path / "tracks.parquet")
    assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [12, 12, 6]
    assert file.read().column("frame").to_pylist() == [n for n in range(1, 11) for _ in range(3)]


def test_failed_parquet_keeps_the_spool(tmp_path: Path, tracks: MakeTracks) -> None:
    sink = ParquetSink(tmp_path / "tracks.parquet", NAMES)
    sink.write(1, None, tracks(2))
    (tmp_path / "tracks.parquet").mkdir()  # in the way of the finished file
    with pytest.raises(OSError, match=r"tracks\.parquet"):
        sink.close()
    sink.close()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tracks.arrows", "tracks.parquet"]
    convert_spool(tmp_path / "tracks.arrows", tmp_path / "rescued.parquet")
    assert pq.read_table(tmp_path / "rescued.parquet").num_rows == 2


def test_parquet_without_pyarrow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match=r"pip install 'mot_reid\[parquet\]'"):
        ParquetSink(tmp_path / "tracks.parquet")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("make", TEXT_SINKS)
def test_each_frame_is_on_disk_at_once(tmp_path: Path, tracks: MakeTracks, make: Callable[..., Sink]) -> None:
    sink = make(tmp_path / "out", NAMES)
    begin = len((tmp_path / "out").read_text().splitlines())
    for number in (1, 2, 3):
        sink.write(number, None, tracks(2))
        assert len((tmp_path / "out").read_text().splitlines()) == begin + 2 * number
    sink.close()
    sink.close()


def test_spool_is_readable_at_once(tmp_path: Path, tracks: MakeTracks) -> None:
    sink = ParquetSink(tmp_path / "tracks.parquet", NAMES)
    sink.write(1, None, tracks(2))
    with pa.ipc.open_stream(tmp_path / "tracks.arrows") as reader:
        assert reader.read_all().column("id").to_pylist() == [1, 2]
    sink.close()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
@pytest.mark.parametrize("make", [MotSink, JsonLinesSink])
def test_full_device_is_named(tracks: MakeTracks, make: Callable[..., Sink]) -> None:
    with (
        make("/dev/full") as sink,
        pytest.raises(OSError, match="No space left on device: '/dev/full'") as caught,
    ):
        sink.write(1, None, tracks(2))
    assert caught.value.errno == errno.ENOSPC


RUN_TO_THE_LIMIT = """
import resource, sys
import numpy as np
from mot_reid.structures import Tracks
from mot_reid.video import CsvSink, JsonLinesSink, MotSink, ParquetSink, VideoSink

folder = sys.argv[1]
sinks = [MotSink(f"{folder}/tracks.txt"), CsvSink(f"{folder}/tracks.csv"),
         JsonLinesSink(f"{folder}/tracks.jsonl"), ParquetSink(f"{folder}/tracks.parquet"),
         VideoSink(f"{folder}/tracks.mp4", fps=10)]
resource.setrlimit(resource.RLIMIT_FSIZE, (40_001, 40_001))
number = np.arange(1, 8)
tracks = Tracks(number, np.tile(np.float32([0, 0, 9, 9]), (7, 1)), np.ones(7, np.float32), number, number)
noise = np.random.default_rng(0)
for sink in sinks:
    for frame in range(1, 1000):
        try:
            sink.write(frame, noise.integers(0, 255, (48, 64, 3), dtype=np.uint8), tracks)
        except OSError as error:
            print(frame, error.filename)
            break
    sink.close()
"""


@pytest.mark.skipif(os.name != "posix", reason="needs a limit on the size of files")
def test_full_disk_leaves_whole_frames(tmp_path: Path) -> None:
    from mot_reid.video import open_source

    command = [sys.executable, "-c", RUN_TO_THE_LIMIT, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    failures = dict(reversed(line.split(" ", 1)) for line in done.stdout.splitlines())
    names = ["tracks.txt", "tracks.csv", "tracks.jsonl", "tracks.arrows", "tracks.mp4"]
    assert list(failures) == [str(tmp_path / name) for name in names]
    written = [int(frame) - 1 for frame in failures.values()]
    assert min(written) > 10

    def frames_in(name: str, header: int = 0) -> int:
        content = (tmp_path / name).read_text()
        assert content.endswith("\n")
        lines = len(content.splitlines()) - header
        assert lines % 7 == 0
        return lines // 7

    assert frames_in("tracks.txt") == written[0]
    assert frames_in("tracks.csv", header=1) == written[1]
    assert frames_in("tracks.jsonl") == written[2]
    # There was room for the smaller Parquet file in the end.
    assert pq.read_table(tmp_path / "tracks.parquet").num_rows == 7 * written[3]
    with open_source(tmp_path / "tracks.mp4") as source:
        numbers = [frame.number for frame in source]
    # The last fragment of one second did not fit, and the encoder holds a few frames back.
    assert 0 < written[4] - len(numbers) <= 20
    assert numbers == list(range(1, len(numbers) + 1))


def test_output_folder_is_made(tmp_path: Path) -> None:
    folder = prepare_output_folder(tmp_path / "a" / "b")
    assert folder.is_dir()
    assert not list(folder.iterdir())
    assert prepare_output_folder(str(folder)) == folder


@pytest.mark.parametrize("name", ["file", "file/below"])
def test_output_folder_that_is_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=f"cannot write to output folder .*{name}") as caught:
        prepare_output_folder(tmp_path / name)
    assert "\n" not in str(caught.value)


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write anywhere")
def test_output_folder_without_permission(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match="cannot write to output folder"):
        prepare_output_folder(tmp_path)


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs Linux's /proc")
def test_output_folder_where_nobody_can_write() -> None:
    with pytest.raises(OSError, match="cannot write to output folder"):
        prepare_output_folder("/proc/self")


@pytest.mark.parametrize("name", ["parquet", "coco", "cvat", "yolo"])
def test_a_full_disk_names_the_file(
    name: str, tmp_path: Path, tracks: Callable[..., Tracks], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Libraries and Python's own files leave the name out."""
    entry = FORMATS[name]
    sink = entry.open(tmp_path / entry.file, SinkInfo(width=100, height=100))

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    monkeypatch.setattr("pyarrow.parquet.ParquetWriter", full)
    for reads in ("_read", "_tracks"):
        monkeypatch.setattr(f"mot_reid.video.annotations._DocumentSink.{reads}", full)
    written = contextlib.closing(sink)
    with pytest.raises(OSError, match="No space left") as caught, written:
        sink.write(1, None, tracks())
    assert str(caught.value.filename).startswith(str(tmp_path / entry.file))
