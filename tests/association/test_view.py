import numpy as np

from mot_reid.association.view import View

CUT = [[100.0, 50, 140, 150], [600, 80, 640, 180]]  # the second ends at the right edge


def test_an_edge_is_known_once_boxes_were_cut_off_there_often_enough() -> None:
    view = View()
    for _ in range(4):
        view.extend(np.array([[600.0, 80, 640, 180]]))
    assert np.isinf(view.xyxy).all()
    view.extend(np.array([[590.0, 70, 639.5, 190]]))
    np.testing.assert_array_equal(view.xyxy, [-np.inf, -np.inf, 640, np.inf])


def test_one_who_walks_on_and_on_shows_no_edge() -> None:
    view = View()
    for x in range(0, 400, 4):
        view.extend(np.array([[x, 10 + x, x + 40, 110 + x]], float))
    assert np.isinf(view.xyxy[2:]).all()


def test_nearness_is_measured_in_widths() -> None:
    view = View()
    for _ in range(5):
        view.extend(np.array(CUT))
    boxes = np.array([[591.0, 60, 631, 160], [589, 60, 629, 160], [620, 60, 680, 160], [300, 60, 320, 160]])
    assert view.at_edge(boxes, margin=0.25).tolist() == [True, False, True, False]
    assert view.at_edge(boxes[:0], margin=0.25).shape == (0,)


def test_an_empty_frame_changes_nothing() -> None:
    view = View()
    view.extend(np.zeros((0, 4)))
    assert np.isinf(view.xyxy).all()
