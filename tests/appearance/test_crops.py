import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mot_reid.appearance.crops import crop_batch, normalised, pixel_bounds

FRAME = np.random.default_rng(0).integers(0, 256, (120, 160, 3), dtype=np.uint8)


def test_each_crop_is_its_box_resized() -> None:
    boxes = np.array([[10, 20, 50, 100], [0.4, 0.4, 159.6, 119.6]], np.float32)
    batch = crop_batch(FRAME, boxes, (96, 48))
    assert batch.shape == (2, 96, 48, 3)
    np.testing.assert_array_equal(batch[0], cv2.resize(FRAME[20:100, 10:50], (48, 96)))
    np.testing.assert_array_equal(batch[1], cv2.resize(FRAME, (48, 96)))


def test_boxes_are_cut_at_the_border() -> None:
    batch = crop_batch(FRAME, np.array([[-30, -30, 40, 60]], np.float32), (96, 48))
    np.testing.assert_array_equal(batch[0], cv2.resize(FRAME[:60, :40], (48, 96)))


@pytest.mark.parametrize(
    "box", [[-90, 10, -50, 60], [500, 10, 540, 60], [10, 500, 40, 590], [5, 5, 5.2, 5.2]]
)
def test_a_box_with_nothing_in_the_frame_gives_border_pixels(box: list[float]) -> None:
    batch = crop_batch(FRAME, np.array([box], np.float32), (96, 48))
    assert batch.shape == (1, 96, 48, 3)


def test_no_boxes_no_crops() -> None:
    assert crop_batch(FRAME, np.zeros((0, 4), np.float32), (96, 48)).shape == (0, 96, 48, 3)


def test_normalised_crops_are_what_a_network_takes() -> None:
    crops = crop_batch(FRAME, np.array([[10, 20, 50, 100], [0, 0, 160, 120]], np.float32), (96, 48))
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    plain = ((crops[..., ::-1] / 255 - mean) / std).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(normalised(crops, mean, std), plain, atol=1e-5)
    assert normalised(crops[:0], mean, std).shape == (0, 3, 96, 48)


@given(
    boxes=arrays(np.float32, (4, 4), elements=st.floats(-300, 500, width=32)),
    width=st.integers(1, 200),
    height=st.integers(1, 200),
)
def test_bounds_are_pixels_of_the_frame(boxes: np.ndarray, width: int, height: int) -> None:
    left, top, right, bottom = pixel_bounds(boxes, width, height).T
    assert ((left >= 0) & (left < right) & (right <= width)).all()
    assert ((top >= 0) & (top < bottom) & (bottom <= height)).all()
