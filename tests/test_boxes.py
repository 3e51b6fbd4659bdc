import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mot_reid import boxes


@st.composite
def some_boxes(draw: st.DrawFn, at_least: int = 0) -> np.ndarray:
    n = draw(st.integers(at_least, 6))
    numbers = st.floats(-1000, 1000, width=32)
    sides = st.floats(0.5, 500, width=32)
    rows = [(draw(numbers), draw(numbers), draw(sides), draw(sides)) for _ in range(n)]
    return boxes.tlwh_to_xyxy(np.array(rows, np.float64).reshape(-1, 4))


def slow_iou(a: np.ndarray, b: np.ndarray) -> float:
    width = max(0.0, min(a[2], b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[3], b[3]) - max(a[1], b[1]))
    union = (a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - width * height
    return width * height / union


def test_overlap_by_hand() -> None:
    a = np.array([[0.0, 0, 10, 10]])
    b = np.array([[5.0, 0, 15, 10], [20, 20, 30, 30], [0, 0, 10, 5]])
    np.testing.assert_allclose(boxes.intersections(a, b), [[50, 0, 50]])
    np.testing.assert_allclose(boxes.iou(a, b), [[50 / 150, 0, 0.5]])
    np.testing.assert_allclose(boxes.covered_fraction(b, a).T, [[0.5, 0, 1.0]])
    np.testing.assert_allclose(boxes.areas(b), [100, 100, 50])


def test_empty_boxes_overlap_nothing() -> None:
    point = np.zeros((1, 4))
    assert boxes.iou(point, point).tolist() == [[0.0]]
    assert boxes.covered_fraction(point, point).tolist() == [[0.0]]
    assert boxes.iou(np.zeros((0, 4)), point).shape == (0, 1)


@given(some_boxes(), some_boxes())
def test_iou_equals_the_slow_one(a: np.ndarray, b: np.ndarray) -> None:
    expected = np.array([[slow_iou(x, y) for y in b] for x in a]).reshape(len(a), len(b))
    np.testing.assert_allclose(boxes.iou(a, b), expected, atol=1e-9)


@given(some_boxes())
def test_conversions_go_there_and_back(a: np.ndarray) -> None:
    np.testing.assert_allclose(boxes.cxcywh_to_xyxy(boxes.xyxy_to_cxcywh(a)), a, atol=1e-9)
    np.testing.assert_allclose(boxes.tlwh_to_xyxy(boxes.xyxy_to_tlwh(a)), a, atol=1e-9)


@given(some_boxes(at_least=1))
def test_clipped_boxes_lie_in_the_frame(a: np.ndarray) -> None:
    inside = boxes.clip(a, 640, 480)
    assert (inside >= 0).all()
    assert (inside[:, 0::2] <= 640).all()
    assert (inside[:, 1::2] <= 480).all()
    kept = (a[:, :2] >= 0).all(axis=1) & (a[:, 2] <= 640) & (a[:, 3] <= 480)
    np.testing.assert_array_equal(inside[kept], a[kept])


def test_what_is_given_is_left_as_it_was() -> None:
    """A user's boxes too: those of a detection that reaches over the frame are clipped for the crop only."""
    given_boxes = np.array([[-5.0, 10, 30, 60]])
    before = given_boxes.copy()
    for change in (boxes.xyxy_to_cxcywh, boxes.cxcywh_to_xyxy, boxes.xyxy_to_tlwh, boxes.tlwh_to_xyxy):
        change(given_boxes)
        np.testing.assert_array_equal(given_boxes, before)
    boxes.clip(given_boxes, 20, 20)
    np.testing.assert_array_equal(given_boxes, before)
