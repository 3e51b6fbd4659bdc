"""Whether a picture is whole: a decoder makes something of whatever there is."""

import cv2
import numpy as np
import pytest

from mot_reid.video.decoding import decoded, jpeg_is_whole


def jpeg(*options: int) -> bytes:
    noise = np.random.default_rng(0).integers(0, 255, (64, 96, 3), dtype=np.uint8)
    return cv2.imencode(".jpg", noise, options)[1].tobytes()


KINDS = [
    (),
    (cv2.IMWRITE_JPEG_PROGRESSIVE, 1),
    (cv2.IMWRITE_JPEG_RST_INTERVAL, 4),
    (cv2.IMWRITE_JPEG_QUALITY, 100),
]


@pytest.mark.parametrize("options", KINDS)
def test_a_whole_jpeg_is_whole_whatever_stands_behind_it(options: tuple[int, ...]) -> None:
    data = jpeg(*options)
    assert jpeg_is_whole(data)
    assert jpeg_is_whole(data + bytes(100))
    assert decoded(data) is not None


@pytest.mark.parametrize("options", KINDS)
def test_damage_in_the_middle_and_a_missing_end_show(options: tuple[int, ...]) -> None:
    data = jpeg(*options)
    for share in (0.1, 0.5, 0.9, 0.999):
        assert decoded(data[: int(len(data) * share)]) is None
    torn = bytearray(data)
    torn[len(data) // 2 : len(data) * 3 // 4] = np.random.default_rng(1).bytes(
        len(data) * 3 // 4 - len(data) // 2
    )
    assert decoded(bytes(torn)) is None


def test_a_thumbnail_does_not_pass_for_the_end() -> None:
    small, data = jpeg(), jpeg()
    with_thumbnail = data[:2] + b"\xff\xe1" + (len(small) + 2).to_bytes(2, "big") + small + data[2:]
    assert jpeg_is_whole(with_thumbnail)
    assert not jpeg_is_whole(with_thumbnail[:-100])


def test_a_reader_says_nothing_by_itself(capfd: pytest.CaptureFixture[str]) -> None:
    for suffix in (".png", ".bmp", ".tiff", ".jp2"):
        data = cv2.imencode(suffix, np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8))[1]
        decoded(data.tobytes()[: len(data) // 2])
    assert capfd.readouterr().err == ""
