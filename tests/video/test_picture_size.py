"""Sizes by the first bytes are those of the decoded pictures."""

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.video.picture_size import picture_size

SUFFIXES = (".png", ".jpg", ".gif", ".bmp", ".webp", ".tiff", ".jp2", ".avif", ".ppm")


@pytest.mark.parametrize("size", [(37, 61), (640, 48)])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_as_decoded(suffix: str, size: tuple[int, int]) -> None:
    width, height = size
    image = np.random.default_rng(0).integers(0, 255, (height, width, 3), np.uint8)
    try:
        done, data = cv2.imencode(suffix, image)
    except cv2.error:
        pytest.skip(f"this OpenCV writes no {suffix}")
    assert done
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR)
    assert decoded is not None
    assert picture_size(data.tobytes()) == decoded.shape[1::-1] == size


def test_lossless_webp_and_others() -> None:
    image = np.zeros((5, 9, 4), np.uint8)
    quality = [cv2.IMWRITE_WEBP_QUALITY, 101]
    assert picture_size(cv2.imencode(".webp", image, quality)[1].tobytes()) == (9, 5)
    assert picture_size(b"P5\n# of a camera\n70 50\n255\n") == (70, 50)
    assert picture_size(b"") is picture_size(b"GIF8") is picture_size(b"no picture at all") is None


@given(
    st.sampled_from(
        [b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"BM", b"RIFFxxxxWEBPVP8X", b"II*\0", b"MM\0*", b"xxxxftyp"]
    ),
    st.binary(max_size=60),
)
def test_whatever_comes_is_no_error(head: bytes, rest: bytes) -> None:
    found = picture_size(head + rest)
    assert found is None or len(found) == 2
