"""Every example runs, on a short clip of a real person who walks through the picture."""

import json
import os
import runpy
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from mot_reid import Detections, Tracker

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples"
SHORT = 60  # lines


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve frames of 640x300: a photograph of one person is pushed from the left to the right."""
    person = cv2.imread(str(ROOT / "mot_reid" / "assets" / "astronaut.jpg"))
    assert person is not None
    person = cv2.resize(person, (int(260 * person.shape[1] / person.shape[0]), 260))
    height, width = person.shape[:2]
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, (640, 300))
    for step in range(12):
        frame = np.full((300, 640, 3), 110, np.uint8)
        frame[30 : 30 + height, 20 + 25 * step : 20 + 25 * step + width] = person
        writer.write(frame)
    writer.release()
    return path


ARGUMENTS = {
    "webcam.py": ["{clip}", "--no-window"],
    "line_count.py": ["{clip}", "--line", "250,300,250,0"],
    "zone_dwell.py": ["{clip}", "--zone", "0,0,640,0,640,300,0,300"],
    "pandas_table.py": ["{clip}", "-o", "out"],
    "own_detector.py": ["{clip}"],
    "own_embedder.py": ["{clip}"],
    "own_cost_term.py": [],
    "supervision_annotators.py": ["{clip}", "-o", "new/annotated.mp4"],
    "masks_and_keypoints.py": ["{clip}", "--model", str(ROOT / "weights" / "person_yolo11n.pt")],
    "every_third_frame.py": ["{clip}"],
    "blur_people.py": ["{clip}", "-o", "new/blurred.mp4"],
}
TOLD = {
    "webcam.py": "1 in view [1]",
    "line_count.py": "goes",
    "zone_dwell.py": "was inside for",
    "pandas_table.py": "seconds",
    "own_detector.py": "[1",
    "own_embedder.py": "embedded",
    "own_cost_term.py": "track 1",
    "supervision_annotators.py": "written to",
    "masks_and_keypoints.py": "written to annotated/",
    "every_third_frame.py": "frame 10",
    "blur_people.py": "written to",
}


def test_every_example_is_short_and_told_of() -> None:
    table = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    for path in sorted(EXAMPLES.iterdir()):
        if path.suffix in (".py", ".ipynb"):
            assert f"({path.name})" in table
        if path.suffix == ".py":
            assert len(path.read_text(encoding="utf-8").splitlines()) < SHORT
            assert path.name in ARGUMENTS or path.name == "several_cameras_api.py"


@pytest.mark.parametrize("name", ARGUMENTS)
def test_example(name: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str],
                 monkeypatch: pytest.MonkeyPatch) -> None:  # fmt: skip
    if name in ("supervision_annotators.py", "masks_and_keypoints.py"):
        pytest.importorskip("supervision")
    monkeypatch.chdir(tmp_path)
    arguments = [argument.format(clip=clip) for argument in ARGUMENTS[name]]
    monkeypatch.setattr(sys, "argv", [name, *arguments])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert TOLD[name] in capsys.readouterr().out
    for path in tmp_path.rglob("*.mp4"):
        with av.open(str(path)) as video:
            times = [frame.time for frame in video.decode(video=0)]
        assert np.diff(times) == pytest.approx([0.1] * 11)  # at the clip's rate, not at any other


def test_the_webcam_s_window_needs_a_display(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenCV's own way of saying so ends the process."""

    def require_display() -> None:
        raise RuntimeError("there is no display")

    monkeypatch.setattr("mot_reid.video.window.require_display", require_display)
    monkeypatch.setattr("cv2.imshow", lambda *_: pytest.fail("a window was opened"))
    monkeypatch.setattr(sys, "argv", ["webcam.py", str(clip)])
    with pytest.raises(RuntimeError, match="there is no display"):
        runpy.run_path(str(EXAMPLES / "webcam.py"), run_name="__main__")


@pytest.mark.parametrize("name", ["blur_people.py", "supervision_annotators.py"])
def test_an_example_does_not_write_over_its_source(
    name: str, clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = clip.read_bytes()
    monkeypatch.setattr(sys, "argv", [name, str(clip), "-o", str(clip)])
    with pytest.raises(SystemExit):
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    assert "is the source" in capsys.readouterr().err
    assert clip.read_bytes() == before


def test_blurred_people_are_not_there(clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["blur_people.py", str(clip), "-o", "b.mp4"])
    runpy.run_path(str(EXAMPLES / "blur_people.py"), run_name="__main__")
    sharpness = []
    for path in (clip, tmp_path / "b.mp4"):
        video = cv2.VideoCapture(str(path))
        frame = [video.read()[1] for _ in range(8)][-1]
        sharpness.append(cv2.Laplacian(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), cv2.CV_64F).var())
    assert sharpness[1] < 0.7 * sharpness[0]


