"""Nothing is silent: a run without tracks, ground truth of another layout, a file's name for a folder."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_yolo import write_yolo

from mot_reid.cli import progress
from mot_reid.evaluation.sequences import find_sequences

NO_MODELS = ("--embedder", "none", "--camera-motion", "none")


def test_a_run_without_tracks_says_why(run: Any, scene: Any, tmp_path: Path) -> None:
    detections = tmp_path / "det.txt"
    for text, words in (
        ("70,-1,1,1,20,40,0.9\n", "det.txt: no detection falls in the frames tracked"),
        (
            "".join(f"{n},-1,{40 * (n % 3) + 1},1,9,40,0.21\n" for n in range(1, 61)),
            "whose best score is 0.21",
        ),
    ):
        detections.write_text(text)
        outcome = run(
            "track", scene.video, "--detections", detections, "-o", tmp_path / "out", *NO_MODELS, "-q"
        )
        assert outcome.code == 0
        assert words in outcome.err
        assert outcome.err.count("\n") == 1


def test_a_detector_that_finds_nothing(run: Any, scene: Any, tmp_path: Path) -> None:
    outcome = run("track", scene.video, "-o", tmp_path / "out", *NO_MODELS, "--stop", "2", "--no-video")
    assert outcome.code == 0
    assert "walk: no track: the detector found no person of score 0.1 or more in 2 frames" in outcome.err


def test_a_run_tells_it_with_the_name_of_its_source(run: Any, scene: Any, tmp_path: Path) -> None:
    detections = tmp_path / "det.txt"
    detections.write_text("".join(f"{n},-1,{0.01 * n},0.2,0.1,0.3,0.9\n" for n in range(1, 61)))
    outcome = run(
        *("track", scene.video, "--detections", detections, "-o", tmp_path / "out"),
        *("--embedder", "none", "--camera-motion", "none", "-q"),
    )
    assert outcome.code == 0
    assert outcome.err.startswith("walk: boxes of frame 1: all coordinates lie between 0.01 and 0.5")
    assert outcome.err.count("in pixels") == 1
    assert "all coordinates lie between" in (tmp_path / "out" / "summary.json").read_text()


def _traffic(path: Path) -> Path:
    """A detector that finds two cars and a dog in every picture, and never a person."""
    boxes = np.zeros((1, 4 + 3, 4), np.float32)
    boxes[0, :4] = np.array([[20, 20, 10, 10], [40, 40, 10, 20], [41, 41, 10, 20], [50, 20, 8, 8]]).T
    boxes[0, 5, :3], boxes[0, 6, 3] = (0.9, 0.8, 0.7), 0.6  # the third is the second once more
    return write_yolo(path, boxes, (64, 64), names="{0: 'person', 1: 'car', 2: 'dog'}")


def test_what_is_there_instead_of_the_wanted_class_is_told(run: Any, scene: Any, tmp_path: Path) -> None:
    detector = _traffic(tmp_path / "traffic.onnx")
    arguments = ("track", scene.video, "-o", tmp_path / "out", *NO_MODELS, "--detector", detector, "-q")
    outcome = run(*arguments, "--stop", 6)
    assert outcome.code == 0
    assert outcome.err == (
        "walk: no track: the detector found no person of score 0.1 or more in 6 frames, but 12 car, 6 dog: "
        "--classes car\n"
    )
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["boxes_of_other_classes"] == {"car": 12, "dog": 6}
    assert run(*arguments, "--stop", 6, "--classes", "car").err == ""
    assert run(*arguments, "--stop", 6, "--classes", "").err == ""
    nothing = run(*arguments, "--stop", 6, "--classes", "", "--score", 0.95)
    assert "the detector found nothing of score 0.95 or more in 6 frames; --classes, --score" in nothing.err
    both = run(*arguments, "--stop", 6, "--classes", "person,dog", "--score", 0.65)
    assert (
        "found no person and no dog of score 0.65 or more in 6 frames, but 12 car: --classes car" in both.err
    )


def test_several_sources_at_once_tell_each_their_own(run: Any, scene: Any, tmp_path: Path) -> None:
    detector = _traffic(tmp_path / "traffic.onnx")
    other = tmp_path / "other.mp4"
    shutil.copy(scene.video, other)
    outcome = run(
        *("track", scene.video, other, "-o", tmp_path / "out", *NO_MODELS, "--detector", detector, "-q"),
        *("--jobs", 2, "--stop", 5),
    )
    lines = sorted(outcome.err.splitlines())
    assert [line.partition(":")[0] for line in lines] == ["other", "walk"]
    assert all(line.endswith("in 5 frames, but 10 car, 5 dog: --classes car") for line in lines)


@pytest.mark.parametrize("level", [0.15, 0.2, 0.3, 0.4])
def test_modest_scores_are_tracked(level: float, run: Any, scene: Any, tmp_path: Path) -> None:
    detections = tmp_path / "det.txt"
    detections.write_text(scene.detections.read_text().replace(",0.9,", f",{level},"))
    outcome = run("track", scene.video, "--detections", detections, "-o", tmp_path / "out", *NO_MODELS, "-q")
    assert (outcome.code, outcome.err) == (0, "")
    assert len((tmp_path / "out" / "tracks.txt").read_text().splitlines()) >= 10


def test_a_file_is_no_folder(run: Any, scene: Any, tmp_path: Path) -> None:
    arguments = ("--detections", scene.detections, *NO_MODELS)
    for name in ("x.mp4", "tracks.TXT", "a/b.csv"):
        outcome = run("track", scene.video, *arguments, "-o", tmp_path / name)
        assert outcome.code == 2
        assert f"--output {tmp_path / name}: expected a folder" in outcome.err
    assert not list(tmp_path.iterdir())
    assert run("track", scene.video, *arguments, "-o", tmp_path / "v1.5", "--stop", "2").code == 0


def test_progress_without_a_terminal(
    run: Any, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "LINE_EVERY", 0.0)
    arguments = (
        "track",
        scene.video,
        "--detections",
        scene.detections,
        *NO_MODELS,
        "-o",
        tmp_path,
        "--no-video",
    )
    lines = run(*arguments).err.splitlines()
    assert len(lines) == 60
    assert lines[-1].startswith("walk: 60 of 60 frames, ")
    assert lines[-1].endswith(" 2 in view")
    assert run(*arguments, "-q").err == ""


def _sequence(folder: Path, rows: str) -> Path:
    (folder / "gt").mkdir(parents=True)
    (folder / "gt" / "gt.txt").write_text(rows)
    return folder


def test_a_class_is_no_world_coordinate(run: Any, tmp_path: Path) -> None:
    visdrone = "".join(f"{n},{i},10,10,20,40,{i % 2},{i},0,{i % 3}\n" for n in (1, 2, 3) for i in range(1, 5))
    sequence = _sequence(tmp_path / "drone", visdrone)
    outcome = run("eval", sequence / "gt" / "gt.txt", "--gt", sequence)
    assert outcome.code == 2
    assert "gt.txt: ten columns with a class in the eighth, as VisDrone's" in outcome.err
    assert find_sequences(sequence, protocol="mot15")[0].protocol.name == "mot15"
    for number, last in enumerate(("-1,-1,-1", "0,0,0", "3.2,1.5,0", "-3,1,0", "1200,1,0")):
        other = _sequence(tmp_path / f"sequence{number}", f"1,1,10,10,20,40,1,{last}\n")
        assert find_sequences(other)[0].protocol.name == "mot15"


def test_eval_takes_what_track_has_written(run: Any, scene: Any, tmp_path: Path) -> None:
    rows = np.loadtxt(scene.detections, delimiter=",")
    truth = "".join(
        f"{int(r[0])},{1 + i % 2},{r[2]},{r[3]},{r[4]},{r[5]},1,-1,-1,-1\n" for i, r in enumerate(rows)
    )
    for name in ("walk", "other"):
        _sequence(tmp_path / "data" / name, truth)
    run("track", scene.video, "--detections", scene.detections, "-o", tmp_path / "out", *NO_MODELS)
    for where in (("--gt", tmp_path / "data"), ("--gt", tmp_path / "data" / "walk")):
        outcome = run("eval", tmp_path / "out", *where)
        assert outcome.code == 0, outcome.err
        assert "100.0" in outcome.out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no device that is always full")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_standard_output_on_a_full_disk_is_named(unbuffered: str, scene: Any, tmp_path: Path) -> None:
    (tmp_path / "scene.yaml").write_text("lines:\n  door: {from: [80, 0], to: [80, 120]}\n")
    rows = np.loadtxt(scene.detections, delimiter=",")
    rows[:, 1] = 1 + np.arange(len(rows)) % 2
    np.savetxt(tmp_path / "tracks.txt", rows[:, :7], fmt="%g", delimiter=",")
    _sequence(tmp_path / "truth", (tmp_path / "tracks.txt").read_text())
    tracks, truth = tmp_path / "tracks.txt", tmp_path / "truth"
    for arguments in (
        ("config",),
        ("--version",),
        ("count", tracks, tmp_path / "scene.yaml", "--fps", "25", "--events"),
        ("eval", tracks, "--gt", truth),
    ):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                [sys.executable, "-m", "mot_reid", *arguments],
                stdout=full,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
            )
        assert done.returncode == 1
        assert done.stderr == "error: standard output: No space left on device\n", arguments
