"""The presets: by hand on small scenes, and beside the packages whose methods they are."""

import json
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from mot_reid import Detections, Tracker, Tracks, load_config
from mot_reid.association.associator import Associator
from mot_reid.association.cascade import Stage
from mot_reid.association.presets import CASCADES, DEEPSORT
from mot_reid.boxes import iou
from mot_reid.config import CASCADES as NAMES
from mot_reid.config import PRESETS

GOLDEN = Path(__file__).parents[1] / "golden" / "presets.npz"
SIZE = np.array([40.0, 100.0])
RED, GREEN = np.eye(2, 8, dtype=np.float32)
REDDISH = np.array([0.9, 0, np.sqrt(1 - 0.81), 0, 0, 0, 0, 0], np.float32)  # cosine distance 0.1 from RED
STILL = np.eye(2, 3)


def preset(name: str, *changes: str, fps: float = 30) -> Associator:
    config = load_config(name, [f"association.{change}" for change in changes])
    return Associator(config.association, config.motion, fps)


def step(tracker: Associator, *people: tuple[float, ...], looks: list[np.ndarray] | None = None) -> Tracks:
    """One frame of people: left, top and score each."""
    rows = np.array(people, float).reshape(-1, 3)
    boxes = np.hstack([rows[:, :2], rows[:, :2] + SIZE])
    embeddings = None if looks is None else np.stack(looks)
    return tracker.step(Detections(boxes, rows[:, 2], embeddings=embeddings), STILL)


def ids(tracks: Tracks) -> list[int]:
    return tracks.ids.tolist()


def test_every_name_has_its_stages_and_its_file() -> None:
    assert tuple(CASCADES) == NAMES
    for name in PRESETS:
        config = load_config(name)
        assert config.association.cascade == name
        assert Tracker("none", "none", config=name).cascade == CASCADES[name]
        assert Associator(config.association).cascade == CASCADES[name]
    assert Associator(cascade=DEEPSORT).cascade == DEEPSORT


def test_settings_change_a_preset() -> None:
    config = load_config("bytetrack", ["association.confident.score_share=0.5"])
    assert config.association.confident.score_share == 0.5
    assert config.association.tentative.activation_share == 0.7


def test_bytetrack_takes_scores_as_they_are() -> None:
    tracker = preset("bytetrack")
    for _ in range(5):  # from 0.7 on a track starts, whatever this detector's usual score is
        assert ids(step(tracker, (0, 0, 0.69), (500, 0, 0.71))) == [1]
    assert ids(step(tracker, (0, 0, 0.69), (500, 0, 0.3))) == [1]  # a weak detection goes on
    assert ids(step(tracker, (500, 0, 0.05))) == []  # below 0.1 there is nothing
    assert ids(step(tracker, (500, 0, 0.3))) == []  # and a weak one brings no lost track back
    assert ids(step(tracker, (500, 0, 0.61))) == [1]


def test_bytetracks_overlap_is_iou_times_score_and_must_come_to_a_fifth() -> None:
    offset = 40 * (1 - 0.6)  # of 40 pixels: IoU 0.6 / 1.4, 0.4286; times 0.62 that is 0.266
    assert ids(step(started("bytetrack"), (offset, 0, 0.62))) == [1]
    offset = 40 * (1 - 0.48)  # IoU 0.48 / 1.52, 0.3158; times 0.62 that is 0.196
    assert ids(step(started("bytetrack"), (offset, 0, 0.62))) == []
    assert ids(step(started("bytetrack"), (offset, 0, 0.7))) == [1]  # 0.221


def started(name: str, *changes: str) -> Associator:
    """A tracker that has seen one person at rest, often enough to know that."""
    tracker = preset(name, *changes)
    for _ in range(30):
        step(tracker, (0, 0, 0.9))
    return tracker


@pytest.mark.parametrize(("frames", "back"), [(29, 1), (31, 2)])
def test_bytetracks_memory_is_a_second(frames: int, back: int) -> None:
    tracker = started("bytetrack")
    for _ in range(frames):
        assert ids(step(tracker)) == []
    step(tracker, (0, 0, 0.9))
    assert ids(step(tracker, (0, 0, 0.9))) == [back]


