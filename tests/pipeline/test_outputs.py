"""What a run may remove and write over: its own files, and nothing that a link leads to."""

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import mot_reid
from mot_reid.pipeline.outputs import OUTPUT_FILES, first_overwritten
from mot_reid.structures import Detections

NOTHING: dict[str, Any] = {"embedder": "none", "camera_motion": "none", "formats": ["mot", "csv"]}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(1, 4):
        cv2.imwrite(str(folder / f"{number}.png"), np.zeros((40, 60, 3), np.uint8))
    return folder


def detections() -> dict[int, Detections]:
    return {number: Detections([[5, 5, 20, 35]], [0.9]) for number in range(1, 4)}


@pytest.mark.parametrize("link", [os.link, os.symlink])
@pytest.mark.parametrize("name", ["tracks.txt", "tracks.csv", "tracks.jsonl", "summary.json"])
def test_a_link_in_the_output_folder_leads_nowhere(
    pictures: Path, tmp_path: Path, link: Any, name: str
) -> None:
    mine = tmp_path / "mine.txt"
    mine.write_text("mine")
    out = tmp_path / "out"
    out.mkdir()
    link(mine, out / name)
    mot_reid.track(pictures, output=out, detections=detections(), **NOTHING)
    assert mine.read_text() == "mine"
    assert (out / "tracks.txt").read_text().startswith("1,1,5.00")


@pytest.mark.parametrize("link", [None, os.link, os.symlink])
def test_python_refuses_to_write_over_what_it_reads(pictures: Path, tmp_path: Path, link: Any) -> None:
    given = tmp_path / "out" / "tracks.csv"
    given.parent.mkdir()
    if link is None:
        given.write_text("1,-1,5,5,15,30,0.9\n")
    else:
        (tmp_path / "det.txt").write_text("1,-1,5,5,15,30,0.9\n")
        link(tmp_path / "det.txt", given)
    with pytest.raises(ValueError, match="would be overwritten"):
        mot_reid.track(pictures, output=given.parent, detections=given, **NOTHING)
    assert given.read_text() == "1,-1,5,5,15,30,0.9\n"


def test_a_scene_named_like_an_output_is_kept(pictures: Path, tmp_path: Path) -> None:
    scene = tmp_path / "analytics.json"
    scene.write_text("{}")
    tracker = mot_reid.Tracker("none", "none", "none")
    config = mot_reid.load_config(None, overrides=[f"output.analytics={scene}"], base=tracker.config)
    with pytest.raises(ValueError, match="would be overwritten"):
        mot_reid.track(
            pictures,
            output=tmp_path,
            detections=detections(),
            tracker=mot_reid.Tracker("none", "none", "none", config=config),
        )
    assert scene.read_text() == "{}"


def test_files_that_are_not_a_run_s_stay(pictures: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "tracks_yolo"
    folder.mkdir(parents=True)
    (folder / "000001.txt").write_text("an earlier run's")
    (folder / "classes.txt").write_text("mine")
    mot_reid.track(pictures, output=folder.parent, detections=detections(), **NOTHING)
    assert [path.name for path in folder.iterdir()] == ["classes.txt"]
    (folder / "classes.txt").rename(folder / "000001.txt")
    mot_reid.track(pictures, output=folder.parent, detections=detections(), **NOTHING)
    assert not folder.exists()


def test_every_output_is_looked_for(tmp_path: Path) -> None:
    for name in OUTPUT_FILES:
        assert first_overwritten([tmp_path], [tmp_path / name]) == tmp_path / name
    assert first_overwritten([tmp_path], [tmp_path / "other.txt", "0", "rtsp://door/1"]) is None


def test_python_is_told_why_there_is_nothing(
    pictures: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    other = {100: Detections([[5, 5, 20, 35]], [0.9])}
    mot_reid.track(pictures, output=tmp_path / "a", detections=other, **NOTHING)
    assert "pictures: no detection falls in the frames tracked; they are of frames 100 to 100" in caplog.text
    faint = {number: Detections([[5, 5, 20, 35]], [0.01]) for number in range(1, 4)}
    mot_reid.track(pictures, output=tmp_path / "b", detections=faint, **NOTHING)
    assert "no track from 3 detections in 3 frames, whose best score is 0.01" in caplog.text


def test_the_rate_of_pictures_is_an_argument(pictures: Path, tmp_path: Path) -> None:
    options = {key: value for key, value in NOTHING.items() if key != "formats"}
    frames = [frame for frame, _ in mot_reid.track(pictures, detections=detections(), fps=2, **options)]
    assert [frame.time for frame in frames] == [0, 0.5, 1.0]
    with pytest.raises(TypeError, match="fps: expected a number"):
        mot_reid.track(pictures, fps="2", **options)  # type: ignore[call-overload]