def test_several_cameras(clip: Path) -> None:
    testclient = pytest.importorskip("fastapi.testclient", reason="needs fastapi and httpx")
    module = runpy.run_path(str(EXAMPLES / "several_cameras_api.py"))
    client = testclient.TestClient(module["app"])
    video = cv2.VideoCapture(str(clip))
    for _ in range(3):
        body = cv2.imencode(".jpg", video.read()[1])[1].tobytes()
        before = time.monotonic() - module["start"]
        answers = {name: client.post(f"/cameras/{name}/frames", content=body).json() for name in ("a", "b")}
    assert [row["id"] for row in answers["a"]] == [row["id"] for row in answers["b"]] == [1]
    assert all(edge == round(edge, 1) for edge in answers["a"][0]["xyxy"])
    assert module["trackers"]["a"].time >= before  # not the third frame at 30 a second
    assert client.post("/cameras/a/frames", content=b"no picture").status_code == 415
    assert client.delete("/cameras/a").status_code == 200


def test_notebook(clip: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    cells = json.loads((EXAMPLES / "notebook.ipynb").read_text(encoding="utf-8"))["cells"]
    code = "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    environment = os.environ | {"VIDEO": str(clip), "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "paths.png").stat().st_size > 1000


@pytest.mark.parametrize("kind", ["segmentation", "pose", "obb"])
def test_masks_keypoints_and_turned_boxes_follow_their_track(kind: str) -> None:
    """Two people pass each other; the model gives them in another order in every frame.

    Results are built as Ultralytics' models build theirs, for no weights of such models ship.
    """
    sv, torch = pytest.importorskip("supervision"), pytest.importorskip("torch")
    results = pytest.importorskip("ultralytics.engine.results")
    annotated = runpy.run_path(str(EXAMPLES / "masks_and_keypoints.py"))["annotated"]
    tracker, random = Tracker("none", "none", "none"), np.random.default_rng(0)
    line = sv.LineZone(sv.Point(160, 0), sv.Point(160, 240))
    zone = sv.PolygonZone(np.array([[0, 0], [100, 0], [100, 240], [0, 240]]))
    colours: dict[int, list[int]] = {}
    inside, picture = [], np.zeros((240, 320, 3), np.uint8)
    for step in range(21):
        boxes = np.array(
            [[20 + 12 * step, 20, 60 + 12 * step, 100], [260 - 12 * step, 130, 300 - 12 * step, 210]]
        )
        order = random.permutation(2)
        rows = torch.tensor(np.column_stack([boxes, [0.9, 0.8], [0, 0]])[order], dtype=torch.float32)
        parts: dict[str, Any] = {}
        if kind == "segmentation":  # the upper half of each box
            parts["masks"] = torch.zeros(2, 240, 320)
            for mask, (x1, y1, x2, _) in zip(parts["masks"], boxes[order], strict=True):
                mask[y1 : y1 + 40, x1:x2] = 1
        elif kind == "pose":  # all of a person's points in the middle
            middle = torch.tensor((boxes[order, :2] + boxes[order, 2:]) / 2)
            parts["keypoints"] = torch.cat([middle[:, None].repeat(1, 17, 1), torch.ones(2, 17, 1)], 2)
        else:
            sides = rows[:, 2:4] - rows[:, :2]
            centres = (rows[:, :2] + rows[:, 2:4]) / 2
            parts["obb"] = torch.cat([centres, sides, torch.zeros(2, 1), rows[:, 4:]], 1)
        given = None if kind == "obb" else rows
        result = results.Results(picture, "x.jpg", {0: "person"}, boxes=given, **parts)
        tracks = tracker.update(None, Detections.from_ultralytics(result))
        drawn, found = annotated(picture.copy(), result, tracks)
        assert sorted(found.tracker_id.tolist()) == [1, 2]
        for track_id, box in zip(found.tracker_id.tolist(), found.xyxy, strict=True):
            np.testing.assert_allclose(box, boxes[track_id - 1], atol=0.5)
            x, y = (int(place) for place in (box[:2] + box[2:]) / 2)
            colour = drawn[y - 10, x] if kind == "segmentation" else drawn[y, x]
            assert bool(colour.any()) == (kind != "obb")
            if kind == "segmentation":
                assert colours.setdefault(track_id, colour.tolist()) == colour.tolist()
        line.trigger(found)
        inside.append(sorted(found.tracker_id[zone.trigger(found)].tolist()))
    assert (line.in_count, line.out_count) == (1, 1)
    assert (inside[0], inside[-1]) == ([1], [2])
