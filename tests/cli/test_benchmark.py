"""``mot-reid benchmark`` from the command line, on made-up sequences and one with real people."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

Run = Callable[..., Any]
FRAMES = 40


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two sequences of three people who walk to the right, in MOT17's layout, without pictures."""
    rng = np.random.default_rng(7)
    for name in ("MOT17-20", "MOT17-21"):
        folder = tmp_path / "data" / "mot17" / "train" / name
        truth, found, motion = [], [], []
        for frame in range(1, FRAMES + 1):
            motion.append(f"{frame - 1} 1 0 0 0 1 0\n")
            for person in range(3):
                left, top = 20 + 4 * frame + 150 * person, 50 + 20 * person
                truth.append(f"{frame},{person + 1},{left},{top},40,100,1,1,1\n")
                if rng.random() < 0.9:
                    dx, dy = rng.normal(0, 2, 2)
                    found.append(
                        f"{frame},-1,{left + dx:.1f},{top + dy:.1f},40,100,{rng.uniform(0.7, 1):.2f}\n"
                    )
        for path, rows in (("gt/gt.txt", truth), ("det/frcnn.txt", found), ("gmc.txt", motion)):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text("".join(rows))
        dpm = [row.rsplit(",", 1)[0] + ",1.7\n" for row in found]
        (folder / "det" / "dpm.txt").write_text("".join(dpm))
        (folder / "seqinfo.ini").write_text(
            f"[Sequence]\nname={name}\nimDir=img1\nframeRate=30\nseqLength={FRAMES}\nimWidth=640\nimHeight=480\n"
        )
    return tmp_path / "data"


def table(folder: Path) -> dict[str, Any]:
    (path,) = folder.glob("*.json")
    return json.loads(path.read_text())


def test_late_results_are_told_apart(run: Run, dataset: Path, tmp_path: Path) -> None:
    """A tenth of the boxes is missed; with a lag the gaps are filled."""
    found = {}
    for lag in ("0", "0.2"):
        result = run(
            *("benchmark", "MOT17", "--data", dataset, "--detections", "frcnn", "--embedder", "none"),
            *("--camera-motion", "none", "-o", tmp_path / lag, "--set", f"output.lag={lag}"),
        )
        assert result.code == 0, result.err
        found[lag] = table(tmp_path / lag)
    assert {row["mode"] for row in found["0.2"]["rows"]} == {"late"}
    assert found["0.2"]["title"].endswith("(0.2 s late)")
    now, late = (found[lag]["rows"][-1] for lag in ("0", "0.2"))
    assert (now["mode"], late["FN"] < now["FN"] / 2) == ("online", True)


def test_a_known_methods_table_has_its_name(run: Run, dataset: Path, tmp_path: Path) -> None:
    arguments = ("benchmark", "MOT17", "--data", dataset, "--detections", "frcnn", "--embedder", "none")
    for preset in ("bytetrack", "botsort"):
        given = ("--preset", preset, "--camera-motion", "none", "--sequence", "MOT17-20", "-o", tmp_path)
        assert run(*arguments, *given, "--name", preset).code == 0
        title = json.loads((tmp_path / f"{preset}.json").read_text())["title"]
        assert title == f"MOT17, frcnn detections, cascade {preset}, no appearance, no camera motion (online)"


