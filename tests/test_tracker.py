"""The tracker's wiring and its contract with the caller. Models are small stand-ins that compute for real."""

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest

from mot_reid import Config, Detections, Tracker, load_config
from mot_reid.config import EmbedderConfig


class BrightSpots:
    """A detector of bright boxes: the bounding box of each grey level above 100."""

    class_names: ClassVar = {0: "person"}

    def __init__(self) -> None:
        self.calls = 0

    def detect(self, frames: Sequence[np.ndarray]) -> list[Detections]:
        self.calls += 1
        return [self._one(frame[..., 2]) for frame in frames]

    def _one(self, red: np.ndarray) -> Detections:
        boxes = []
        for level in np.unique(red[red > 100]):
            ys, xs = np.nonzero(red == level)
            boxes.append([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1])
        return Detections(np.array(boxes, float).reshape(-1, 4))


class MeanColour:
    """An embedder: the mean colour of each box, off grey."""

    def embed(self, frame: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
        means = [frame[int(y1) : int(y2), int(x1) : int(x2)].mean(axis=(0, 1)) for x1, y1, x2, y2 in xyxy]
        return np.array(means, np.float32) - 60


def frame_with(*people: tuple[int, int, tuple[int, int, int]]) -> np.ndarray:
    """A grey frame with a 20 x 50 person at each (x, y) in a BGR colour."""
    frame = np.full((240, 320, 3), 60, np.uint8)
    for x, y, colour in people:
        frame[y : y + 50, x : x + 20] = colour
    return frame


RED, GREEN = (10, 10, 200), (10, 200, 150)


def plain_tracker(**options: object) -> Tracker:
    return Tracker(detector="none", embedder="none", camera_motion="none", **options)  # type: ignore[arg-type]


def test_frames_in_tracks_out() -> None:
    detector = BrightSpots()
    tracker = Tracker(detector=detector, embedder=MeanColour(), camera_motion="none")
    for step in range(10):
        tracks = tracker.update(frame_with((20 + 3 * step, 50, RED), (200 - 3 * step, 120, GREEN)))
        by_level = dict(zip(tracks.xyxy[:, 1].tolist(), tracks.ids.tolist(), strict=True))
        assert by_level == {50: 2, 120: 1}  # the detector gives the lower grey level, GREEN's, first
    assert detector.calls == 10
    assert set(tracker.stopwatch.seconds) == {"detect", "embed", "associate"}


def test_people_come_back_by_their_looks() -> None:
    tracker = Tracker(detector=BrightSpots(), embedder=MeanColour(), camera_motion="none")
    for _ in range(3):
        tracker.update(frame_with((20, 50, RED), (200, 120, GREEN)))
    for _ in range(70):
        tracker.update(frame_with())
    tracks = tracker.update(frame_with((140, 50, GREEN), (80, 120, RED)))
    assert dict(zip(tracks.xyxy[:, 0].tolist(), tracks.ids.tolist(), strict=True)) == {140: 1, 80: 2}


def test_own_detections_need_no_pixels() -> None:
    tracker = plain_tracker()
    box = [[10, 20, 50, 120]]
    assert tracker.update(None, Detections(box)).ids.tolist() == [1]
    assert tracker.update(None, Detections.empty()).ids.tolist() == []
    assert tracker.update(None, Detections(box)).ids.tolist() == [1]


def test_own_embeddings_need_no_pixels() -> None:
    tracker = Tracker(camera_motion="none")
    box, other_place = [[10, 20, 50, 120]], [[120, 20, 160, 120]]
    look = [[1.0, 0, 0]]
    tracker.update(None, Detections(box, embeddings=look))
    for _ in range(5):
        tracker.update(None, Detections.empty())
    assert tracker.update(None, Detections(other_place, embeddings=look)).ids.tolist() == [1]


def test_two_threads_in_one_tracker_are_told() -> None:
    inside, go_on = threading.Event(), threading.Event()

    class Slow:
        class_names: Mapping[int, str] = {0: "person"}

        def detect(self, frames: object) -> list[Detections]:
            inside.set()
            go_on.wait(10)
            return [Detections([[10, 20, 50, 120]], [0.9])]

    tracker = Tracker(Slow(), embedder="none", camera_motion="none")
    frame = np.zeros((240, 320, 3), np.uint8)
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(tracker.update, frame)
        inside.wait(10)
        with pytest.raises(RuntimeError, match="another thread is in it"):
            tracker.update(frame)
        go_on.set()
        assert first.result(10).ids.tolist() == [1]
    assert tracker.update(frame).ids.tolist() == [1]


def test_embedding_ahead_needs_an_embedder_that_can() -> None:
    tracker = Tracker(detector="none", embedder="none", camera_motion="none")
    with pytest.raises(ValueError, match="embed_batch: this tracker has no embedder"):
        tracker.embed_batch([], [])


def test_reset_starts_over() -> None:
    tracker = plain_tracker()
    box = Detections([[10, 20, 50, 120]])
    assert tracker.update(np.zeros((200, 200, 3), np.uint8), box).ids.tolist() == [1]
    tracker.reset()
    assert tracker.update(np.zeros((90, 90, 3), np.uint8), box).ids.tolist() == [1]


def test_two_trackers_share_nothing() -> None:
    first, second = plain_tracker(), plain_tracker()
    a, b = Detections([[10, 20, 50, 120]]), Detections([[500, 20, 550, 120], [700, 20, 750, 120]])
    assert first.update(None, a).ids.tolist() == [1]
    assert second.update(None, b).ids.tolist() == [1, 2]
    assert first.update(None, a).ids.tolist() == [1]


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        ([[1, 2]], TypeError, "frame: expected a numpy array, got list"),
        (np.zeros((10, 10), np.uint8), ValueError, r"frame: expected shape \(H, W, 3\), BGR, got \(10, 10\)"),
        (np.zeros((10, 10, 4), np.uint8), ValueError, r"got \(10, 10, 4\)"),
        (np.zeros((0, 10, 3), np.uint8), ValueError, r"got \(0, 10, 3\)"),
        (np.zeros((10, 10, 3), np.float32), ValueError, "frame: expected dtype uint8, got float32; .* 255"),
        (np.zeros((10, 10, 3), np.uint16), ValueError, "uint8, got uint16$"),
        (np.zeros((10, 10), np.uint8), ValueError, "COLOR_GRAY2BGR"),
        (np.zeros((10, 10, 1), np.uint8), ValueError, "COLOR_GRAY2BGR"),
        (np.zeros((10, 10, 4), np.uint8), ValueError, "COLOR_BGRA2BGR"),
        (np.zeros((3, 10, 10), np.uint8), ValueError, r"transpose\(1, 2, 0\)"),
        (np.zeros((1, 10, 10, 3), np.uint8), ValueError, "one frame at a time"),
        (Detections.empty(), TypeError, "got Detections; the frame comes first"),
        (type("Image", (), {})(), TypeError, "got Image; of an image of PIL"),
    ],
)
def test_wrong_frames_are_named(frame: object, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        plain_tracker().update(frame, Detections.empty())  # type: ignore[arg-type]


def test_a_flipped_view_is_as_good_as_a_copy() -> None:
    frame = frame_with((20, 50, RED), (200, 120, GREEN))[:, ::-1]
    for camera_motion in ("none", "flow"):
        tracker = Tracker(detector=BrightSpots(), embedder=MeanColour(), camera_motion=camera_motion)
        assert [tracker.update(frame).xyxy[:, 0].tolist() for _ in range(2)] == [[100, 280]] * 2


def test_a_frame_of_another_size_is_refused_and_changes_nothing() -> None:
    tracker = plain_tracker()
    box = Detections([[10, 20, 50, 120]])
    tracker.update(np.zeros((200, 300, 3), np.uint8), box)
    with pytest.raises(
        ValueError, match=r"expected shape \(200, 300, 3\) as before, got \(300, 200, 3\); reset"
    ):
        tracker.update(np.zeros((300, 200, 3), np.uint8), box)
    assert tracker.update(np.zeros((200, 300, 3), np.uint8), box).ids.tolist() == [1]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"detector": "none", "embedder": "none"}, "camera motion is estimated from pixels"),
        ({"detector": "none", "camera_motion": "none"}, "the embedder needs the pixels"),
    ],
)
def test_missing_pixels_are_asked_for(options: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Tracker(**options).update(None, Detections([[10, 20, 50, 120]]))  # type: ignore[arg-type]


def test_a_detector_is_asked_for() -> None:
    with pytest.raises(ValueError, match="this tracker has no detector"):
        plain_tracker().detect(np.zeros((10, 10, 3), np.uint8))
    with pytest.raises(ValueError, match="the detector needs the pixels"):
        Tracker(camera_motion="none").update(None)
    with pytest.raises(TypeError, match="detections: expected Detections, got ndarray"):
        plain_tracker().update(None, np.zeros((1, 4)))  # type: ignore[arg-type]
    theirs = type("Detections", (), {"__module__": "supervision.detection.core"})()
    with pytest.raises(TypeError, match=r"got supervision's Detections; mot_reid\.Detections\.from_super"):
        plain_tracker().update(None, theirs)


def test_a_tracker_says_what_it_is() -> None:
    tracker = Tracker(detector="none", embedder="none", camera_motion="none")
    tracker.update(None, Detections.empty())
    models = "{'detector': 'none', 'embedder': 'none', 'camera motion': 'none'}"
    assert repr(tracker) == f"Tracker({models}, frame 1)"


def test_time_is_given_or_follows_the_frame_number() -> None:
    tracker = Tracker(detector="none", embedder="none", camera_motion="none", fps=10)
    for options, time in (
        ({}, 0.0),  # as mot_reid.track has it
        ({"frame_number": 5}, 0.4),
        ({"time": 7.25}, 7.25),
        ({}, 7.35),
        ({"frame_number": 17, "time": 9}, 9.0),
        ({"frame_number": 27}, 10.0),
    ):
        tracker.update(None, Detections.empty(), **options)
        assert tracker.time == pytest.approx(time)
    tracker.reset()
    assert tracker.time == 0


def test_the_wall_clock_is_a_time() -> None:
    tracker = plain_tracker()
    for number in range(5):
        tracks = tracker.update(None, Detections([[0, 0, 40, 100]]), time=1.8e9 + 0.04 * number)
        assert tracks.ids.tolist() == [1]


@pytest.mark.parametrize(
    ("time", "error", "message"),
    [
        ("3", TypeError, "time: expected seconds, got '3'"),
        (float("nan"), ValueError, "time: expected seconds after 2, the last frame's, got nan"),
        (2.0, ValueError, "time: expected seconds after 2, the last frame's, got 2.0"),
    ],
)
def test_a_wrong_time_is_named_and_leaves_no_trace(time: object, error: type, message: str) -> None:
    tracker = plain_tracker()
    tracker.update(None, Detections.empty(), time=2)
    with pytest.raises(error, match=message):
        tracker.update(None, Detections.empty(), time=time)  # type: ignore[arg-type]
    tracker.update(None, Detections.empty(), time=2.5)


def test_who_was_away_for_long_is_somebody_else_however_few_frames_came() -> None:
    """One frame a second of a source of ten, told by frame numbers or by time: both count seconds."""
    looks = np.eye(2, 4, dtype=np.float32)
    for by_number in (True, False):
        tracker = Tracker(detector="none", embedder="none", camera_motion="none", fps=10)
        for second in (*range(10), *range(200, 204)):
            place = {"frame_number": 1 + 10 * second} if by_number else {"time": float(second)}
            boxes = [[10, 100, 55, 220], [300, 100, 345, 220]]
            here = Detections(boxes, embeddings=looks)[slice(0, 2)]
            if 5 <= second < 200:
                here = here[:1]
            tracks = tracker.update(None, here, **place)
        assert tracks.ids.tolist() in ([3, 4], [4, 3])


def test_frame_numbers_ascend() -> None:
    tracker = plain_tracker()
    tracker.update(None, Detections.empty(), frame_number=5)
    tracker.update(None, Detections.empty())
    with pytest.raises(ValueError, match="frame_number: expected more than 6, got 6"):
        tracker.update(None, Detections.empty(), frame_number=6)


def test_an_embedder_that_misbehaves_is_named() -> None:
    class Broken:
        def embed(self, frame: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
            return np.full((len(xyxy), 4), np.nan, np.float32)

    tracker = Tracker(detector="none", embedder=Broken(), camera_motion="none")
    with pytest.raises(ValueError, match="embeddings: row 0 is zero or not finite"):
        tracker.update(np.zeros((200, 200, 3), np.uint8), Detections([[10, 20, 50, 120]]))


def test_wrong_helpers_are_named() -> None:
    class Single:
        class_names: ClassVar = {0: "person"}

        def detect(self, frames: Sequence[np.ndarray]) -> Detections:
            return Detections([[1, 1, 5, 5], [6, 6, 9, 9]])

    frame = np.zeros((20, 20, 3), np.uint8)
    with pytest.raises(TypeError, match=r"detector\.detect: expected a list of one Detections"):
        Tracker(detector=Single(), embedder="none", camera_motion="none").update(frame)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="detector: expected weights or an object with detect"):
        Tracker(detector=object())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="embedder: expected weights or an object with embed"):
        Tracker(embedder=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="config: expected a Config or a YAML file, got dict"):
        Tracker(config={})  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="frame_number: expected a whole number, got '3'"):
        plain_tracker().update(None, Detections.empty(), frame_number="3")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected dtype uint8"):
        Tracker(detector=BrightSpots()).detect(np.zeros((9, 9, 3)))  # type: ignore[arg-type]


