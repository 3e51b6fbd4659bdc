import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid import Detections
from mot_reid.association.associator import Associator
from mot_reid.association.whole_boxes import WholeBoxes
from mot_reid.config import AssociationConfig

LEFT, NONE, RIGHT, ELSEWHERE = -1, 0, 1, 2
PEOPLE = np.array([[100.0 * n, 100, 100 * n + 40, 200] for n in range(1, 11)])  # 0.4 as wide as tall


def completed(boxes: list[list[float]], sides: list[int], classes: list[int] | None = None) -> np.ndarray:
    """The boxes after ten whole people were seen beside them."""
    xyxy = np.concatenate([np.array(boxes), PEOPLE])
    numbers = np.array((classes or [0] * len(boxes)) + [0] * len(PEOPLE))
    return WholeBoxes().completed(xyxy, numbers, np.array(sides + [NONE] * len(PEOPLE)))[: len(boxes)]


def test_who_is_cut_off_is_as_wide_as_others_are_for_their_height() -> None:
    found = completed([[0.0, 100, 10, 200], [620, 100, 640, 300]], [LEFT, RIGHT])
    np.testing.assert_allclose(found, [[-30, 100, 10, 200], [620, 100, 700, 300]])


def test_who_is_wide_enough_already_stays_as_he_is() -> None:
    np.testing.assert_array_equal(completed([[0.0, 100, 55, 200]], [LEFT]), [[0, 100, 55, 200]])


def test_who_is_cut_off_elsewhere_too_stays_as_he_is() -> None:
    np.testing.assert_array_equal(completed([[0.0, 0, 10, 200]], [ELSEWHERE]), [[0, 0, 10, 200]])


def test_people_say_nothing_of_the_width_of_cars() -> None:
    np.testing.assert_array_equal(completed([[0.0, 100, 10, 200]], [LEFT], [2]), [[0, 100, 10, 200]])


def test_a_class_of_many_shapes_is_widened_with_caution() -> None:
    varied = PEOPLE.copy()
    varied[::2, 2] += 60  # 1.0 as wide as tall; the mean of the logarithms is that of 0.63
    boxes, sides = np.concatenate([[[0.0, 100, 10, 200]], varied]), np.array([LEFT] + [NONE] * 10)
    found = WholeBoxes().completed(boxes, np.zeros(11, np.int64), sides)
    np.testing.assert_allclose(found[0], [-30, 100, 10, 200])


def test_too_few_whole_boxes_change_nothing() -> None:
    boxes, sides = np.concatenate([[[0.0, 100, 10, 200]], PEOPLE[:9]]), np.array([LEFT] + [NONE] * 9)
    whole = WholeBoxes()
    np.testing.assert_array_equal(whole.completed(boxes, np.zeros(10, np.int64), sides), boxes)
    assert whole.completed(boxes, np.zeros(10, np.int64), sides)[0, 0] == -30  # the next frame's ten


def test_boxes_inside_are_given_back_as_they_are() -> None:
    assert WholeBoxes().completed(PEOPLE, np.zeros(10, np.int64), np.zeros(10, np.int8)) is PEOPLE


def test_what_was_saved_comes_back() -> None:
    whole = WholeBoxes()
    sides = np.array([LEFT] + [NONE] * 10)
    boxes = np.concatenate([[[0.0, 100, 10, 200]], PEOPLE])
    saved = whole.saved()
    whole.completed(boxes, np.zeros(11, np.int64), sides)
    whole.restore(saved)
    np.testing.assert_array_equal(whole.completed(boxes[:2], np.zeros(2, np.int64), sides[:2]), boxes[:2])


@given(st.data())
def test_a_whole_box_holds_the_one_that_was_seen(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 30))
    sides = data.draw(st.lists(st.tuples(*[st.floats(1, 500)] * 4), min_size=count, max_size=count))
    xyxy = np.array([[x, y, x + width, y + height] for x, y, width, height in sides])
    sides = np.array(data.draw(st.lists(st.integers(-1, 2), min_size=count, max_size=count)))
    found = WholeBoxes().completed(xyxy, np.zeros(count, np.int64), sides)
    assert np.isfinite(found).all()
    assert (found[:, :2] <= xyxy[:, :2]).all()
    assert (found[:, 2:] >= xyxy[:, 2:]).all()
    np.testing.assert_array_equal(found[:, 1::2], xyxy[:, 1::2])


def walks_out(cascade: str) -> list[np.ndarray]:
    """The boxes of one who walks out at the right of a picture 640 wide, beside ten others."""
    associator, boxes = Associator(AssociationConfig(cascade=cascade), fps=25), list[np.ndarray]()
    for x in range(400, 640, 4):
        walker = [x, 300.0, min(x + 40, 640), 400]
        tracks = associator.step(Detections([walker, *(PEOPLE * 0.6).tolist(), [450, 0, 500, 480]]))
        boxes += list(tracks.xyxy[tracks.detection_index == 0])
    return boxes


def test_who_walks_out_of_the_picture_is_followed_beyond_its_edge() -> None:
    last = walks_out("default")[-1]
    assert last[0] == pytest.approx(636, abs=2)
    assert last[2] == pytest.approx(676, abs=3)


def test_published_methods_take_the_boxes_as_they_are() -> None:
    assert max(box[2] for box in walks_out("bytetrack")) < 643
