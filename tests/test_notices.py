"""What looks wrong in the input is told once, and nothing that is in order is told."""

import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mot_reid import Detections, Tracker, evaluate
from mot_reid.notices import InputWarning

FRAME = np.zeros((360, 640, 3), np.uint8)


def plain_tracker() -> Tracker:
    return Tracker(detector="none", embedder="none", camera_motion="none")


@pytest.mark.parametrize("shift", [0, 0.2])
def test_shares_of_the_picture_are_told_once_and_name_the_caller(shift: float) -> None:
    tracker = plain_tracker()
    found = Detections([[0.1, 0.2, 0.3, 0.6], [0.5, 0.5, 0.9 + shift, 0.7]])
    with pytest.warns(InputWarning, match=r"frame 1: all coordinates lie between 0\.\d+ and") as told:
        tracker.update(FRAME, found)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracker.update(FRAME, found)
    assert len(told) == 1
    assert told[0].filename == __file__
    assert "in pixels" in tracker.notices.texts[0]
    tracker.reset()
    with pytest.warns(InputWarning):  # of another video
        tracker.update(None, found)


def test_boxes_of_a_larger_picture_are_told() -> None:
    tracker = plain_tracker()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tracker.update(FRAME, Detections([[10, 20, 50, 120]]))
    with pytest.warns(
        InputWarning, match="frame 2: row 1 is 1500, 800, 1550, 900, far outside of the picture of 640 x 360"
    ):
        tracker.update(FRAME, Detections([[10, 20, 50, 120], [1500, 800, 1550, 900]]))
    other = plain_tracker()
    with pytest.warns(InputWarning, match="row 0 is -500, "):
        other.update(FRAME, Detections([[-500, 0, -400, 100]]))


@pytest.mark.parametrize("box", [[500, 100, 500 + 540, 100 + 200], [30, 300, 30 + 80, 300 + 460]])
def test_corners_taken_for_width_and_height_are_told(box: list[int]) -> None:
    with pytest.warns(InputWarning, match="frame 1: row 0 is .* right and bottom taken for width") as told:
        plain_tracker().update(FRAME, Detections([box, [10, 20, 50, 120]]))
    assert [entry.filename for entry in told] == [__file__]


@pytest.mark.parametrize(
    "boxes",
    [
        [[0, 0, 640, 360]],
        [[500, -40, 900, 700]],  # somebody close to the camera, whole
        [[-60, -200, 700, 420]],  # reaches over the edges
        [[650, 0, 690, 100]],  # just behind the edge, where a filter may predict it
        [[0, 0, 1, 1], [300, 200, 340, 300]],
        [[0, 0, 2, 2]],
        np.zeros((0, 4)),
    ],
)
def test_what_is_in_order_is_not_told(boxes: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        plain_tracker().update(FRAME, Detections(boxes))


def test_a_warning_made_an_error_leaves_the_tracker_as_it_was() -> None:
    for wrong in (Detections([[0.1, 0.1, 0.2, 0.2]]), Detections([[10, 20, 50, 120]] * 101)):
        tracker = plain_tracker()
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            with pytest.raises(InputWarning):
                tracker.update(FRAME, wrong)
        fresh = plain_tracker()
        for one in (tracker, fresh):
            tracks = one.update(FRAME, Detections([[10, 20, 50, 120]]), frame_number=1)
            assert tracks.ids.tolist() == [1]
        assert tracker.time == fresh.time


def test_a_crowd_names_the_caller() -> None:
    with pytest.warns(InputWarning, match="boxes of frame 1: 5 are left out: more than 100") as told:
        plain_tracker().update(FRAME, Detections([[10, 20, 50, 120]] * 105))
    assert [entry.filename for entry in told] == [__file__]


def test_eval_says_that_results_are_of_another_size(tmp_path: Path) -> None:
    (tmp_path / "A" / "gt").mkdir(parents=True)
    truth = "".join(f"{n},{i},{100 * i + n},200,40,100,1,1,1\n" for n in range(1, 11) for i in (1, 2, 3))
    (tmp_path / "A" / "gt" / "gt.txt").write_text(truth)
    results = tmp_path / "results.txt"
    for factor, words in (
        (1, ""),
        (3, "of 30 boxes outside of all of the ground truth's"),
        (1e-3, "as shares"),
    ):
        rows = np.array([line.split(",")[:7] for line in truth.splitlines()], float)
        rows[:, 2:6] *= factor
        np.savetxt(results, rows, fmt=["%d", "%d", *["%.6f"] * 4, "%d"], delimiter=",")
        notes = evaluate(results, tmp_path / "A", lenient=True).notes
        assert (words in "".join(notes)) if words else notes == []


def test_detections_beside_other_classes_travel_whole() -> None:
    found = Detections([[0, 0, 10, 10]]).beside({"car": 3})
    assert pickle.loads(pickle.dumps(found)).other_classes == {"car": 3}
    assert Detections.empty().other_classes == {}
    assert len(found) == 1


def test_scores_that_never_count_are_told() -> None:
    for first, told in ((0.05, 1), (0.1, 0)):
        tracker = Tracker("none", "none", "none")
        tracker.notices.warns = False
        for score in (first, *[0.05] * 30):
            tracker.update(None, Detections([[10, 20, 50, 120]], [score]))
            tracker.update(None, Detections.empty())
        assert len(tracker.notices.texts) == told
        assert all("the best score is 0.05, and none is taken below 0.1" in t for t in tracker.notices.texts)


@pytest.mark.parametrize(
    ("fps", "step", "numbers"),
    [(30, 100 / 3, 1), (25, 40, 1), (30, 60, 1), (10, 100, 1), (30, 100 / 3 * 5, 5)],
)
def test_milliseconds_given_as_seconds_are_told_once(fps: float, step: float, numbers: int) -> None:
    tracker, found = Tracker("none", "none", "none", fps=fps), Detections([[10, 20, 50, 120]])
    with warnings.catch_warnings(record=True, action="always") as told:
        for number in range(1, 61):
            tracker.update(None, found, time=1e5 + number * step, frame_number=number * numbers)
    assert [entry.filename for entry in told] == [__file__]
    apart = f"{step / numbers:.3g}"
    assert f"time up to frame {26 * numbers}: frames lie {apart} seconds apart, at fps" in str(
        told[0].message
    )
    assert "milliseconds? A time lapse wants its own fps" in str(told[0].message)


@pytest.mark.parametrize(
    ("fps", "step", "numbers"),
    [
        (None, 60, 1),  # a time lapse, a frame a minute
        (1 / 60, 60, 1),
        (30, 10, 300),  # every 300th frame
        (30, 10, 1),
        (30, 1 / 30, 1),
        (30, None, 1),
    ],
)
def test_times_that_may_be_seconds_are_not_told(fps: float | None, step: float | None, numbers: int) -> None:
    tracker, found = Tracker("none", "none", "none", fps=fps), Detections([[10, 20, 50, 120]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(1, 61):
            time = None if step is None else 1e5 + number * step
            tracker.update(None, found, time=time, frame_number=number * numbers)


def test_a_source_that_stood_still_has_no_milliseconds() -> None:
    tracker = Tracker("none", "none", "none", fps=30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(40):
            tracker.update(None, Detections.empty(), time=1e5 + number / 30 + 60 * max(number - 1, 0))
