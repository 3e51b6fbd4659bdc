"""The made-up scenes of benchmarks/association_speed.py, and how it looks into the associator; no timings."""

from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from mot_reid.boxes import areas, iou


@pytest.fixture(autouse=True)
def peers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")


def frames(people: int, count: int, seed: int = 0) -> list:
    from peers.scene import Scene

    return list(islice(Scene(people, seed, dimension=16), count))


def test_a_frame_is_what_a_tracker_takes() -> None:
    for frame in frames(people=30, count=20):
        assert frame.xyxy.dtype == frame.scores.dtype == frame.embeddings.dtype == np.float32
        assert len(frame.xyxy) == len(frame.scores) == len(frame.embeddings)
        assert (frame.xyxy[:, 2:] > frame.xyxy[:, :2]).all()
        assert ((frame.scores >= 0) & (frame.scores <= 1)).all()
        np.testing.assert_allclose(np.linalg.norm(frame.embeddings, axis=1), 1, atol=1e-5)
        assert frame.affine.shape == (2, 3)
        assert len(set(frame.true_ids)) == len(frame.true_ids) == len(frame.true_xyxy)


def test_most_people_are_detected_where_they_are() -> None:
    found = total = 0
    for frame in frames(people=30, count=20):
        overlaps = iou(frame.true_xyxy, frame.xyxy.astype(float))
        found += (overlaps.max(axis=1) > 0.6).sum()
        total += len(overlaps)
    assert 0.85 < found / total < 1


def test_people_come_and_go_and_come_back() -> None:
    seen = [set(frame.true_ids.tolist()) for frame in frames(people=30, count=150)]
    assert set.union(*seen) - seen[0]
    assert seen[0] - seen[-1]
    gaps = [person for person in seen[0] & seen[-1] if sum(person not in ids for ids in seen) > 10]
    assert gaps


def test_the_affine_carries_boxes_along_with_the_camera() -> None:
    moved, still = [], []
    for before, after in zip((walk := frames(people=50, count=40))[:-1], walk[1:], strict=True):
        _, i, j = np.intersect1d(before.true_ids, after.true_ids, return_indices=True)
        feet = (before.true_xyxy[i][:, [0, 3]] + before.true_xyxy[i][:, [2, 3]]) / 2
        now = (after.true_xyxy[j][:, [0, 3]] + after.true_xyxy[j][:, [2, 3]]) / 2
        moved.append(np.abs((now - feet @ after.affine[:, :2].T - after.affine[:, 2]).mean(axis=0)))
        still.append(np.abs((now - feet).mean(axis=0)))
    assert np.mean(moved) < np.mean(still)


def test_the_area_of_all_boxes_is_the_same_however_many_people() -> None:
    few, many = (np.mean([areas(f.true_xyxy).sum() for f in frames(n, 30)]) for n in (20, 300))
    assert 0.7 < few / many < 1.4


def test_a_seed_makes_one_scene_that_survives_its_file(tmp_path: Path) -> None:
    from peers.scene import load_frames, save_frames

    made, again = frames(people=8, count=5, seed=3), frames(people=8, count=5, seed=3)
    save_frames(made, tmp_path / "scene.npz")
    for frame, other, read in zip(made, again, load_frames(tmp_path / "scene.npz"), strict=True):
        for name, value in vars(frame).items():
            np.testing.assert_array_equal(value, getattr(other, name))
            np.testing.assert_array_equal(value, getattr(read, name))
    assert not np.array_equal(frames(people=8, count=1, seed=4)[0].affine, made[1].affine)


def test_a_scene_has_people() -> None:
    with pytest.raises(ValueError, match="people: expected at least 1, got 0"):
        frames(people=0, count=1)


def test_the_stages_of_ours_are_timed_frame_by_frame(tmp_path: Path) -> None:
    from peers.ours import CONTENDERS
    from peers.scene import save_frames
    from peers.worker import Task, run

    from mot_reid.association.cascade import CASCADE

    save_frames(frames(people=10, count=3), tmp_path / "scene.npz")
    timing = run(CONTENDERS[0], Task(tmp_path / "scene.npz", budget=60, clock="wall", profile=True))
    assert len(timing.stages) == len(timing.answers) == 3
    parts = {"state", "embeddings", "update", "report", "retire"}
    for times, whole in zip(timing.stages, timing.seconds, strict=True):
        assert set(times) >= parts | {stage.name for stage in CASCADE}
        assert 0 < sum(times.values()) <= whole


def test_a_long_run_tells_how_far_it_is_what_it_holds_and_what_it_takes() -> None:
    from types import SimpleNamespace

    from peers.ours import CONTENDERS
    from peers.worker import LongTask, endure

    told: list = []
    task = LongTask(people=3, warm=100, frames=200, seed=0, clock="wall")
    result = endure(CONTENDERS[0], task, SimpleNamespace(send=told.append))  # type: ignore[arg-type]
    assert [progress.frames for progress in told] == [100, 200]
    assert {100, 200} <= result.held.keys() == result.resident.keys()
    assert all(count > 0 for count in result.held.values())
    assert result.early > 0
    assert result.late > 0
