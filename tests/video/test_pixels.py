"""Pixels as they are meant to be seen: every display matrix, pixel aspect, HDR, interlaced."""

import struct
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from mot_reid.video import open_source
from mot_reid.video.pixels import PixelReader, deinterlaced, tone_table, turned

COLOURS = {"R": (30, 30, 220), "G": (30, 220, 30), "B": (220, 30, 30), "W": (230, 230, 230)}
# What each does to a picture with red, green, blue and white corners; ``a b c d`` as in MP4's track header.
MATRICES = {
    "none": ((1, 0, 0, 1), "RGBW"),
    "turned by 90": ((0, 1, -1, 0), "BRWG"),
    "turned by 180": ((-1, 0, 0, -1), "WBGR"),
    "turned by 270": ((0, -1, 1, 0), "GWRB"),
    "left is right": ((-1, 0, 0, 1), "GRWB"),
    "top is bottom": ((1, 0, 0, -1), "BWRG"),
    "transposed": ((0, 1, 1, 0), "RBGW"),
    "transversed": ((0, -1, -1, 0), "WGBR"),
}


def corners(height: int = 48, width: int = 64) -> np.ndarray:
    image = np.empty((height, width, 3), np.uint8)
    for place, colour in enumerate("RGBW"):
        rows = slice(None, height // 2) if place < 2 else slice(height // 2, None)
        columns = slice(width // 2, None) if place % 2 else slice(None, width // 2)
        image[rows, columns] = COLOURS[colour]
    return image


def layout(image: np.ndarray) -> str:
    height, width = image.shape[:2]
    places = [(y, x) for y in (height // 4, 3 * height // 4) for x in (width // 4, 3 * width // 4)]
    return "".join(
        min(COLOURS, key=lambda name: np.abs(image[place].astype(int) - COLOURS[name]).sum())
        for place in places
    )


def with_matrix(path: Path, values: tuple[int, int, int, int]) -> None:
    """Writes a display matrix into the track header of an MP4 file."""
    a, b, c, d = values
    data = bytearray(path.read_bytes())
    header = data.find(b"tkhd")
    place = header + 8 + (32 if data[header + 4] else 20) + 16
    data[place : place + 36] = struct.pack(">9i", a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


@pytest.mark.parametrize("name", MATRICES)
def test_display_matrices(name: str, tmp_path: Path, clips: Any) -> None:
    values, expected = MATRICES[name]
    path = clips.write(tmp_path / "a.mp4", [corners()] * 3)
    with_matrix(path, values)
    with open_source(path) as source:
        images = [frame.image for frame in source]
        assert (source.info.height, source.info.width) == images[0].shape[:2]
    assert [layout(image) for image in images] == [expected] * 3
    assert images[0].shape[:2] == ((64, 48) if values[0] == 0 else (48, 64))
    assert images[0].flags.c_contiguous


def test_photographs_with_exif_are_upright(tmp_path: Path) -> None:
    stored = cv2.imencode(".jpg", corners())[1].tobytes()
    for orientation in range(1, 9):
        entries = struct.pack(">HHIHH", 0x112, 3, 1, orientation, 0) + struct.pack(
            ">HHI4s", 0x10F, 2, 4, b"Us\0\0"
        )
        exif = b"Exif\0\0MM\0*" + struct.pack(">IH", 8, 2) + entries + bytes(4)
        path = tmp_path / f"{orientation}.jpg"
        path.write_bytes(stored[:2] + b"\xff\xe1" + struct.pack(">H", 2 + len(exif)) + exif + stored[2:])
        expected = cv2.imread(str(path))
        assert expected is not None
        with open_source(path) as source:
            image = next(iter(source)).image
        assert (image.shape, layout(image)) == (expected.shape, layout(expected))


@pytest.mark.parametrize("name", MATRICES)
def test_a_matrix_takes_each_point_where_it_says(name: str) -> None:
    """By the definition: the point (x, y) goes to (a x + c y, b x + d y), moved back into the picture."""
    (a, b, c, d), _ = MATRICES[name]
    image = np.random.default_rng(0).integers(0, 255, (5, 7, 3), dtype=np.uint8)
    result = turned(image, np.array([a, b, 0, c, d, 0, 0, 0, 1], np.int32) << 16)
    y, x = np.mgrid[:5, :7]
    across, down = a * x + c * y, b * x + d * y
    across, down = across - across.min(), down - down.min()
    assert (result[down, across] == image).all()


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [((0, 0, 0, 0), "RGBW"), ((60_000, 20_000, -20_000, 60_000), "RGBW"), ((1, 65536, -65536, 1), "BRWG")],
)
def test_matrices_that_are_none_or_askew(matrix: tuple[int, int, int, int], expected: str) -> None:
    a, b, c, d = matrix
    assert layout(turned(corners(), np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32))) == expected


def anamorphic(path: Path, aspect: Fraction, rotation: int = 0) -> Path:
    image = np.zeros((48, 60, 3), np.uint8)
    cv2.circle(image, (30, 24), 12, (255, 255, 255), -1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", 25)
        stream.width, stream.height, stream.pix_fmt = 60, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = aspect
        if rotation:
            stream.set_display_rotation(rotation)
        for _ in range(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "bgr24")))
        container.mux(stream.encode(None))
    return path


@pytest.mark.parametrize(
    ("aspect", "size"),
    [
        (Fraction(64, 45), (85, 48)),
        (Fraction(16, 15), (64, 48)),
        (Fraction(8, 9), (60, 54)),
        (Fraction(2), (120, 48)),
        (Fraction(1, 2), (60, 96)),
        (Fraction(201, 200), (60, 48)),  # as good as square
        (Fraction(9), (60, 48)),  # an error
    ],
)
@pytest.mark.parametrize("suffix", ["mkv", "mp4", "avi"])
def test_pixels_become_square(aspect: Fraction, size: tuple[int, int], suffix: str, tmp_path: Path) -> None:
    if suffix == "avi" and aspect in (Fraction(201, 200), Fraction(9)):
        pytest.skip("its codec keeps these otherwise")
    with open_source(anamorphic(tmp_path / f"a.{suffix}", aspect)) as source:
        assert (source.info.width, source.info.height) == size
        (image, *_) = [frame.image for frame in source]
    assert image.shape[:2] == size[::-1]
    *_, width, height = cv2.boundingRect((image[..., 0] > 128).astype(np.uint8))
    expected = max(aspect, 1 / aspect) if size != (60, 48) else 1
    assert max(width / height, height / width) == pytest.approx(float(expected), abs=0.12)


def test_pixels_become_square_before_they_are_turned(tmp_path: Path) -> None:
    with open_source(anamorphic(tmp_path / "a.mp4", Fraction(2), rotation=90)) as source:
        assert (source.info.width, source.info.height) == (48, 120)


@pytest.mark.parametrize(("transfer", "name"), [(16, "PQ"), (18, "HLG")])
def test_hdr_is_mapped_to_ordinary_light(transfer: int, name: str) -> None:
    """Code values by the standards' own tables: black, mid grey of 26, white of 203 and 1000 cd/m2."""
    codes = [0.0, 0.3798, 0.5807, 0.7518] if transfer == 16 else [0.0, 0.38, 0.75, 1.0]
    strip = np.repeat(np.array(codes), 16)[None, :, None].repeat(16, 0).repeat(3, 2)
    picture = av.VideoFrame.from_ndarray((strip * 65535).astype(np.uint16), "rgb48le")
    picture = picture.reformat(format="yuv420p10le", dst_colorspace=9)
    picture.color_trc, picture.color_primaries, picture.colorspace = transfer, 9, 9
    told: list[str] = []
    image = PixelReader(None, told.append).read(picture)
    assert image.shape == (16, 64, 3)
    black, grey, white, bright = image[8, 8::16].astype(int)
    assert black.max() <= 3
    assert 95 < grey.min() <= grey.max() < 145
    assert 215 < white.min() < bright.min()
    assert bright.min() > 240
    assert max(np.ptp(value) for value in (black, grey, white, bright)) <= 5  # grey stays grey
    assert told == [f"HDR ({name}): its light is mapped to that of ordinary video"]


def test_tone_table_is_bright_where_light_is() -> None:
    for transfer in (16, 18):
        table = tone_table(transfer, 9)
        diagonal = table[range(9), range(9), range(9)]
        assert (np.diff(diagonal, axis=0) >= -1e-9).all()
        assert table.min() >= 0
        assert table.max() <= 1 + 1e-6
        assert table[0, 0, 8].argmax() == 0  # red changes fastest and stays red
        assert table[8, 0, 0].argmax() == 2


def combed(shift: int) -> tuple[np.ndarray, np.ndarray]:
    """A bright block that moves between the two fields, on a ground with fine detail; and its upper field."""
    rng = np.random.default_rng(1)
    ground = np.repeat(rng.integers(60, 100, (1, 96, 3), dtype=np.uint8), 64, axis=0)
    first, second = ground.copy(), ground.copy()
    first[16:48, 20:50] = 230
    second[16:48, 20 + shift : 50 + shift] = 230
    both = first.copy()
    both[1::2] = second[1::2]
    return both, first


def test_combs_are_gone_and_what_stands_still_keeps_its_lines() -> None:
    both, first = combed(shift=8)
    result = deinterlaced(both)
    assert np.abs(both.astype(int) - first)[20:44].max() > 100
    assert np.abs(result.astype(int) - first)[20:44].max() < 45
    assert (result[:, 70:] == both[:, 70:]).all()
    still, _ = combed(shift=0)
    assert (deinterlaced(still) == still).all()
    assert deinterlaced(both[:1]).shape == (1, 96, 3)
    assert deinterlaced(both[:7]).shape == (7, 96, 3)


def test_interlaced_video_is_deinterlaced_and_told(tmp_path: Path) -> None:
    both, first = combed(shift=8)
    with av.open(str(tmp_path / "a.mkv"), "w") as container:
        stream = container.add_stream("mpeg2video", 25, options={"flags": "+ildct+ilme", "qscale": "2"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv422p"
        graph = av.filter.Graph()
        ends = (
            graph.add_buffer(
                width=96, height=64, format=av.VideoFormat("yuv422p"), time_base=Fraction(1, 25)
            ),
            graph.add("setfield", "tff"),
            graph.add("buffersink"),
        )
        graph.link_nodes(*ends).configure()
        for number in range(3):
            picture = av.VideoFrame.from_ndarray(both, "bgr24").reformat(format="yuv422p")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            graph.vpush(picture)
            container.mux(stream.encode(graph.vpull()))
        container.mux(stream.encode(None))
    with open_source(tmp_path / "a.mkv") as source:
        images = [frame.image for frame in source]
        assert any("interlaced" in note for note in source.notes)
    assert len(images) == 3
    assert np.abs(images[1].astype(int) - first)[20:44].max() < 70
