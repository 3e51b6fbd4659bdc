from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid.config import CameraConfig
from mot_reid.motion.camera import IDENTITY, MotionFile, SparseFlow, load_camera_motion

NOBODY = np.zeros((0, 4), np.float32)


def textured(height: int = 480, width: int = 640, seed: int = 0) -> np.ndarray:
    """A wall of soft random patches: corners everywhere."""
    random = np.random.default_rng(seed)
    small = random.integers(0, 256, (height // 16, width // 16, 3), dtype=np.uint8)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)


def seen_through(wall: np.ndarray, affine: np.ndarray) -> np.ndarray:
    return cv2.warpAffine(wall, affine, (wall.shape[1], wall.shape[0]), borderMode=cv2.BORDER_REFLECT)


@pytest.mark.parametrize("width", [320, 4096])
def test_a_known_motion_is_found(width: int) -> None:
    wall = textured()
    true = np.array([[1.01, -0.005, 6.0], [0.005, 1.01, -3.0]])
    flow = SparseFlow(CameraConfig(width=width))
    assert flow.estimate(wall, NOBODY, 1) is None
    found = flow.estimate(seen_through(wall, true), NOBODY, 2)
    assert found is not None
    corners = np.array([[100, 100, 1], [500, 100, 1], [300, 400, 1.0]]).T
    np.testing.assert_allclose(found @ corners, true @ corners, atol=0.5)


def test_a_still_camera_is_known_to_stand_even_with_noise() -> None:
    wall, flow = textured(), SparseFlow()
    assert flow.estimate(wall, NOBODY, 1) is None  # nothing to compare with
    random = np.random.default_rng(1)
    for number in range(2, 6):
        noisy = np.clip(wall + random.normal(0, 2, wall.shape), 0, 255).astype(np.uint8)
        np.testing.assert_array_equal(flow.estimate(noisy, NOBODY, number), IDENTITY)


def test_a_person_filling_half_the_view_is_masked_out() -> None:
    """The left half walks to the right; the camera stands still."""
    wall, person = textured(), textured(seed=5)
    box = np.array([[0, 0, 360, 480]], np.float32)
    frames = []
    for shift in (0, 8):
        frame = wall.copy()
        moved = seen_through(person, np.array([[1.0, 0, shift], [0, 1, 0]]))
        frame[:, : 340 + shift] = moved[:, : 340 + shift]
        frames.append(frame)
    masked = SparseFlow()
    masked.estimate(frames[0], box, 1)
    np.testing.assert_array_equal(masked.estimate(frames[1], box, 2), IDENTITY)
    unmasked = SparseFlow()
    unmasked.estimate(frames[0], NOBODY, 1)
    assert not np.array_equal(unmasked.estimate(frames[1], NOBODY, 2), IDENTITY)


def test_nothing_to_see_is_not_taken_for_standing() -> None:
    flow = SparseFlow()
    black = np.zeros((480, 640, 3), np.uint8)
    assert flow.estimate(black, NOBODY, 1) is None
    assert flow.estimate(black, NOBODY, 2) is None
    assert flow.estimate(textured(), NOBODY, 3) is None  # a cut: nothing to follow


def test_a_cut_is_not_taken_for_motion() -> None:
    flow = SparseFlow()
    flow.estimate(textured(seed=1), NOBODY, 1)
    assert flow.estimate(textured(seed=2), NOBODY, 2) is None


def test_reset_forgets_the_last_frame() -> None:
    flow = SparseFlow()
    wall = textured()
    flow.estimate(wall, NOBODY, 1)
    flow.reset()
    assert flow.estimate(seen_through(wall, np.array([[1.0, 0, 9], [0, 1, 0]])), NOBODY, 2) is None


def test_a_file_is_read_by_frame_number(tmp_path: Path) -> None:
    path = tmp_path / "gmc.txt"
    path.write_text("\ufeff0\t1 0 0 0 1 0\n1\t1 0 2 0 1 0\n2\t2 0 0 0 2 0\n3\t1 0 0 0 1 5\n\n")
    motion = MotionFile(path)
    assert motion.estimate(None, NOBODY, 1) is None
    np.testing.assert_allclose(motion.estimate(None, NOBODY, 2), [[1, 0, 2], [0, 1, 0]])
    # Frame 3 is left out: first doubled, then shifted.
    np.testing.assert_allclose(motion.estimate(None, NOBODY, 4), [[2, 0, 0], [0, 2, 5]])
    with pytest.raises(ValueError, match="no camera motion for frame 5"):
        motion.estimate(None, NOBODY, 5)
    motion.reset()
    assert motion.estimate(None, NOBODY, 3) is None


@pytest.mark.parametrize(
    "line",
    [
        "1 2 3",
        "1 1 0 0 0 1 nan",
        "a 1 0 0 0 1 0",
        "0 1 0 0 0 1 0 9",
        "nan 1 0 0 0 1 0",
        "0.7 1 0 0 0 1 0",
        "1 0 0 0 0 0 0",
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "gmc.txt"
    path.write_text(f"0 1 0 0 0 1 0\n{line}\n")
    with pytest.raises(ValueError, match=r"gmc\.txt:2: expected a frame index and six numbers"):
        MotionFile(path)


def test_a_file_without_a_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "gmc.txt"
    path.write_text("\n")
    with pytest.raises(ValueError, match=r"gmc\.txt: there is no camera motion in it"):
        load_camera_motion(CameraConfig(motion=str(path)))


def test_what_the_settings_ask_for(tmp_path: Path) -> None:
    assert load_camera_motion(CameraConfig(motion="none")) is None
    assert isinstance(load_camera_motion(CameraConfig()), SparseFlow)
    still = load_camera_motion(CameraConfig(motion="still"))
    assert still is not None
    assert not still.needs_pixels
    assert np.array_equal(still.estimate(None, np.zeros((0, 4), np.float32), 1), np.eye(2, 3))
    with pytest.raises(
        FileNotFoundError, match=r"camera motion file not found: .*known besides files: flow, none"
    ):
        load_camera_motion(CameraConfig(motion=str(tmp_path / "gcm.txt")))


def test_people_are_masked_out_of_frames_that_are_reduced_too() -> None:
    """The right half walks; the camera, whose frames are twice as wide as the flow's, stands still."""
    wall, person = textured(960, 1280), textured(960, 1280, seed=5)
    box = np.array([[560, 0, 1280, 960]], np.float32)
    frames = []
    for shift in (0, 16):
        frame = wall.copy()
        moved = seen_through(person, np.array([[1.0, 0, -shift], [0, 1, 0]]))
        frame[:, 600 - shift :] = moved[:, 600 - shift :]
        frames.append(frame)
    flow = SparseFlow(CameraConfig(width=640))
    flow.estimate(frames[0], box, 1)
    np.testing.assert_array_equal(flow.estimate(frames[1], box, 2), IDENTITY)


def test_a_drift_too_slow_to_show_at_once_shows_in_the_end() -> None:
    wall, flow, total = textured(), SparseFlow(), 0.0
    flow.estimate(wall, NOBODY, 1)
    for number in range(2, 42):
        drifted = seen_through(wall, np.array([[1.0, 0, 0.1 * (number - 1)], [0, 1, 0]]))
        found = flow.estimate(drifted, NOBODY, number)
        assert found is not None
        total += found[0, 2]
    assert total == pytest.approx(4, abs=0.5)


def test_a_camera_that_stands_keeps_enough_corners() -> None:
    """People cover the wall one after the other; once it moves, that shows all the same."""
    wall, flow = textured(), SparseFlow()
    flow.estimate(wall, NOBODY, 1)
    for number in range(2, 10):
        left = np.float32(80 * (number - 2))
        flow.estimate(wall, np.array([[left, 0, left + 80, 480]], np.float32), number)
    moved = flow.estimate(seen_through(wall, np.array([[1.0, 0, 9], [0, 1, 0]])), NOBODY, 10)
    assert moved is not None
    assert moved[0, 2] == pytest.approx(9, abs=0.5)
