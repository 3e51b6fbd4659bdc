"""What files say of themselves, and how far it is believed."""

from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.video import open_source
from mot_reid.video.container import frame_rate, is_cut

CONTAINERS = {"mp4": "libx264", "mov": "libx264", "mkv": "libx264", "avi": "mpeg4", "ts": "libx264"}
CONTAINERS |= {"webm": "libvpx", "flv": "libx264", "mpg": "mpeg2video", "m4v": "mpeg4", "3gp": "libx264"}
CONTAINERS |= {"wmv": "wmv2", "ogv": "libvpx", "mxf": "mpeg2video", "nut": "mpeg4"}


def stamps(*steps: float) -> list[float]:
    total, found = 0.0, [0.0]
    for step in steps:
        total += step
        found.append(total)
    return found


@pytest.mark.parametrize(
    ("declared", "steps", "expected"),
    [
        (Fraction(25), [0.04] * 30, 25),
        (Fraction(30000, 1001), [0.033, 0.034, 0.033] * 20, 30000 / 1001),  # stamps in whole milliseconds
        (Fraction(1000), [0.033, 0.034, 0.050, 0.016, 0.001, 0.066] * 10, 30),  # a browser's recording
        (Fraction(20), [0.033] * 60 + [0.1] * 20, 30),  # a phone that slows down in the dark
        (Fraction(60), [0.04] * 30, 25),
        (None, [0.1] * 10, 10),
        (Fraction(25), [], 25),
        (None, [], None),
        (Fraction(0), [1.0, 1.0, 1.0], 1),
        (Fraction(1, 3600), [3600.0] * 20, 1 / 3600),
        (None, [0.04] * 20 + [60.0] + [0.04] * 20, 25),  # a pause
        (Fraction(10**9), [1e-9] * 5, 1000),
    ],
)
def test_frame_rates(declared: Fraction | None, steps: list[float], expected: float | None) -> None:
    found = frame_rate(declared, stamps(*steps))
    assert found == (None if expected is None else pytest.approx(expected, rel=0.03))


@given(
    st.none() | st.fractions(0, 10**7),
    st.lists(st.floats(-1e9, 1e9), max_size=20),
)
def test_a_frame_rate_is_none_or_positive(declared: Fraction | None, found: list[float]) -> None:
    rate = frame_rate(declared, found)
    assert rate is None or 0 < rate <= 1000


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_containers(suffix: str, tmp_path: Path, clips: Any) -> None:
    """Number, time, rate and pixels of each kind; whole it is not cut."""
    images = [clips.shade(n, 144, 176) for n in range(1, 26)]
    path = clips.write(tmp_path / f"clip.{suffix}", images, CONTAINERS[suffix])
    assert not is_cut(path)
    with open_source(path) as source:
        assert source.info.fps == pytest.approx(25, rel=0.001)
        frames = list(source)
        assert source.notes == ()
    assert [frame.number for frame in frames] == list(range(1, 26))
    assert [frame.time for frame in frames] == pytest.approx([n / 25 for n in range(25)], abs=0.002)
    assert [clips.number_of(frame.image) for frame in frames] == pytest.approx(range(1, 26), abs=1)


@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "avi", "webm"])
def test_cut_files_are_known(suffix: str, tmp_path: Path, clips: Any) -> None:
    images = [clips.shade(n) for n in range(1, 26)]
    path = clips.write(tmp_path / f"clip.{suffix}", images, CONTAINERS[suffix])
    content = path.read_bytes()
    for share in (0.3, 0.6, 0.98):
        path.write_bytes(content[: int(len(content) * share)])
        assert is_cut(path), share


@given(st.binary(max_size=64))
def test_any_bytes_are_judged(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "any"
    for head in (b"", b"RIFF", b"\x1a\x45\xdf\xa3", b"\0\0\0\x10ftyp", b"\x89PNG\r\n\x1a\n", b"GIF89a"):
        path.write_bytes(head + content)
        assert is_cut(path) in (True, False)


@pytest.mark.parametrize("suffix", ["avi", "mp4", "mov", "mkv", "webm", "flv", "wmv", "ogv", "ts"])
@pytest.mark.parametrize(
    "title", ["Zürich é".encode("latin-1"), b"\xff\xfe\x80\x81abcd", "東京タワ".encode("shift_jis")]
)
def test_titles_in_any_encoding(suffix: str, title: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"title.{suffix}"
    with av.open(str(path), "w") as out:
        out.metadata["title"] = "MARKERXX"
        stream = out.add_stream(CONTAINERS[suffix], rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(5):
            image = np.full((48, 64, 3), 9 * number, np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        out.mux(stream.encode(None))
    content = path.read_bytes()
    assert b"MARKERXX" in content or suffix in ("wmv", "ts")  # UTF-16 there; no title there
    path.write_bytes(content.replace(b"MARKERXX", title))
    with open_source(path) as source:
        assert len(list(source)) == 5


def test_a_header_that_declares_too_much_is_no_error(tmp_path: Path, clips: Any) -> None:
    """100,000 frames in the header of an AVI that was written whole."""
    path = clips.write(tmp_path / "a.avi", [clips.shade(n) for n in range(1, 61)], "mpeg4")
    content = bytearray(path.read_bytes())
    for marker, offset in ((b"avih", 8 + 16), (b"strh", 8 + 32)):
        place = content.find(marker) + offset
        assert int.from_bytes(content[place : place + 4], "little") == 60
        content[place : place + 4] = (100_000).to_bytes(4, "little")
    path.write_bytes(content)
    with open_source(path) as source:
        assert source.info.frame_count == 100_000
        assert [frame.number for frame in source] == list(range(1, 61))
        assert source.notes == ("declares 100000 frames; all that is in it: 60 frames",)
        assert source.damaged == 0


def test_a_rate_that_is_given_counts(tmp_path: Path, clips: Any) -> None:
    path = clips.write(tmp_path / "a.mkv", [clips.shade(n) for n in range(1, 11)])
    with open_source(path, fps=5) as source:
        assert source.info.fps == 5
        assert [frame.time for frame in source] == pytest.approx([n / 5 for n in range(10)])
        assert source.sound() is None
    for wrong in (0, -1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="fps: expected a positive number"):
            open_source(path, fps=wrong)
    with pytest.raises(ValueError, match="fps: has no effect on a webcam or stream"):
        open_source("rtsp://nowhere/a", fps=5)


def test_the_rate_of_a_clock_too_coarse_for_single_frames() -> None:
    whole_seconds = [float(place // 25) for place in range(100)]
    assert frame_rate(Fraction(25), whole_seconds) == 25
    assert frame_rate(None, whole_seconds) == pytest.approx(25)
    in_pairs = [0.08 * (place // 2) for place in range(100)]
    assert frame_rate(None, in_pairs) == pytest.approx(25)
