"""The table of formats: a new output is one class and one row."""

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from mot_reid import Detections, Tracker, load_config
from mot_reid.config import OutputConfig
from mot_reid.pipeline.outputs import OUTPUT_FILES
from mot_reid.pipeline.run import track_source
from mot_reid.video.formats import FORMATS, Format, SinkInfo, chosen_formats, files_of
from mot_reid.video.sinks import Sink, TrackedFrame
from mot_reid.video.sources import open_source


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    import cv2

    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in (1, 2, 3):
        cv2.imwrite(str(folder / f"{number}.png"), np.full((48, 64, 3), 20 * number, np.uint8))
    return folder


class CountSink(Sink):
    """A user's own output: how many tracks each frame has."""

    def __init__(self, path: Path, info: SinkInfo) -> None:
        self.path, self.counts, self.size = path, {}, (info.width, info.height)

    def put(self, frame: TrackedFrame) -> None:
        self.counts[frame.number] = len(frame.tracks)

    def close(self) -> None:
        self.path.write_text(json.dumps({"size": self.size, "counts": self.counts}))


def test_a_new_output_is_one_class_and_one_row(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(FORMATS, "counts", Format("counts.json", "tracks of each frame", CountSink))
    config = load_config(
        None, ["output.formats=[counts]", "camera.motion=none", "association.tentative.min_hits=1"]
    )
    tracker = Tracker(detector="none", embedder="none", config=config)
    given = {number: Detections([[5, 5, 20, 40]], [0.9]) for number in (1, 2, 3)}
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "tracks.mp4").write_text("an earlier run's")
    with open_source(pictures) as source:
        summary = track_source(source, tracker, tmp_path / "out", detections=given)
    assert summary.outputs == ["counts.json"]
    assert json.loads((tmp_path / "out" / "counts.json").read_text()) == {
        "size": [64, 48],
        "counts": {"1": 1, "2": 1, "3": 1},
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["counts.json", "summary.json"]


def test_formats_come_in_the_tables_order_whatever_the_settings() -> None:
    assert list(chosen_formats(("video", "csv", "mot", "csv"))) == ["mot", "csv", "video"]


def test_an_unknown_format_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="'cvs' is not one of the formats; known: mot, jsonl, csv"):
        chosen_formats(["mot", "cvs"])


def test_what_a_run_replaces_comes_from_the_table() -> None:
    assert set(files_of(FORMATS.values())) < set(OUTPUT_FILES)
    assert "tracks.arrows" in OUTPUT_FILES


def test_the_setting_names_every_format() -> None:
    (formats,) = (item for item in fields(OutputConfig) if item.name == "formats")
    assert formats.metadata["help"] == f"what is written: some of {', '.join(FORMATS)}"