def test_a_refused_frame_changes_nothing() -> None:
    trackers = [Tracker(detector="none", camera_motion="none") for _ in range(2)]
    for step, tracker in enumerate(trackers * 6):
        x = 10 + 5 * (step // 2)
        tracker.update(None, Detections([[x, 20, x + 40, 120]], embeddings=[[1.0, 0, 0]]))
    with pytest.raises(ValueError, match="expected 3 columns, got 2"):
        trackers[0].update(None, Detections([[40, 20, 80, 120]], embeddings=[[1.0, 0]]))
    first, second = (tracker._associator._table.states.position for tracker in trackers)
    np.testing.assert_array_equal(first, second)


class Unreliable:
    """A detector and an embedder that does as asked while nothing is wrong with it."""

    class_names: ClassVar = {0: "person"}

    def __init__(self) -> None:
        self.wrong: str | None = None

    def detect(self, frames: Sequence[np.ndarray]) -> list[Detections]:
        if self.wrong == "detector fails":
            raise RuntimeError("out of memory")
        return [] if self.wrong == "no answer" else BrightSpots().detect(frames)

    def embed(self, frame: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
        if self.wrong == "embedder fails":
            raise RuntimeError("out of memory")
        looks = MeanColour().embed(frame, xyxy)
        if self.wrong == "other looks":
            return np.hstack([looks, looks])
        return looks * np.nan if self.wrong == "no looks" else looks


def moving_frame(number: int) -> np.ndarray:
    """A camera that turns past a textured wall, and two people, one of whom is hidden for a while."""
    wall = np.random.default_rng(0).integers(0, 10, (30, 60)).astype(np.uint8) * 8
    wall = np.kron(wall, np.ones((8, 8), np.uint8))
    frame = np.repeat(wall[:, 3 * number :][:, :320, None], 3, axis=2)
    people = [(200 - 4 * number, 120, (10, 200, 150))] * (not 8 < number < 14) + [(20 + number, 50, RED)]
    for x, y, colour in people:
        frame[y : y + 50, x : x + 20] = colour
    return np.ascontiguousarray(frame)


@pytest.mark.parametrize("camera", ["flow", "file"])
def test_what_fails_leaves_no_trace(camera: str, tmp_path: Path) -> None:
    """A stream with failing calls in between gives the same as the stream without them."""
    file = tmp_path / "gmc.txt"
    file.write_text("".join(f"{index} 1 0 -3 0 1 0\n" for index in range(30)))
    motion = str(file) if camera == "file" else "flow"
    config = load_config(None, ["association.embedding.share=1"])  # or it would not be asked every time
    parts = Unreliable(), Unreliable()
    clean, troubled = (Tracker(part, part, camera_motion=motion, config=config) for part in parts)
    wrong_calls: list[tuple[object, object, int | None]] = [
        (moving_frame(9).astype(float), None, None),
        (None, None, None),
        (moving_frame(9), [[1, 2, 3, 4]], None),
        (moving_frame(9), None, 0),
    ]
    wrong_parts = ["detector fails", "no answer", "embedder fails", "no looks"]
    for number in range(1, 25):
        for frame, detections, frame_number in wrong_calls:
            with pytest.raises((TypeError, ValueError)):
                troubled.update(frame, detections, frame_number=frame_number)  # type: ignore[arg-type]
        for wrong in wrong_parts:
            parts[1].wrong = wrong
            with pytest.raises((RuntimeError, TypeError, ValueError)):
                troubled.update(moving_frame(number + 3))
        parts[1].wrong = None
        np.testing.assert_equal(troubled.last_embeddings, clean.last_embeddings)
        expected, found = clean.update(moving_frame(number)), troubled.update(moving_frame(number))
        for name in ("ids", "xyxy", "scores", "classes", "detection_index", "id_confidence"):
            np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
        np.testing.assert_equal(troubled.affine, clean.affine)
        assert troubled.embedding_counts == clean.embedding_counts
        if number == 1:  # what the first frame settles can be wrong from now on
            wrong_calls.append((np.zeros((240, 300, 3), np.uint8), None, None))
            wrong_calls += [(moving_frame(9), None, 99)] * (camera == "file")  # it ends before
            wrong_parts.append("other looks")
    assert clean.affine is not None
    assert found.ids.tolist() == [1, 2]
    with pytest.raises(ValueError, match="frame_number: expected more than 24, got 24"):
        troubled.update(moving_frame(24), frame_number=24)


def test_settings_come_from_config_and_arguments() -> None:
    config = load_config(None, ["association.tentative.min_hits=7"])
    tracker = Tracker(detector="none", embedder="mine.onnx", config=config, device="cpu")
    assert tracker.config.association.tentative.min_hits == 7
    assert tracker.config.embedder == EmbedderConfig(weights="mine.onnx")
    assert tracker.config.device == "cpu"
    assert Tracker().config == Config()
    with pytest.raises(FileNotFoundError, match=r"weights not found: mine\.onnx \(nothing is downloaded"):
        tracker.load()


@pytest.mark.parametrize("embedder", ["nowhere.onnx", MeanColour()], ids=["weights", "object"])
def test_at_a_share_of_zero_there_is_no_embedder(embedder: object) -> None:
    config = load_config(None, ["association.embedding.share=0"])
    tracker = Tracker(detector="none", embedder=embedder, camera_motion="none", config=config)  # type: ignore[arg-type]
    tracker.load()
    assert tracker.embedder is None
    assert tracker.model_names()["embedder"] == "none"
    assert tracker.update(None, Detections([[10, 20, 50, 120]])).ids.tolist() == [1]  # no pixels needed


def test_weights_that_fit_nothing_are_named(tmp_path: object) -> None:
    path = tmp_path / "broken.onnx"  # type: ignore[operator]
    path.write_bytes(b"not a network")
    with pytest.raises(ValueError, match=r"broken\.onnx: ONNX Runtime cannot load it"):
        Tracker(detector="none", embedder=path, camera_motion="none").load()
    path = tmp_path / "broken.pt"  # type: ignore[operator]
    path.write_bytes(b"not a network")
    with pytest.raises(ValueError, match=r"broken\.pt: cannot be loaded: not a PyTorch checkpoint"):
        Tracker(detector=path, embedder="none", camera_motion="none").load()


def test_import_is_light() -> None:
    code = (
        "import sys, mot_reid; from mot_reid import Tracker, load_config\n"
        "heavy = {'torch', 'torchvision', 'ultralytics', 'cv2', 'av', 'onnxruntime', 'rich', 'typer'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


@pytest.mark.parametrize("fps", [0, -5.0, float("nan"), float("inf")])
def test_a_frame_rate_must_be_one(fps: float) -> None:
    with pytest.raises(ValueError, match="fps: expected a positive number"):
        Tracker(detector="none", embedder="none", camera_motion="none", fps=fps)
