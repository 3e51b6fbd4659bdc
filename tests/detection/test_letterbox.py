"""Letterboxes by hand, and pixel for pixel as Ultralytics makes them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mot_reid.detection.letterbox import Letterbox
from mot_reid.detection.yolo import import_ultralytics

SIDES = st.tuples(st.integers(1, 300), st.integers(1, 300))


def theirs(frame: np.ndarray, size: tuple[int, int], stride: int | None) -> np.ndarray:
    import_ultralytics()
    from ultralytics.data.augment import LetterBox

    return np.asarray(LetterBox(size, auto=stride is not None, stride=stride or 32)(image=frame))


def test_a_wide_frame_by_hand() -> None:
    """1920x1080 into 640: a third of it, 640x360, and 24 rows of grey to make 384."""
    assert Letterbox.fit((1080, 1920), (640, 640), 32) == Letterbox(
        (1080, 1920), (360, 640), 12, 0, (384, 640)
    )
    assert Letterbox.fit((1080, 1920), (640, 640)) == Letterbox((1080, 1920), (360, 640), 140, 0, (640, 640))


def test_boxes_come_back_by_hand() -> None:
    fitted = Letterbox.fit((1080, 1920), (640, 640), 32)
    inside = np.array([[10, 12, 20, 112], [-5, 0, 700, 384]], np.float32)
    np.testing.assert_allclose(fitted.boxes(inside), [[30, 0, 60, 300], [0, 0, 1920, 1080]])


def test_colours_and_grey_by_hand() -> None:
    frame = np.zeros((32, 64, 3), np.uint8)
    frame[...] = 255, 0, 51  # blue, green, red
    blob = Letterbox.fit((32, 64), (64, 64)).blob(frame)
    assert blob.shape == (1, 3, 64, 64)
    assert blob.dtype == np.float32
    np.testing.assert_allclose(blob[0, :, 32, 32], [0.2, 0, 1], atol=1e-6)
    np.testing.assert_allclose(blob[0, :, 0, 0], 114 / 255, atol=1e-6)


@settings(deadline=None, max_examples=40)
@given(SIDES, st.sampled_from([(64, 64), (160, 160), (96, 128)]), st.sampled_from([None, 32, 64]))
def test_pixel_for_pixel_as_ultralytics(
    shape: tuple[int, int], size: tuple[int, int], stride: int | None
) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    expected = theirs(frame, size, stride)
    fitted = Letterbox.fit(shape, size, stride)
    assert fitted.size == expected.shape[:2]
    pixels = fitted.blob(frame)[0].transpose(1, 2, 0)[..., ::-1] * 255
    np.testing.assert_allclose(pixels, expected, atol=1e-3)


@settings(deadline=None)
@given(SIDES, st.sampled_from([None, 32]))
def test_a_box_goes_there_and_back(shape: tuple[int, int], stride: int | None) -> None:
    height, width = shape
    fitted = Letterbox.fit(shape, (320, 320), stride)
    whole = [fitted.left, fitted.top, fitted.left + fitted.scaled[1], fitted.top + fitted.scaled[0]]
    back = fitted.boxes(np.array([whole], np.float32))[0]
    assert back == pytest.approx([0, 0, width, height], abs=1e-3)
    assert all(side % 32 == 0 for side in fitted.size)