def test_tracks_scores_and_saves(run: Run, dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = run(
        *("benchmark", "MOT17", "--data", dataset, "--detections", "frcnn", "--embedder", "none"),
        *("--camera-motion", "gmc.txt", "-o", out, "--save-results", "--name", "walk"),
    )
    assert result.code == 0, result.err
    saved = table(out)
    assert [row["sequence"] for row in saved["rows"]] == ["MOT17-20", "MOT17-21", "combined"]
    assert {row["mode"] for row in saved["rows"]} == {"online"}
    assert saved["rows"][2]["GT"] == 2 * 3 * FRAMES
    assert saved["rows"][2]["MOTA"] > 75
    assert saved["rows"][2]["IDF1"] > 85
    assert saved["rows"][2]["associate ms"] > 0
    assert saved["settings"] == {"embedder.weights": "none", "camera.motion": "gmc.txt"}
    assert saved["configuration"]["association"]["tentative"]["min_hits"] > 0
    assert "benchmark MOT17" in saved["command"]
    assert {"commit", "machine", "versions", "models", "date"} <= saved.keys()
    rows = [line for line in (out / "walk.csv").read_text().splitlines() if not line.startswith("#")]
    assert [row["sequence"] for row in csv.DictReader(rows)] == ["MOT17-20", "MOT17-21", "combined"]
    assert "combined" in result.out
    # What was saved scores the same, and is what `track` gives.
    scored = run("eval", out / "walk", "--gt", dataset / "mot17", "-o", tmp_path / "again")
    assert scored.code == 0, scored.err
    again = table(tmp_path / "again")["rows"]
    for name in ("HOTA", "MOTA", "IDF1", "FP", "FN", "IDs"):
        assert [row[name] for row in again] == pytest.approx([row[name] for row in saved["rows"]], abs=1e-9)


def test_other_settings_do_not_overwrite_a_table(run: Run, dataset: Path, tmp_path: Path) -> None:
    arguments = ("benchmark", "MOT17", "--data", dataset, "--detections", "frcnn", "--embedder", "none")
    for more in ([], ["--set", "association.tentative.min_hits=5"], ["--sequence", "MOT17-20"], []):
        outcome = run(*arguments, "--camera-motion", "none", "-o", tmp_path / "out", *more)
        assert outcome.code == 0, outcome.err
    plain = "mot17-frcnn-detections-no-appearance-no-camera-motion-online"
    names = sorted(path.stem for path in (tmp_path / "out").glob("*.json"))
    assert len(names) == 3
    assert names[0] == plain
    assert all(name.startswith(f"{plain}-") for name in names[1:])
    wrong = run(*arguments, "--camera-motion", "none", "-o", tmp_path / "out", "--name", "a/b")
    assert (wrong.code, wrong.err) == (2, "error: --name 'a/b': expected a file's name without folders\n")


def test_half_and_dpm(run: Run, dataset: Path, tmp_path: Path) -> None:
    result = run(
        *("benchmark", dataset / "mot17", "--detections", "dpm", "--embedder", "none", "--half", "second"),
        *("--camera-motion", "none", "-o", tmp_path, "--sequence", "*-21", "-j", 1),
    )
    assert result.code == 0, result.err
    (row,) = table(tmp_path)["rows"]
    assert row["sequence"] == "MOT17-21"
    assert row["GT"] == 3 * (FRAMES - FRAMES // 2 - 1)
    assert row["Boxes"] > 40  # 1.7 is no score as it stands


def test_sweep(run: Run, dataset: Path, tmp_path: Path) -> None:
    search = tmp_path / "search.yaml"
    search.write_text("association:\n  tentative:\n    min_hits: [1, 3]\n")
    result = run(
        *("benchmark", "mot17", "--data", dataset, "--detections", "frcnn", "--embedder", "none"),
        *("--camera-motion", "none", "-o", tmp_path / "out", "--search", search, "--metric", "FN"),
        *("--set", "association.confident.min_iou=0.2,0.3", "--set", "association.low_score=0.2"),
    )
    assert result.code == 0, result.err
    saved = table(tmp_path / "out")
    assert len(saved["rows"]) == 4
    missed = [row["FN"] for row in saved["rows"]]
    assert missed == sorted(missed)
    assert saved["rows"][0]["association.tentative.min_hits"] == "1"
    assert sum(row["picked"] for row in saved["rows"]) == 2
    assert saved["settings"]["association.low_score"] == 0.2
    assert "Leave-one-sequence-out" in result.out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["nowhere"], 2, "data set not found: nowhere; in"),
        (["mot17", "--split", "val"], 2, "no split val; there are: train"),
        (["mot17", "--detections", "sdp"], 1, "MOT17-20: detection file not found"),
        (["mot17"], 1, "MOT17-20: none of 40 frames present"),
        (["mot17", "--detections", "frcnn", "--detector", "yolo11n.pt"], 2, "--detector: has no effect"),
        (["mot17", "--detections", "frcnn", "--scores", "raw"], 2, "'raw' is not known"),
        (["mot17", "--detections", "frcnn", "--half", "third"], 2, "half 'third' is not known"),
        (["mot17", "--detections", "frcnn", "--metric", "F1"], 2, "metric 'F1' is not known"),
        (
            ["mot17", "--detections", "frcnn", "--set", "association.tentative.min_hits=-1,3"],
            2,
            "min_hits: expected",
        ),
        (["mot17", "--no-cache", "--cache", "x"], 2, "choose one"),
        (["mot17", "--detections", "dpm", "--scores", "as-is", "--embedder", "none"], 1, "dpm.txt:1"),
    ],
)
def test_what_is_wrong_is_named(
    arguments: list[str], code: int, message: str, run: Run, dataset: Path, tmp_path: Path
) -> None:
    motion = [] if arguments == ["mot17"] else ["--camera-motion", "none"]
    result = run("benchmark", *arguments, "--data", dataset, *motion, "-o", tmp_path / "out")
    assert result.code == code, result.err
    assert message in result.err
    assert result.err.count("\n") == 1


def test_real_people_from_frames_and_from_the_cache(run: Run, tmp_path: Path) -> None:
    import ultralytics

    picture = cv2.imread(str(Path(ultralytics.__file__).parent / "assets" / "bus.jpg"))
    assert picture is not None
    folder = tmp_path / "data" / "bus"
    (folder / "img1").mkdir(parents=True)
    (folder / "gt").mkdir()
    rows = []
    for frame in range(1, 5):  # the camera goes down the picture
        view = picture[8 * frame : 8 * frame + 1000]
        cv2.imwrite(str(folder / "img1" / f"{frame:06d}.jpg"), cv2.resize(view, (405, 500)))
        rows += [
            f"{frame},{i},{left},{200 - 4 * frame},{width},252,1,-1,-1,-1\n"
            for i, left, width in ((1, 25, 67), (2, 111, 61))
        ]
    (folder / "gt" / "gt.txt").write_text("".join(rows))
    arguments = (
        "benchmark",
        "bus",
        "--data",
        tmp_path / "data",
        "--cache",
        tmp_path / "cache",
        "--image-size",
        416,
    )
    first = run(*arguments, "-o", tmp_path / "first")
    assert first.code == 0, first.err
    (row,) = table(tmp_path / "first")["rows"]
    assert row["Recall"] == 100
    assert row["IDs"] == 0
    assert (
        min(row[f"{stage} ms"] for stage in ("decode", "detect", "embed", "camera motion", "associate")) > 0
    )
    assert row["crops"] > 0
    assert "Read from the cache" not in first.out
    assert len(list((tmp_path / "cache").glob("*.npz"))) == 3
    second = run(*arguments, "-o", tmp_path / "second")
    assert "Read from the cache: detect, embed, camera motion" in second.out
    again = table(tmp_path / "second")["rows"][0]
    assert {k: v for k, v in again.items() if not k.endswith("ms") and k != "frames/s"} == {
        k: v for k, v in row.items() if not k.endswith("ms") and k != "frames/s"
    }
    assert again["detect ms"] == row["detect ms"]
