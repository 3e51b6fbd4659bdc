"""``mot-reid count`` and ``mot-reid track --analytics``."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

SCENE = """
size: [320, 240]
lines:
  door: {from: [0, 150], to: [320, 150], directions: [down, up]}
zones:
  yard: {polygon: [[0, 160], [320, 160], [320, 240], [0, 240]]}
"""


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(SCENE)
    return path


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    path = tmp_path / "gt.txt"
    path.write_text("".join(f"{f},{1},{50},{f * 4},{30},{60},1,-1,-1,-1\n" for f in range(1, 41)))
    return path


def test_counts_are_printed(run: Callable[..., Any], tracks: Path, scene: Path) -> None:
    outcome = run("count", tracks, scene, "--fps", 10)
    assert outcome.code == 0
    cells = [line.replace("│", " ").split() for line in outcome.out.splitlines()]
    assert ["door", "down", "1", "1"] in cells
    assert ["door", "up", "0", "0"] in cells


def test_counts_and_events_are_written(
    run: Callable[..., Any], tracks: Path, scene: Path, tmp_path: Path
) -> None:
    outcome = run(
        "count", tracks, scene, "--fps", 10, "--size", "320x240", "-o", tmp_path / "out", "--events"
    )
    assert outcome.code == 0
    printed = [json.loads(line) for line in outcome.out.splitlines()]
    logged = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    assert printed == logged
    assert [event["kind"] for event in logged] == ["cross", "enter", "leave"]
    summary = json.loads((tmp_path / "out" / "analytics.json").read_text())
    assert summary["lines"]["door"] == {"down": 1, "up": 0, "objects": {"down": 1, "up": 0}}


def test_a_scene_drawn_on_another_size_fits(run: Callable[..., Any], tracks: Path, scene: Path) -> None:
    scene.write_text(SCENE.replace("[320, 240]", "[640, 480]").replace("150]", "300]"))
    outcome = run("count", tracks, scene, "--fps", 10, "--size", "320x240", "--events")
    events = [json.loads(line) for line in outcome.out.splitlines()]
    assert [event["direction"] for event in events if event["place"] == "door"] == ["down"]


def test_identities_count_once(run: Callable[..., Any], tracks: Path, scene: Path, tmp_path: Path) -> None:
    again = "".join(f"{f + 400},{2},{50},{f * 4},{30},{60},1,-1,-1,-1\n" for f in range(1, 41))
    tracks.write_text(tracks.read_text() + again)
    (tmp_path / "who.csv").write_text("id,identity\n1,9\n2,9\n", encoding="utf-8-sig")  # as Excel has it
    outcome = run("count", tracks, scene, "--fps", 10, "--identities", tmp_path / "who.csv")
    assert ["door", "down", "2", "1"] in [line.replace("│", " ").split() for line in outcome.out.splitlines()]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.txt"], "track file not found"),
        (["{tracks}"], "--fps"),
        (["{tracks}", "--fps", "10", "--size", "wide"], "--size: expected"),
        (["{tracks}", "--fps", "10", "--size", "320x320"], "another shape"),
    ],
)
def test_what_cannot_be_counted_is_a_usage_error(
    run: Callable[..., Any], tracks: Path, scene: Path, arguments: list[str], message: str
) -> None:
    filled = [argument.format(tracks=tracks) for argument in arguments]
    outcome = run("count", filled[0], scene, *filled[1:])
    assert outcome.code == 2
    assert message in outcome.err


@pytest.mark.parametrize("row", ["0,1,50,4,30,60,1", "1,1,50,4,-30,60,1"])
def test_rows_that_cannot_be_counted_are_named(
    run: Callable[..., Any], tracks: Path, scene: Path, row: str
) -> None:
    tracks.write_text(f"2,1,50,8,30,60,1\n{row}\n")
    outcome = run("count", tracks, scene, "--fps", 10)
    assert outcome.code == 2
    assert f"error: {tracks}: row 2: expected a frame from 1 on and a box x1, y1, x2, y2, got" in outcome.err


def test_a_run_counts_as_it_goes(run: Callable[..., Any], scene: Path, tmp_path: Path) -> None:
    pictures = tmp_path / "walk"
    pictures.mkdir()
    boxes = []
    for frame in range(1, 31):
        cv2.imwrite(str(pictures / f"{frame:06d}.png"), np.zeros((240, 320, 3), np.uint8))
        boxes.append(f"{frame},-1,50,{20 + frame * 5},30,60,0.9\n")
    (tmp_path / "det.txt").write_text("".join(boxes))
    outcome = run(
        *("track", pictures, "-o", tmp_path / "out", "--detections", tmp_path / "det.txt", "--no-video"),
        *("--embedder", "none", "--camera-motion", "none", "--analytics", scene),
    )
    assert outcome.code == 0, outcome.err
    live = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    assert [event["kind"] for event in live] == ["cross", "enter", "leave"]
    assert "events.jsonl" in json.loads((tmp_path / "out" / "summary.json").read_text())["outputs"]
    outcome = run("count", tmp_path / "out", scene, "--events")
    assert [json.loads(line)["id"] for line in outcome.out.splitlines()] == [event["id"] for event in live]


def test_a_scene_that_is_wrong_stops_the_run_before_it_begins(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    scene = tmp_path / "shop.yaml"
    scene.write_text("lines: {door: {from: [0, 0]}}")
    (tmp_path / "det.txt").write_text("1,-1,50,20,30,60,0.9\n")
    outcome = run("track", tmp_path, "--detections", tmp_path / "det.txt", "--analytics", scene)
    assert outcome.code == 2
    assert "line door: to is missing" in outcome.err


def test_a_scene_of_another_shape_stops_all_runs_before_they_begin(
    run: Callable[..., Any], scene: Path, tmp_path: Path
) -> None:
    for name, width in (("wide", 320), ("tall", 160)):
        (tmp_path / name).mkdir()
        cv2.imwrite(str(tmp_path / name / "000001.png"), np.zeros((240, width, 3), np.uint8))
    outcome = run(
        *("track", tmp_path / "wide", tmp_path / "nowhere.mp4", tmp_path / "tall", "-o", tmp_path / "out"),
        *("--embedder", "none", "--camera-motion", "none", "--analytics", scene),
    )
    told = "size: the scene was drawn on 320 x 240 pixels, the video has 160 x 240, another shape"
    missing = f"error: {tmp_path / 'nowhere.mp4'}: no such file or folder"
    assert outcome.code == 2
    assert outcome.err.splitlines() == [missing, f"error: {scene}: {told} ({tmp_path / 'tall'})"]
    assert not (tmp_path / "out").exists()


def test_finished_tracks_count_as_the_run_did_to_its_end(
    run: Callable[..., Any], scene: Path, tmp_path: Path
) -> None:
    """Somebody who is lost long before the video ends has left, and is not there at the end."""
    pictures = tmp_path / "walk"
    pictures.mkdir()
    for frame in range(1, 121):
        cv2.imwrite(str(pictures / f"{frame:06d}.png"), np.zeros((240, 320, 3), np.uint8))
    (tmp_path / "det.txt").write_text("".join(f"{frame},-1,50,120,30,60,0.9\n" for frame in range(1, 31)))
    scene.write_text(SCENE + "queues:\n  till: {zone: yard, min_wait: 0.5}\n")
    outcome = run(
        *("track", pictures, "-o", tmp_path / "out", "--detections", tmp_path / "det.txt", "--no-video"),
        *("--embedder", "none", "--camera-motion", "none", "--analytics", scene, "--csv"),
    )
    assert outcome.code == 0, outcome.err
    live = [json.loads(line) for line in (tmp_path / "out" / "events.jsonl").read_text().splitlines()]
    assert [event["kind"] for event in live] == ["enter", "leave", "served"]
    for name in ("tracks.csv", "tracks.txt"):
        printed = run("count", tmp_path / "out" / name, scene, "--events").out.splitlines()
        assert [json.loads(line) for line in printed] == live


def test_names_in_brackets_are_shown(run: Callable[..., Any], tracks: Path, tmp_path: Path) -> None:
    scene = tmp_path / "gates.yaml"
    scene.write_text('lines:\n  "gate [/a]": {from: [0, 150], to: [320, 150], directions: ["[in]", out]}\n')
    outcome = run("count", tracks, scene, "--fps", 10)
    assert outcome.code == 0, outcome.err
    assert "gate [/a]" in outcome.out
    assert "[in]" in outcome.out


def test_a_report_makes_its_folder(run: Callable[..., Any], tracks: Path, tmp_path: Path) -> None:
    (tmp_path / "yard").mkdir()
    tracks.rename(tmp_path / "yard" / "tracks.txt")
    source = {"name": "yard", "fps": 10, "width": 320, "height": 240}
    (tmp_path / "yard" / "summary.json").write_text(json.dumps({"source": source, "last_frame": 40}))
    outcome = run("report", tmp_path / "yard", "-o", tmp_path / "new" / "report.html")
    assert outcome.code == 0, outcome.err
    assert (tmp_path / "new" / "report.html").is_file()
