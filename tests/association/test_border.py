import numpy as np

from mot_reid.association.border import ImageBorder

CUT = [[100.0, 50, 140, 150], [600, 80, 640, 180]]  # the second ends at the right edge


def test_an_edge_is_known_once_boxes_were_cut_off_there_often_enough() -> None:
    border = ImageBorder()
    for _ in range(4):
        border.extend(np.array([[600.0, 80, 640, 180]]))
    assert np.isinf(border.xyxy).all()
    border.extend(np.array([[590.0, 70, 639.5, 190]]))
    np.testing.assert_array_equal(border.xyxy, [-np.inf, -np.inf, 640, np.inf])


def test_one_who_walks_on_and_on_shows_no_edge() -> None:
    border = ImageBorder()
    for x in range(0, 400, 4):
        border.extend(np.array([[x, 10 + x, x + 40, 110 + x]], float))
    assert np.isinf(border.xyxy[2:]).all()


def test_nearness_is_measured_in_widths() -> None:
    border = ImageBorder()
    for _ in range(5):
        border.extend(np.array(CUT))
    boxes = np.array([[591.0, 60, 631, 160], [589, 60, 629, 160], [620, 60, 680, 160], [300, 60, 320, 160]])
    assert border.at_edge(boxes, margin=0.25).tolist() == [True, False, True, False]
    assert border.at_edge(boxes[:0], margin=0.25).shape == (0,)


def test_an_empty_frame_changes_nothing() -> None:
    border = ImageBorder()
    border.extend(np.zeros((0, 4)))
    assert np.isinf(border.xyxy).all()


def test_what_was_saved_comes_back() -> None:
    border = ImageBorder()
    for _ in range(5):
        border.extend(np.array(CUT))
    saved, edges = border.saved(), border.xyxy.copy()
    border.extend(np.array([[0.0, 0, 900, 900]] * 9))
    border.restore(saved)
    np.testing.assert_array_equal(border.xyxy, edges)


def test_what_is_cut_off_is_told_by_its_side() -> None:
    border = ImageBorder()
    border.xyxy = np.array([0.0, 0, 640, np.inf])
    boxes = [
        [0.5, 10, 40, 90],
        [610, 10, 639.2, 90],
        [50, 10, 90, 90],
        [0, 0, 40, 90],
        [0, 10, 640, 90],
        [-9, 10, 9, 90],
    ]
    assert border.cut(np.array(boxes, float)).tolist() == [-1, 1, 0, 2, 2, -1]
    assert ImageBorder().cut(np.array(boxes, float)).tolist() == [0] * 6