def test_botsorts_appearance_decides_between_near_ones_only() -> None:
    def seen(offset: float) -> Associator:
        """Of RED and GREEN; then one detection as red as it can be, nearer to where GREEN was."""
        tracker = preset("botsort")
        for _ in range(5):
            step(tracker, (0, 0, 0.9), (14, 0, 0.9), looks=[RED, GREEN])
        return tracker

    # 10 pixels away from RED: IoU 0.6. 4 from GREEN: 0.82. RED's cosine distance is 0, GREEN's 1.
    assert ids(step(seen(10), (10, 0, 0.9), looks=[RED])) == [1]
    # 20 pixels: IoU 1 / 3, and appearance has no say.
    assert ids(step(seen(20), (20, 0, 0.9), looks=[RED])) == [2]


def test_botsorts_appearance_is_also_of_no_use_where_it_is_not_alike() -> None:
    tracker = started("botsort")
    assert ids(step(tracker, (5, 0, 0.9), looks=[GREEN])) == [1]  # overlap alone, without a look so far


def test_deepsort_confirms_after_three_frames() -> None:
    tracker = preset("deepsort")
    step(tracker)
    assert [ids(step(tracker, (0, 0, 0.4), looks=[RED])) for _ in range(3)] == [[], [], [1]]
    assert ids(step(tracker, (0, 0, 0.29), looks=[RED])) == []  # below 0.3 there is nothing


def lost(*looks: np.ndarray, frames: int = 10) -> Associator:
    """People 15 pixels apart from each other, of whom the first was lost first, by some frames."""
    tracker = preset("deepsort")
    places = [(15.0 * number, 0.0, 0.9) for number in range(len(looks))]
    for gone in range(len(looks)):
        for _ in range(frames):
            step(tracker, *places[gone:], looks=list(looks[gone:]))
    step(tracker)
    return tracker


def test_deepsort_brings_back_by_appearance_within_the_gate_of_motion() -> None:
    assert ids(step(lost(RED), (6, 0, 0.9), looks=[REDDISH])) == [1]
    assert ids(step(lost(RED), (6, 0, 0.9), looks=[GREEN])) == []  # another one, however near
    assert ids(step(lost(RED), (400, 0, 0.9), looks=[RED])) == []  # alike, but nobody walks that fast
    assert ids(step(lost(RED, frames=30), (6, 0, 0.9), looks=[RED])) == [1]


def test_deepsorts_lately_seen_come_first() -> None:
    """Both are as red as the one who comes, the first of them even more; the second was seen later."""
    assert ids(step(lost(RED, REDDISH), (7, 0, 0.9), looks=[RED])) == [2]
    at_once = preset("deepsort")
    first = Stage(**{entry.name: getattr(DEEPSORT[0], entry.name) for entry in fields(Stage)})
    at_once.cascade = (first, DEEPSORT[1])
    # The same without turns: the better appearance wins.
    for gone in range(2):
        for _ in range(10):
            step(at_once, *[(0.0, 0.0, 0.9), (15.0, 0.0, 0.9)][gone:], looks=[RED, REDDISH][gone:])
    step(at_once)
    assert ids(step(at_once, (7, 0, 0.9), looks=[RED])) == [1]


def test_deepsort_remembers_looks_one_by_one() -> None:
    """Who was red at first and green ever since comes back as either; after 100 views red is forgotten."""
    for green_views, back in ((60, [1]), (99, [1]), (100, [])):
        tracker = preset("deepsort")
        for look in [RED] + [GREEN] * green_views:
            step(tracker, (0, 0, 0.9), looks=[look])
        step(tracker)  # overlap is of no use any more
        assert ids(step(tracker, (0, 0, 0.9), looks=[RED])) == back


@pytest.mark.parametrize(("frames", "back"), [(29, [1]), (30, [])])
def test_deepsorts_memory_is_a_second(frames: int, back: list[int]) -> None:
    tracker = preset("deepsort")
    for _ in range(10):
        step(tracker, (0, 0, 0.9), looks=[RED])
    for _ in range(frames):
        assert ids(step(tracker)) == []
    assert ids(step(tracker, (0, 0, 0.9), looks=[RED])) == back


def test_deepsort_without_embeddings_is_left_with_overlap() -> None:
    tracker = started("deepsort")
    assert ids(step(tracker, (3, 0, 0.9))) == [1]
    step(tracker)
    assert ids(step(tracker, (3, 0, 0.9))) == []


@pytest.mark.parametrize("name", PRESETS)
def test_presets_agree_with_their_peers_on_a_stored_scene(name: str) -> None:
    """tests/golden/README.md says whose results these are."""
    scene = np.load(GOLDEN)
    tracker, results, start = preset(name), [], 0
    for number, (count, affine) in enumerate(zip(scene["counts"], scene["affines"], strict=True)):
        rows = slice(start, start + count)
        start += count
        embeddings = scene["embeddings"][rows] if name == "deepsort" else None
        given = Detections(scene["xyxy"][rows], scene["scores"][rows], embeddings=embeddings)
        tracks = tracker.step(given, affine if name == "botsort" else STILL)
        results.append(np.column_stack([np.full(len(tracks), number), tracks.ids, tracks.xyxy]))
    ours, theirs = np.concatenate(results), scene[name]
    assert agreement(ours, theirs) > AGREEMENT[name]


