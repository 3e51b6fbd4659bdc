"""``mot-reid track`` end to end, with good and with bad input."""

import json
import os
import runpy
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from filelock import FileLock

from mot_reid.cli.track import _unique
from mot_reid.detection.yolo import import_ultralytics
from mot_reid.pipeline.finished_tracks import read_columns

NO_MODELS = ("--embedder", "none", "--camera-motion", "none")
Run = Callable[..., Any]


def mot_rows(path: Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", ndmin=2)


def frame_count(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_video_and_its_detections(run: Run, scene: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(
        "track", scene.video, "--detections", scene.detections, "-o", out, *NO_MODELS,
        "--csv", "--jsonl", "--parquet",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "60 frames, 2 tracks" in result.out
    assert result.err == ""
    rows = mot_rows(out / "tracks.txt")
    assert len(rows) == 120
    for track_id, first, last in ((1, 2, 120), (2, 128, 10)):
        mine = rows[rows[:, 1] == track_id]
        assert (mine[0, 2], mine[-1, 2]) == (first, last)
    assert frame_count(out / "tracks.mp4") == 60
    table = pq.read_table(out / "tracks.parquet").to_pydict()
    lines = [json.loads(line) for line in (out / "tracks.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == table["id"] == rows[:, 1].tolist()
    header, *csv_lines = (out / "tracks.csv").read_text().splitlines()
    assert header.split(",") == list(table) == list(lines[0])
    assert len(csv_lines) == 120
    assert table["time"] == pytest.approx([(frame - 1) / 25 for frame in table["frame"]])
    assert table["wall_clock"] == [None] * 120


def test_the_summary_says_what_was_done(run: Run, scene: Any, tmp_path: Path) -> None:
    in_turn = ("--set", "pipeline.overlap=no")
    run("track", scene.video, "--detections", scene.detections, "-o", tmp_path, *NO_MODELS, *in_turn)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["complete"] is True
    assert (summary["frames"], summary["last_frame"], summary["tracks"], summary["rows"]) == (60, 60, 2, 120)
    assert summary["outputs"] == ["tracks.txt", "tracks.mp4"]
    stages = summary["milliseconds_per_frame"]
    names = {"decode", "detect", "embed", "camera motion", "associate", "remember", "draw", "write"}
    assert set(stages) == names
    assert stages["detect"] == stages["embed"] == stages["camera motion"] == stages["remember"] == 0
    assert min(stages[name] for name in ("decode", "associate", "draw", "write")) > 0
    assert sum(stages.values()) * 60 / 1000 <= summary["seconds"] * 1.01
    assert summary["configuration"]["embedder"]["weights"] == "none"
    assert summary["versions"]["numpy"] == np.__version__


def test_at_a_share_of_zero_no_embedder_is_loaded(run: Run, scene: Any, tmp_path: Path) -> None:
    share = ("--set", "association.embedding.share=0", "--embedder", "nowhere.onnx")
    given = ("--detections", scene.detections, "--camera-motion", "none")
    result = run("track", scene.video, *given, "-o", tmp_path, "--no-video", *share)
    assert result.code == 0, result.err
    assert json.loads((tmp_path / "summary.json").read_text())["models"]["embedder"] == "none"


def test_folders_sequences_and_several_sources(run: Run, scene: Any, tmp_path: Path) -> None:
    pictures = scene.folder(tmp_path / "walk")
    sequence = tmp_path / "MOT-01"
    sequence.mkdir()
    scene.folder(sequence / "img1")
    (sequence / "seqinfo.ini").write_text(
        "[Sequence]\nname=MOT-01\nimDir=img1\nframeRate=10\nseqLength=60\nimWidth=160\nimHeight=120\nimExt=.png\n"
    )
    for source in (pictures, sequence):
        out = tmp_path / f"out-{source.name}"
        arguments = ("--detections", scene.detections, "-o", out, "--no-video", *NO_MODELS)
        assert run("track", source, *arguments).code == 0
        assert len(mot_rows(out / "tracks.txt")) == 120
        assert not (out / "tracks.mp4").exists()


def test_sources_whose_names_differ_in_capitals_get_a_folder_each_on_any_disk() -> None:
    assert _unique(["Door", "door", "yard", "DOOR"]) == ["Door", "door-2", "yard", "DOOR-3"]


def test_start_stop_stride_keep_frame_numbers(run: Run, scene: Any, tmp_path: Path) -> None:
    arguments = ("--start", "11", "--stop", "21", "--stride", "5", "--detections", scene.detections)
    assert run("track", scene.video, *arguments, "-o", tmp_path, *NO_MODELS).code == 0
    assert np.unique(mot_rows(tmp_path / "tracks.txt")[:, 0]).tolist() == [11, 16, 21]
    assert frame_count(tmp_path / "tracks.mp4") == 3


def test_a_second_run_replaces_the_first(run: Run, scene: Any, tmp_path: Path) -> None:
    arguments = ("track", scene.video, "--detections", scene.detections, "-o", tmp_path, *NO_MODELS)
    run(*arguments, "--csv")
    run(*arguments, "--stop", "5", "--no-video")
    assert mot_rows(tmp_path / "tracks.txt")[-1, 0] == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == ["summary.json", "tracks.txt"]


def test_an_hour_without_people_is_fine(run: Run, scene: Any, tmp_path: Path) -> None:
    (tmp_path / "det.txt").write_text("")
    result = run(
        "track", scene.video, "--detections", tmp_path / "det.txt", "-o", tmp_path / "out", *NO_MODELS
    )
    assert result.code == 0
    assert (tmp_path / "out" / "tracks.txt").read_text() == ""


def test_settings_reach_the_tracker(run: Run, scene: Any, tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("association:\n  tentative:\n    min_hits: 7\n")
    arguments = ("--config", tmp_path / "my.yaml", "--set", "association.low_score=0.2", "--trail", "0")
    run("track", scene.video, "--detections", scene.detections, "-o", tmp_path, *NO_MODELS, *arguments)
    configuration = json.loads((tmp_path / "summary.json").read_text())["configuration"]
    assert configuration["association"]["tentative"]["min_hits"] == 7
    assert configuration["association"]["low_score"] == 0.2
    assert configuration["output"]["trail"] == 0


# What the command cannot be run with: one line, exit code 2, and nothing is written.
USAGE_ERRORS = {
    "no such option": (["--nonsense"], "No such option: --nonsense"),
    "another tracker's option": (["--conf", "0.3"], "No such option: --conf; here it is --score"),
    "another one's threshold": (["--iou", "0.5"], "No such option: --iou; here it is --set detector.nms_iou"),
    "another one's distance": (["--match-thresh", "0.8"], "confident.min_iou=1-THRESHOLD"),
    "another one's buffer": (["--track-buffer", "30"], "lifecycle.lost_time=SECONDS"),
    "a source as an option": (["--source", "a.mp4"], "--source; sources are given by themselves"),
    "an option as Ultralytics has it": (["conf=0.3"], "conf=0.3: no such file or folder; options are given"),
    "not a number": (["--stride", "x"], "'--stride': Input should be a valid integer"),
    "stride": (["--stride", "0"], "stride: expected at least 1, got 0"),
    "stop before start": (["--start", "9", "--stop", "3"], "stop: expected at least start = 9, got 3"),
    "score": (["--score", "1.5"], "detector.score: expected a value between 0 and 1, got 1.5"),
    "image size": (["--image-size", "333"], "detector.image_size: expected a multiple of 32, got 333"),
    "setting": (["--set", "association.low_scor=3"], "did you mean association.low_score?"),
    "setting's value": (
        ["--set", "association.tentative.min_hits=-3"],
        "association.tentative.min_hits: expected a value at least 1",
    ),
    "configuration file": (["--config", "nowhere.yaml"], "configuration file not found: nowhere.yaml"),
    "a huge setting": (
        ["--set", "association.tentative.min_hits=99999999999999999999"],
        "expected a number below 2147483648",
    ),
    "a folder as configuration": (["--config", "."], "cannot be read"),
    "score without detector": (["--score", "0.5"], "--score: has no effect with --detections"),
    "detector beside detections": (["--detector", "mine.pt"], "--detector: has no effect with --detections"),
    "not an embedder": (["--embedder", "person_yolo11n.pt"], "not an embedder"),
    "camera motion file": (["--camera-motion", "nowhere.txt"], "camera motion file not found: nowhere.txt"),
    "embedder": (["--embedder", "nowhere.onnx"], "weights not found: nowhere.onnx"),
    "device": (
        ["--device", "abacus", "--embedder", "mgn_osnet_lct_x0_5.safetensors"],
        "device 'abacus' is not known; known: auto, cpu",
    ),
}


@pytest.mark.parametrize("case", USAGE_ERRORS)
def test_usage_errors(case: str, run: Run, scene: Any, tmp_path: Path) -> None:
    options, message = USAGE_ERRORS[case]
    out = tmp_path / "out"
    result = run("track", scene.video, "--detections", scene.detections, "-o", out, *NO_MODELS, *options)
    assert result.code == 2
    assert message in result.err
    assert result.err.count("\n") == 1
    assert not out.exists()


def test_detectors_and_detection_files(run: Run, scene: Any, tmp_path: Path) -> None:
    result = run("track", scene.video, "--detector", "none", "-o", tmp_path)
    assert (result.code, result.err) == (2, "error: --detector none: needs --detections FILE\n")
    result = run("track", scene.video, "--detector", "nowhere.pt", "-o", tmp_path)
    assert result.code == 2
    assert "weights not found: nowhere.pt (nothing is downloaded; shipped:" in result.err
    result = run("track", scene.video, scene.video, "--detections", scene.detections, "-o", tmp_path)
    assert (result.code, result.err) == (2, "error: --detections: one file cannot serve 2 sources\n")
    (tmp_path / "det.txt").write_text("1,-1,5,5,20,40,0.9\n1,-1,5,5,nan,40,0.9\n")
    result = run("track", scene.video, "--detections", tmp_path / "det.txt", "-o", tmp_path)
    assert result.code == 2
    assert "det.txt:2: a value is not finite" in result.err


def bad_source(kind: str, scene: Any, folder: Path) -> tuple[Path, str]:
    """A source that cannot be read, and what its error has to say."""
    path = folder / "source"
    if kind == "missing":
        return path, "no such file or folder"
    if kind == "empty":
        path.write_bytes(b"")
        return path, "empty (0 bytes)"
    if kind == "no video":
        path.write_text("hello " * 500)
        return path, "not a video"
    if kind == "empty folder":
        path.mkdir()
        return path, "no pictures in this folder"
    return folder / "source.mp4", ""


@pytest.mark.parametrize("kind", ["missing", "empty", "no video", "empty folder"])
def test_sources_that_cannot_be_opened(kind: str, run: Run, scene: Any, tmp_path: Path) -> None:
    source, message = bad_source(kind, scene, tmp_path)
    out, there = tmp_path / "runs" / "out", tmp_path / "there"
    there.mkdir()
    for folder in (out, there):
        result = run("track", source, "--detections", scene.detections, "-o", folder, *NO_MODELS)
        assert result.code == 1
        assert str(source) in result.err
        assert message in result.err
        assert result.err.count("\n") == 1
    assert (out.parent.exists(), there.exists()) == (False, True)


@pytest.mark.parametrize("others", [0, 1])
def test_sources_that_are_missing_are_told_before_anything_is_loaded_or_made(
    others: int, run: Run, tmp_path: Path
) -> None:
    missing = [tmp_path / "nowhere.mp4", tmp_path / "nothing.mp4"][: 1 + others]
    gallery = ("--gallery", tmp_path / "shop", "--identify")
    result = run("track", *missing, "-o", tmp_path / "out", "--detector", tmp_path / "no.pt", *gallery)
    told = [f"error: {path}: no such file or folder" for path in missing]
    told += ["error: 2 of 2 sources failed"] * others
    assert (result.code, result.err.splitlines()) == (1, told)
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_is_missing_is_told_before_the_others_are_tracked(
    run: Run, scene: Any, tmp_path: Path
) -> None:
    given = ("--embedder", "none", "--camera-motion", "none", "--no-video", "--set", "detector.score=0.9")
    out = tmp_path / "out"
    result = run("track", scene.video, tmp_path / "nowhere.mp4", "-o", out, "--stop", "1", *given)
    assert result.code == 1
    lines = result.err.splitlines()
    assert lines[0] == f"error: {tmp_path}/nowhere.mp4: no such file or folder"
    assert lines[-1] == "error: 1 of 2 sources failed"
    assert [path.name for path in out.iterdir()] == [scene.video.stem]
    assert (out / scene.video.stem / "summary.json").exists()


def test_pictures_one_by_one_are_told_to_be_sources(run: Run, scene: Any, tmp_path: Path) -> None:
    folder = scene.folder(tmp_path / "walk")
    pictures = sorted(folder.iterdir())[:2]
    result = run("track", *pictures, "--detector", "nowhere.pt", "-o", tmp_path / "out", *NO_MODELS)
    assert "2 pictures, each a source of one frame; to track" in result.err
    assert f"mot-reid track {folder}" in result.err


def test_classes_that_were_taken_for_sources_are_told(run: Run, scene: Any, tmp_path: Path) -> None:
    def told(*given: object) -> str:
        result = run("track", *given, "--detector", tmp_path / "none.pt", "-o", tmp_path)  # goes no further
        assert result.code == 2
        return str(result.err.splitlines()[0])

    assert told("--classes", "0", "2", scene.video) == (
        "2: taken for a source; if a class is meant, write them as one: --classes 0,2"
    )
    assert told(scene.video, "--classes", "person", "car", "dog").endswith(": --classes person,car,dog")
    for fine in ([scene.video, "2", "--classes", "person"], ["2", "--classes", "0"], [scene.video, "2"]):
        assert told(*fine).startswith("error: weights not found")


def test_what_came_before_a_break_is_kept(run: Run, scene: Any, tmp_path: Path) -> None:
    source, out = tmp_path / "cut.mp4", tmp_path / "out"
    source.write_bytes(scene.video.read_bytes()[: scene.video.stat().st_size * 6 // 10])
    arguments = ("--detections", scene.detections, "-o", out, *NO_MODELS, "--csv", "--jsonl", "--parquet")
    result = run("track", source, *arguments)
    assert result.code == 1
    summary = json.loads((out / "summary.json").read_text())
    frames = summary["frames"]
    assert 10 < frames < 60
    assert "breaks off after frame" in result.err
    assert f"{frames} frames kept in {out}" in result.err
    assert summary["complete"] is False
    assert summary["error"] in result.err
    assert mot_rows(out / "tracks.txt")[-1, 0] == frames
    assert frame_count(out / "tracks.mp4") == frames
    assert pq.read_table(out / "tracks.parquet").num_rows == 2 * frames
    assert len((out / "tracks.csv").read_text().splitlines()) == 2 * frames + 1
    assert not (out / ".lock").exists()


@pytest.mark.parametrize("foreign", [False, True])
def test_an_unusable_picture_ends_nothing(foreign: bool, run: Run, scene: Any, tmp_path: Path) -> None:
    pictures, out = scene.folder(tmp_path / "pictures"), tmp_path / "out"
    if foreign:
        cv2.imwrite(str(pictures / "000031.png"), np.zeros((60, 80, 3), np.uint8))
    else:
        (pictures / "000031.png").write_bytes(b"\x89PNG nothing more")
    result = run("track", pictures, "--detections", scene.detections, "-o", out, *NO_MODELS)
    assert (result.code, "59 frames (1 damaged left out)" in result.out) == (0, True)
    summary = json.loads((out / "summary.json").read_text())
    assert (summary["frames"], summary["frames_damaged"], summary["complete"]) == (59, 1, True)
    note = "pictures of another size skipped: 000031.png (80x60); the others are 160x120"
    assert summary["notes"] == [note if foreign else "damaged pictures skipped: 000031.png"]
    rows = mot_rows(out / "tracks.txt")
    assert set(range(1, 61)) - set(rows[:, 0]) == {31}


@pytest.mark.parametrize(("first", "last"), [(10, 21), (5, 16), (2, 13), (100, 111)])
def test_detections_are_matched_to_pictures_by_file_name(
    first: int, last: int, run: Run, scene: Any, tmp_path: Path
) -> None:
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(first, last + 1):
        cv2.imwrite(str(pictures / f"{number:06d}.png"), scene.frames[number - first])
    rows = [line.split(",") for line in scene.detections.read_text().splitlines()]
    shifted = [[str(int(row[0]) + first - 1), *row[1:]] for row in rows if int(row[0]) <= last - first + 1]
    (tmp_path / "det.txt").write_text("\n".join(map(",".join, shifted)))
    result = run("track", pictures, "--detections", tmp_path / "det.txt", "-o", tmp_path / "out", *NO_MODELS)
    assert result.code == 0
    found = mot_rows(tmp_path / "out" / "tracks.txt")
    assert len(found) == 2 * (last - first + 1)
    assert found[0, 2] == 2
    notes = json.loads((tmp_path / "out" / "summary.json").read_text())["notes"]
    assert notes == [f"detections are matched to pictures by file name: those of {first} belong to frame 1"]


def test_some_detections_of_other_frames_are_told(run: Run, scene: Any, tmp_path: Path) -> None:
    text = scene.detections.read_text() + "70,-1,5,5,20,40,0.9\n"
    (tmp_path / "det.txt").write_text(text)
    arguments = (
        "track",
        scene.video,
        "--detections",
        tmp_path / "det.txt",
        "-o",
        tmp_path / "out",
        *NO_MODELS,
    )
    assert "detections of 1 of its 61 frames fall outside" in run(*arguments).err
    assert run(*arguments, "--stop", "30").err == ""  # those are meant to be left out


def test_a_video_that_cannot_be_written_fails_alone(run: Run, scene: Any, tmp_path: Path) -> None:
    pictures = tmp_path / "wide"
    pictures.mkdir()
    for number in (1, 2, 3):
        cv2.imwrite(str(pictures / f"{number}.png"), np.zeros((60, 16_500, 3), np.uint8))
    arguments = ("--detections", scene.detections, "-o", tmp_path / "out", *NO_MODELS, "--csv")
    result = run("track", pictures, *arguments)
    assert result.code == 0
    assert len(mot_rows(tmp_path / "out" / "tracks.txt")) == 6
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["complete"] is True
    assert summary["notes"] == [
        "tracks.mp4 ends early: H.264 holds pictures of up to 16384 pixels a side, this one has 16500x60"
    ]


def test_several_sources_with_the_models_that_ship(run: Run, scene: Any, tmp_path: Path) -> None:
    """Real detector and embedder; a bad source does not stop the others, and each starts at id 1."""
    (tmp_path / "empty.mp4").write_bytes(b"")
    assets = Path(import_ultralytics().__path__[0]) / "assets"
    for name in ("bus", "zidane"):
        for folder in (tmp_path / name, tmp_path / "again" / name):
            folder.mkdir(parents=True)
            for number in (1, 2, 3):
                (folder / f"{number}.jpg").symlink_to(assets / f"{name}.jpg")
    sources = [tmp_path / "bus", tmp_path / "empty.mp4", tmp_path / "zidane", tmp_path / "again" / "zidane"]
    result = run("track", *sources, "-o", tmp_path / "out", "--score", "0.4", "--no-video")
    assert result.code == 1
    assert "empty.mp4: the file is empty (0 bytes)" in result.err
    assert "1 of 4 sources failed" in result.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["bus", "zidane", "zidane-2"]
    for name, people in (("bus", 3), ("zidane", 2), ("zidane-2", 2)):
        rows = mot_rows(tmp_path / "out" / name / "tracks.txt")
        assert set(rows[:, 1]) >= set(range(1, people + 1)), name
        summary = json.loads((tmp_path / "out" / name / "summary.json").read_text())
        stages = summary["milliseconds_per_frame"]
        assert min(stages["detect"], stages["embed"], stages["camera motion"]) > 0
        assert summary["models"]["embedder"].endswith(".safetensors (onnxruntime cpu)")
    again = [mot_rows(tmp_path / "out" / name / "tracks.txt") for name in ("zidane", "zidane-2")]
    np.testing.assert_allclose(*again, atol=0.02)
    at_once = ("--score", "0.4", "--no-video", "--jobs", 3)
    result = run("track", *sources, "-o", tmp_path / "at once", *at_once)
    assert result.code == 1
    assert "empty.mp4: the file is empty (0 bytes)" in result.err
    assert [line.split(":")[0] for line in result.out.splitlines()] == ["bus", "zidane", "zidane"]
    for name in ("bus", "zidane", "zidane-2"):
        rows = [mot_rows(tmp_path / folder / name / "tracks.txt") for folder in ("out", "at once")]
        np.testing.assert_allclose(*rows, atol=0.02)


def test_classes_of_the_detector(run: Run, scene: Any, tmp_path: Path) -> None:
    result = run("track", scene.video, "--classes", "person,dog", "-o", tmp_path / "out")
    assert result.code == 2
    assert (
        "class 'dog' is not one of the detector's 1; known: person; more are in other weights" in result.err
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("where", ["below a file", "on a file"])
def test_an_unwritable_output_folder(where: str, run: Run, scene: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    out = tmp_path / "file" if where == "on a file" else tmp_path / "file" / "out"
    result = run("track", scene.video, "--detections", scene.detections, "-o", out, *NO_MODELS)
    assert result.code == 2
    assert str(out) in result.err
    assert "cannot write to output folder" in result.err
    assert result.err.count("\n") == 1


def test_two_runs_do_not_write_into_one_folder(run: Run, scene: Any, tmp_path: Path) -> None:
    with FileLock(tmp_path / ".lock"):
        result = run("track", scene.video, "--detections", scene.detections, "-o", tmp_path, *NO_MODELS)
    assert result.code == 1
    assert "another run is writing there" in result.err
    assert not (tmp_path / "tracks.txt").exists()


def long_run(scene: Any, folder: Path, *options: str, prefix: str = "", frames: int = 12000) -> list[str]:
    """A command in a process of its own that takes many seconds: the scene's pictures over and over."""
    pictures = folder / "long"
    pictures.mkdir()
    for number in range(frames):
        os.link(folder / "walk" / f"{number % 60 + 1:06d}.png", pictures / f"{number + 1:06d}.png")
    command = "import os, sys; os.environ['MOT_REID_NUMBA'] = '0'; "  # NumPy is loaded sooner
    command += "from mot_reid.cli import main; sys.argv[0] = 'mot-reid'; " + prefix + "main()"
    arguments = [
        "track",
        pictures,
        "--detections",
        scene.detections,
        "-o",
        folder / "out",
        *NO_MODELS,
        *options,
    ]
    return [sys.executable, "-c", command, *map(str, arguments)]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_interrupting_keeps_what_there_is(
    number: signal.Signals, scene: Any, tmp_path: Path, hear_ctrl_c: Callable[[], None]
) -> None:
    scene.folder(tmp_path / "walk")
    command = long_run(scene, tmp_path, "--parquet")
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c)
    tracks = tmp_path / "out" / "tracks.txt"
    deadline = time.monotonic() + 60
    while not (tracks.exists() and tracks.stat().st_size > 500) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert errors == f"interrupted after {summary['frames']} frames, kept in {tmp_path / 'out'}\n"
    assert summary["error"] == "interrupted"
    rows = mot_rows(tracks)
    assert 0 < rows[-1, 0] == min(summary["frames"], 60)
    assert frame_count(tmp_path / "out" / "tracks.mp4") == summary["frames"]
    assert pq.read_table(tmp_path / "out" / "tracks.parquet").num_rows == len(rows)


def test_interrupting_several_sources_keeps_all(
    scene: Any, tmp_path: Path, hear_ctrl_c: Callable[[], None]
) -> None:
    scene.folder(tmp_path / "walk")
    command = long_run(scene, tmp_path, "--no-video", prefix=LIGHT_DETECTOR)
    place = command.index("--detections")
    other = tmp_path / "other"
    (tmp_path / "long").rename(other)
    command[place : place + 2] = [str(other), "--jobs", "2"]
    command[command.index("track") + 1] = str(other)
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hear_ctrl_c)
    files = [tmp_path / "out" / name / "tracks.txt" for name in ("other", "other-2")]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and not all(f.exists() and f.stat().st_size > 500 for f in files):
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert errors.count("interrupted after") == 2
    for tracks in files:
        summary = json.loads((tracks.parent / "summary.json").read_text())
        assert summary["error"] == "interrupted"
        rows = mot_rows(tracks)  # the last frame may have none: after 60 the person jumps back
        assert len(rows) == summary["rows"] > 0
        assert rows[-1, 0] <= summary["last_frame"]


LIGHT_DETECTOR = """
import numpy as np
from mot_reid import Detections, Tracker

class Red:
    class_names = {0: 'person'}
    def __init__(self, *args): pass
    def detect(self, frames):
        return [self.one(*np.nonzero(frame[..., 2] > 200)) for frame in frames]
    def one(self, y, x):
        return Detections([[x.min(), y.min(), x.max() + 1, y.max() + 1]]) if len(x) else Detections.empty()

import mot_reid.detection.yolo
mot_reid.detection.yolo.YoloDetector = Red
"""


def test_a_full_disk_costs_only_what_did_not_fit(scene: Any, tmp_path: Path) -> None:
    """A limit on the size of files stands in for the disk's end: both make writing fail."""
    scene.folder(tmp_path / "walk")
    limit = "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000)); "
    command = long_run(scene, tmp_path, prefix=limit, frames=400)
    result = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert result.returncode == 1
    assert "tracks.mp4: File too large" in result.stderr
    rows = mot_rows(tmp_path / "out" / "tracks.txt")
    assert rows[-1, 0] == 60
    assert frame_count(tmp_path / "out" / "tracks.mp4") > 20
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["complete"] is False


@pytest.mark.parametrize("which", ["video", "detections"])
def test_a_run_does_not_overwrite_what_it_reads(which: str, run: Run, scene: Any, tmp_path: Path) -> None:
    video, detections = scene.video, scene.detections
    if which == "video":
        video = tmp_path / "tracks.mp4"
        video.write_bytes(scene.video.read_bytes())
    else:
        detections = tmp_path / "tracks.txt"
        detections.write_bytes(scene.detections.read_bytes())
    before = {path: path.read_bytes() for path in (video, detections)}
    result = run("track", video, "--detections", detections, "-o", tmp_path, *NO_MODELS, "--no-video")
    assert result.code == 2
    assert "would be overwritten by the results" in result.err
    assert {path: path.read_bytes() for path in before} == before


def test_a_run_does_not_overwrite_what_another_one_reads(run: Run, scene: Any, tmp_path: Path) -> None:
    earlier = tmp_path / "walk" / "tracks.mp4"
    earlier.parent.mkdir()
    earlier.write_bytes(before := scene.video.read_bytes())
    result = run("track", scene.video, earlier, "-o", tmp_path, *NO_MODELS, "--no-video")
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "walk/tracks.mp4: would be overwritten by the results" in result.err
    assert earlier.read_bytes() == before
    assert [path.name for path in tmp_path.rglob("*")] == ["walk", "tracks.mp4"]


def test_one_camera_motion_file_cannot_serve_two_sources(run: Run, scene: Any, tmp_path: Path) -> None:
    motion = tmp_path / "gmc.txt"
    motion.write_text("".join(f"{index} 1 0 0 0 1 0\n" for index in range(60)))
    pictures = scene.folder(tmp_path / "pictures")
    result = run("track", scene.video, pictures, "--embedder", "none", "--camera-motion", motion)
    assert (result.code, result.err) == (2, "error: --camera-motion: one file cannot serve 2 sources\n")


@pytest.mark.parametrize(
    ("rows", "told"),
    [("99,-1,0,0,9,9,1\n70,-1,0,0,9,9,1\n", "they are of frames 70 to 99"), ("", "there are none in it")],
)
def test_detections_of_other_frames_are_told(
    rows: str, told: str, run: Run, scene: Any, tmp_path: Path
) -> None:
    detections = tmp_path / "other.txt"
    detections.write_text(rows)
    result = run("track", scene.video, "--detections", detections, "-o", tmp_path / "out", *NO_MODELS)
    assert result.code == 0
    assert result.err == f"{detections}: no detection falls in the frames tracked; {told}\n"


def test_damaged_frames_are_counted(run: Run, scene: Any, tmp_path: Path) -> None:
    with av.open(str(scene.video)) as container:
        packets = [(packet.pos, packet.size) for packet in container.demux(video=0) if packet.size]
    position, size = packets[30]
    content = bytearray(scene.video.read_bytes())
    content[position : position + size] = bytes(size)
    (tmp_path / "damaged.mp4").write_bytes(content)
    arguments = ("--detections", scene.detections, "-o", tmp_path / "out", *NO_MODELS, "--no-video")
    result = run("track", tmp_path / "damaged.mp4", *arguments)
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["frames"] + summary["frames_damaged"] == 60
    assert summary["frames_damaged"] > 0
    assert f"({summary['frames_damaged']} damaged left out)" in result.out


def test_tracebacks_for_who_asks(
    run: Run, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come beside the one-line errors, and change nothing else."""
    monkeypatch.setenv("MOT_REID_DEBUG", "1")
    wrong = "--detections", scene.detections, "--embedder", "person_yolo11n.onnx"
    short = (*NO_MODELS, "--stop", 5)
    result = run("track", scene.video, *wrong, "-o", tmp_path / "out")
    assert result.code == 2
    assert "Traceback" in result.err
    assert result.err.splitlines()[-1].startswith("error: ")
    result = run("track", tmp_path / "none.mp4", scene.folder(tmp_path / "a"), "-o", tmp_path, *short)
    assert result.code == 1
    assert "Traceback" in result.err
    assert "a: 5 frames" in result.out


def test_a_killed_run_is_not_called_complete(run: Run, scene: Any, tmp_path: Path) -> None:
    arguments = ("--detections", scene.detections, "-o", tmp_path / "out", *NO_MODELS)
    run("track", scene.video, *arguments)
    scene.folder(tmp_path / "walk")
    process = subprocess.Popen(long_run(scene, tmp_path, "--parquet"))
    spool = tmp_path / "out" / "tracks.arrows"
    deadline = time.monotonic() + 60
    while not (spool.exists() and spool.stat().st_size > 5000) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.kill()
    process.wait()
    assert not (tmp_path / "out" / "summary.json").exists()
    assert len(mot_rows(tmp_path / "out" / "tracks.txt")) > 2
    assert read_columns(tmp_path / "out").summary["complete"] is False
    run("track", scene.video, *arguments)
    assert not spool.exists()
    assert not (tmp_path / "out" / "begun.json").exists()
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["complete"] is True


def test_anything_unforeseen_is_one_line(
    run: Run, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise KeyError("a fault of ours")

    monkeypatch.setattr("mot_reid.association.associator.Associator.step", broken)
    result = run("track", scene.video, "--detections", scene.detections, "-o", tmp_path, *NO_MODELS)
    assert (result.code, result.err) == (1, "error: 'a fault of ours'\n")


def test_parquet_without_pyarrow(
    run: Run, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    arguments = ("--detections", scene.detections, "-o", tmp_path, *NO_MODELS, "--parquet")
    result = run("track", scene.video, *arguments)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "pip install 'mot_reid[parquet]'" in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", ["track", "batch"])
def test_a_gallery_that_cannot_be_is_told_before_the_first_frame(
    run: Run, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    (tmp_path / "file").touch()
    source = scene.video if command == "track" else scene.video.parent
    arguments = [command, source, "-o", tmp_path / "out", "--gallery", tmp_path / "file"]
    arguments += ["--detections", scene.detections] if command == "track" else []
    result = run(*arguments)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "file: cannot write to gallery" in result.err
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = run(*arguments)
    assert (result.code, result.err.count("\n")) == (2, 1)
    assert "pip install 'mot_reid[parquet]'" in result.err
    assert not (tmp_path / "out").exists()


def test_names_of_cameras_without_a_source_are_told(run: Run, scene: Any, tmp_path: Path) -> None:
    given = ("track", scene.video, "--detections", scene.detections, "--gallery", tmp_path / "shop")
    result = run(*given, "--camera", "door", "--camera", "yard", "-o", tmp_path / "out")
    assert (result.code, result.err) == (2, "error: --camera: 2 names for 1 source\n")
    assert not (tmp_path / "shop").exists()


def test_help_and_version(run: Run) -> None:
    assert "rtsp or http" in run("track", "--help").out
    assert run("--version").out.startswith("mot-reid 0.")
    assert run("track").code == 2


def test_python_runs_the_package(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["mot_reid", "--version"])
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("mot_reid", run_name="__main__")
    assert (ended.value.code, capsys.readouterr().out[:11]) == (0, "mot-reid 0.")


def test_config_prints_what_it_reads(run: Run, tmp_path: Path) -> None:
    first = run("config", "--set", "association.tentative.min_hits=77").out
    (tmp_path / "my.yaml").write_text(first)
    assert run("config", "--config", tmp_path / "my.yaml").out == first
    assert "min_hits: 77" in first
    assert run("config", "--set", "x=1").code == 2


def test_hindsight_fills_gaps_and_leaves_the_online_tracks_alone(
    run: Run, scene: Any, tmp_path: Path
) -> None:
    rows = scene.detections.read_text().splitlines()
    kept = [row for row in rows if not 20 <= int(row.split(",")[0]) <= 24]  # nobody is seen for a moment
    (tmp_path / "det.txt").write_text("\n".join(kept))
    arguments = (
        "track",
        scene.video,
        "--detections",
        tmp_path / "det.txt",
        "--embedder",
        "none",
        "--no-video",
    )
    assert run(*arguments, "-o", tmp_path / "plain").code == 0
    assert run(*arguments, "-o", tmp_path / "both", "--offline", "--stop", 50).code == 0
    online = np.loadtxt(tmp_path / "both" / "tracks.txt", delimiter=",")
    plain = np.loadtxt(tmp_path / "plain" / "tracks.txt", delimiter=",")
    assert np.array_equal(online, plain[plain[:, 0] <= 50])
    refined = np.loadtxt(tmp_path / "both" / "tracks_offline.txt", delimiter=",")
    assert {20, 21, 22, 23, 24}.isdisjoint(online[:, 0])
    assert {20, 21, 22, 23, 24} <= set(refined[:, 0])
    assert refined[:, 0].max() == 50
    summary = json.loads((tmp_path / "both" / "summary.json").read_text())
    assert "tracks_offline.txt" in summary["outputs"]
    # A later run without it leaves no old one behind.
    assert run(*arguments, "-o", tmp_path / "both").code == 0
    assert not (tmp_path / "both" / "tracks_offline.txt").exists()