AGREEMENT = {"bytetrack": 0.99, "botsort": 0.999, "deepsort": 0.999}


def agreement(ours: np.ndarray, theirs: np.ndarray) -> float:
    """IDF1 of one set of rows (frame, id, xyxy) held against another."""
    our_ids, theirs_ids = (np.unique(rows[:, 1], return_inverse=True) for rows in (ours, theirs))
    shared = np.zeros((len(our_ids[0]), len(theirs_ids[0])))
    for frame in np.unique(theirs[:, 0]):
        a, b = ours[:, 0] == frame, theirs[:, 0] == frame
        near = iou(ours[a, 2:], theirs[b, 2:].astype(float)) >= 0.5
        for row, column in zip(*near.nonzero(), strict=True):
            shared[our_ids[1][a][row], theirs_ids[1][b][column]] += 1
    return 2 * shared[linear_sum_assignment(-shared)].sum() / (len(ours) + len(theirs))


PEERS = {"bytetrack": (67.84, 77.64, 80.06), "botsort": (69.00, 78.20, 81.58)}
"""HOTA, MOTA, IDF1 in benchmarks/tables/mot17-yolox-presets.md, with the command."""


@pytest.mark.data
@pytest.mark.parametrize("name", PEERS)
def test_presets_score_as_their_peers(name: str, run: Callable[..., Any], data: Path, tmp_path: Path) -> None:
    camera = "gmc.txt" if name == "botsort" else "still"
    result = run(
        *("benchmark", "mot17", "--data", data, "--half", "second", "--detections", "yolox_x_ablation"),
        *("--preset", name, "--embedder", "none", "--camera-motion", camera, "--name", name, "-o", tmp_path),
        *("--jobs", 1),  # two processes would take longer to start than to track
    )
    assert result.code == 0, result.err
    hota = json.loads((tmp_path / f"{name}.json").read_text())["rows"][-1]["HOTA"]
    assert abs(hota - PEERS[name][0]) < 0.3


def test_a_preset_is_an_option_of_track_and_changed_by_others(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    frames, config = tmp_path / "frames", tmp_path / "own.yaml"
    frames.mkdir()
    for number in range(1, 4):
        cv2.imwrite(str(frames / f"{number}.png"), np.zeros((120, 160, 3), np.uint8))
    people = ((1, 10, 0.8), (2, 10, 0.8), (3, 15, 0.3))  # a weak one at an IoU of 5 / 7
    rows = [f"{number},-1,{left},10,30,80,{score}" for number, left, score in people]
    (tmp_path / "det.txt").write_text("\n".join(rows))
    config.write_text("association: {weak: {min_iou: 0.9}}")
    given = ("track", frames, "--detections", tmp_path / "det.txt", "--no-video", "-q")
    for changes, reported in (
        ((), 3),
        (("--config", config), 2),
        (("--set", "association.low_score=0.4"), 2),
    ):
        result = run(*given, "--preset", "bytetrack", *changes, "-o", tmp_path / "out")
        assert result.code == 0, result.err
        assert len((tmp_path / "out" / "tracks.txt").read_text().splitlines()) == reported


def test_an_unknown_method_is_named_with_those_that_are_known(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    told = run("track", tmp_path, "--preset", "sort")
    assert told.code == 2
    assert "--preset 'sort': expected one of bytetrack, botsort, deepsort" in told.err
    with pytest.raises(FileNotFoundError, match=r"not found: sort \(known by name: bytetrack, botsort"):
        load_config("sort")
    told = run("track", tmp_path, "--config", "bytetrak")
    assert told.code == 2
    assert "configuration not found: bytetrak (known by name: bytetrack" in told.err


def test_a_file_of_a_methods_name_is_meant_by_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bytetrack").write_text("device: cpu")
    assert load_config("./bytetrack").device == "cpu"
    assert load_config("bytetrack").association.cascade == "bytetrack"


def test_config_prints_a_preset(run: Callable[..., Any], tmp_path: Path) -> None:
    printed = run("config", "-c", "deepsort")
    (tmp_path / "printed.yaml").write_text(printed.out)
    assert load_config(tmp_path / "printed.yaml") == load_config("deepsort")
