import os
import shutil
import sys
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.video.pictures import _natural_key, read_picture
from mot_reid.video.sources import SourceError, SourceInfo, open_source


def save(path: Path, value: int = 0, height: int = 12, width: int = 16) -> Path:
    assert cv2.imwrite(str(path), np.full((height, width, 3), value, np.uint8))
    return path


def sequence(folder: Path, numbers: list[int], info: str = "") -> Path:
    (folder / "img1").mkdir(parents=True)
    for number in numbers:
        save(folder / "img1" / f"{number:06d}.png", number)
    (folder / "seqinfo.ini").write_text(
        info or "[Sequence]\nname=A\nimDir=img1\nframeRate=14\nseqLength=600\nimExt=.png\n"
    )
    return folder


def test_folder_in_natural_order(tmp_path: Path) -> None:
    for number in (10, 9, 100, 1):
        save(tmp_path / f"frame{number}.png", number)
    (tmp_path / "notes.txt").write_text("no picture")
    save(tmp_path / "x.png", 7).rename(tmp_path / "._frame2.png")
    with open_source(tmp_path) as source:
        assert source.info == SourceInfo(tmp_path.name, "images", 16, 12, 30.0, 4)
        assert [(frame.number, frame.image[0, 0, 0]) for frame in source] == [
            (1, 1),
            (2, 9),
            (3, 10),
            (4, 100),
        ]


@given(st.lists(st.integers(0, 10**6), unique=True), st.sampled_from(["", "cam", "a1b"]))
def test_natural_order_is_the_order_of_numbers(numbers: list[int], prefix: str) -> None:
    names = [f"{prefix}{number}.jpg" for number in numbers]
    assert sorted(names, key=_natural_key) == [f"{prefix}{number}.jpg" for number in sorted(numbers)]


@given(st.lists(st.text("aA²01", max_size=5), unique=True))
def test_natural_order_is_total(names: list[str]) -> None:
    backwards = names[::-1]
    assert sorted(names, key=_natural_key) == sorted(backwards, key=_natural_key)


@pytest.mark.parametrize("suffix", ["jpg", "JPEG", "png", "bmp", "webp", "tif", "TIFF", "avif", "gif", "ppm"])
def test_kinds_of_pictures(tmp_path: Path, suffix: str) -> None:
    save(tmp_path / f"a.{suffix}", 90)
    with open_source(tmp_path) as source:
        (frame,) = source
    off = np.abs(frame.image.astype(int) - 90)
    assert (off.mean() if suffix == "gif" else off.max()) <= (20 if suffix == "gif" else 2)  # OpenCV dithers


@pytest.mark.parametrize(
    "pixels",
    [
        np.full((12, 16), 77, np.uint8),
        np.full((12, 16, 4), (77, 77, 77, 10), np.uint8),
        np.full((12, 16), 77 * 256, np.uint16),
        np.full((12, 16, 3), 77 * 256, np.uint16),
    ],
    ids=["grey", "bgra", "grey16", "bgr16"],
)
def test_other_pixels_become_bgr8(tmp_path: Path, pixels: np.ndarray) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), pixels)
    image = read_picture(tmp_path / "a.png")
    assert (image.shape, image.dtype) == ((12, 16, 3), np.uint8)
    assert (image == 77).all()


def test_folder_without_pictures(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match=f"{tmp_path}: no pictures in this folder"):
        open_source(tmp_path)


@pytest.mark.parametrize("odd", [1, 2, 3, 5])
def test_a_picture_of_another_size_is_skipped_and_named(tmp_path: Path, odd: int) -> None:
    for number in range(1, 6):
        save(tmp_path / f"{number}.png", width=20 if number == odd else 16)
    with open_source(tmp_path) as source:
        seen = [frame.number for frame in source]
    assert seen == [number for number in range(1, 6) if number != odd]
    assert source.damaged == 1
    assert source.notes == (f"pictures of another size skipped: {odd}.png (20x12); the others are 16x12",)


def test_pictures_of_all_sizes_are_an_error(tmp_path: Path) -> None:
    for number in range(1, 7):
        save(tmp_path / f"{number}.png", width=16 + 2 * (number // 2))
    with open_source(tmp_path) as source, pytest.raises(SourceError, match=r"different sizes; only 2 were"):
        list(source)


@pytest.mark.parametrize("content", [b"", b"not a picture", "half a jpeg", "half a png", "a folder"])
@pytest.mark.parametrize("place", [1, 2, 4])
def test_an_unreadable_picture_is_skipped_and_named(tmp_path: Path, content: bytes | str, place: int) -> None:
    suffix = "png" if content == "half a png" else "jpg"
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    for number in range(1, 5):
        cv2.imwrite(str(tmp_path / f"{number}.{suffix}"), noise)
    bad = tmp_path / f"{place}.{suffix}"
    if content == "a folder":
        bad.unlink()
        bad.mkdir()
    else:
        bad.write_bytes(content if isinstance(content, bytes) else bad.read_bytes()[:5000])
    with open_source(tmp_path) as source:
        assert [frame.number for frame in source] == [n for n in range(1, 5) if n != place]
        assert source.damaged == 1
        assert source.notes == (f"damaged pictures skipped: {place}.{suffix}",)


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a"])
@pytest.mark.parametrize("share", [0.5, 0.99])
def test_one_picture_that_is_cut_off_is_an_error(tmp_path: Path, name: str, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    data = cv2.imencode(Path(name).suffix or ".jpg", noise)[1].tobytes()
    (tmp_path / name).write_bytes(data)
    with open_source(tmp_path / name) as source:
        assert len(list(source)) == 1
    (tmp_path / name).write_bytes(data[: int(share * len(data))])
    with pytest.raises(SourceError, match=f"{name}: not one frame can be decoded"):
        open_source(tmp_path / name)


def test_pictures_none_of_which_can_be_read(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        (tmp_path / f"{number}.jpg").write_bytes(b"no picture")
    with pytest.raises(
        SourceError, match=r"1\.jpg: not a picture, or damaged \(and none of the other 2 can be"
    ):
        open_source(tmp_path)


def test_a_picture_of_a_kind_that_cannot_be_read_is_not_said_to_be_damaged(tmp_path: Path) -> None:
    (tmp_path / "a.HEIC").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"a\.HEIC: pictures of this kind cannot be read: convert it"):
        read_picture(tmp_path / "a.HEIC")


def test_pictures_that_are_left_out_are_named(tmp_path: Path) -> None:
    save(tmp_path / "1.png")
    for name in ("a.heic", "b.HEIF", "c.dng", "d.jxl"):
        (tmp_path / name).write_bytes(b"x")
    with open_source(tmp_path) as source:
        assert source.notes == (
            "left out, as pictures of their kind cannot be read: a.heic, b.HEIF, c.dng and 1 more",
        )
        assert len(list(source)) == 1
    (tmp_path / "1.png").unlink()
    with pytest.raises(
        SourceError, match=r"no pictures .* a\.heic, b\.HEIF, c\.dng and 1 more cannot be read"
    ):
        open_source(tmp_path)


def test_files_of_several_pictures_are_named(tmp_path: Path) -> None:
    pages = [np.full((12, 16, 3), value, np.uint8) for value in (0, 255)]
    assert cv2.imwritemulti(str(tmp_path / "1.tif"), pages)
    with av.open(str(tmp_path / "2.gif"), "w") as file:
        stream = file.add_stream("gif", rate=10, width=16, height=12, pix_fmt="rgb8")
        for page in pages:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(page, "bgr24")))
        file.mux(stream.encode())
    save(tmp_path / "3.tif")
    if sys.platform == "linux":  # a name that is no UTF-8
        shutil.copy(tmp_path / "1.tif", os.path.join(os.fsencode(tmp_path), b"4\xff.tif"))
    with open_source(tmp_path) as source:
        assert [frame.image.max() < 20 for frame in source][:3] == [True] * 3
        told = "only the first picture is taken of files that hold several: 1.tif, 2.gif"
        assert source.notes == (told,)
    with open_source(tmp_path / "1.tif") as source:
        assert len(list(source)) == 1
        assert source.notes[0].startswith("of the pictures that it holds only the first is taken")


def test_pictures_that_count_from_0(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "s", [0, 1, 2, 5])
    save(folder / "img1" / "cover.jpg")
    with open_source(folder) as source:
        assert [(frame.number, frame.image[0, 0, 0]) for frame in source] == [(1, 0), (2, 1), (3, 2), (6, 5)]
        assert source.notes == (
            "its pictures count from 0 and frames from 1: 000000.png is frame 1, and so on",
            "left out, as seqinfo.ini says imExt=.png: cover.jpg",
        )


@pytest.mark.parametrize("depth", [(np.uint16, 0), (np.uint16, 3)])
@pytest.mark.parametrize("top", [255, 4095, 16383, 65535])
def test_16_bits_are_told_or_stretched(tmp_path: Path, depth: tuple[type, int], top: int) -> None:
    ramp = np.linspace(0, top, 64).astype(np.uint16)[None].repeat(48, 0)
    pixels = ramp if not depth[1] else np.repeat(ramp[..., None], 3, axis=2)
    for number in (1, 2):
        cv2.imwrite(str(tmp_path / f"{number}.png"), pixels)
    with open_source(tmp_path) as source:
        images = [frame.image for frame in source]
        told = source.notes
    assert int(images[0].max()) == top >> 8
    assert len(told) == (top < 16384)
    assert all(f"uses values up to {top}" in note for note in told)
    with open_source(tmp_path, stretch=True) as source:
        images = [frame.image for frame in source]
        assert "16 bits: " in source.notes[0]
    assert images[0].dtype == np.uint8
    assert (images[0].min(), images[0].max()) == (0, 255)
    assert (np.diff(images[0][0, :, 0].astype(int)) >= 0).all()
    assert (images[0] == images[1]).all()


def test_stretching_leaves_8_bits_alone(tmp_path: Path) -> None:
    save(tmp_path / "1.png", 77)
    with open_source(tmp_path, stretch=True) as source:
        assert (next(iter(source)).image == 77).all()
        assert source.notes == ()


def test_the_rate_of_a_folder(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        save(tmp_path / f"{number}.png")
    with open_source(tmp_path, fps=2) as source:
        assert source.info.fps == 2
        assert [frame.time for frame in source] == pytest.approx([0, 0.5, 1])
    (tmp_path / "s").mkdir()
    with open_source(sequence(tmp_path / "s" / "q", [1, 2]), fps=2) as source:
        assert [frame.time for frame in source] == pytest.approx([0, 0.5])


@pytest.mark.parametrize("name", ["0", "0000", "12"])
def test_a_numeric_folder_comes_before_a_webcam(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).mkdir()
    save(tmp_path / name / "1.png")
    with open_source(name) as source:
        assert source.info == SourceInfo(name, "images", 16, 12, 30.0, 1)


def test_sequence_keeps_the_numbers_of_its_pictures(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "MOT-1", [3, 4, 6])
    with open_source(folder) as source:
        assert source.info == SourceInfo("MOT-1", "sequence", 16, 12, 14.0, 3)
        assert [(frame.number, frame.image[0, 0, 0]) for frame in source] == [(3, 3), (4, 4), (6, 6)]
    with open_source(folder) as source:
        assert [frame.time for frame in source] == pytest.approx([0, 1 / 14, 3 / 14])
    (folder / "seqinfo.ini").write_text("[Sequence]\nimExt=PNG\n")
    with open_source(folder, start=2, stop=5, stride=2) as source:
        assert source.info.frame_count == 1
        assert [frame.number for frame in source] == [4]


def test_closed_source_gives_no_more(tmp_path: Path) -> None:
    source = open_source(sequence(tmp_path / "s", [1, 2, 3]))
    iterator = iter(source)
    next(iterator)
    source.close()
    assert list(iterator) == []


def test_no_frame_wanted(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"holds frames 1 to 2, none of them wanted: start 3"):
        open_source(sequence(tmp_path / "s", [1, 2]), start=3)


def test_sequence_without_pictures(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "s", [])
    with pytest.raises(SourceError, match=f"{folder}: a sequence without pictures"):
        open_source(folder)
    (folder / "img1").rmdir()
    with pytest.raises(SourceError, match="a sequence without pictures"):
        open_source(folder)


@pytest.mark.parametrize(
    ("info", "message"),
    [
        ("name=A\n", "line.* 1"),
        ("[Other]\nname=A\n", r"has no \[Sequence\] section"),
        ("[Sequence]\nimExt=.png\nframeRate=fast\n", "frameRate: expected a positive number, got 'fast'"),
        ("[Sequence]\nimExt=.png\nframeRate=0\n", "frameRate: expected a positive number, got '0'"),
    ],
)
def test_bad_seqinfo_is_named(tmp_path: Path, info: str, message: str) -> None:
    with pytest.raises(SourceError, match=rf"seqinfo\.ini: .*{message}"):
        open_source(sequence(tmp_path / "s", [1], info))


def test_pictures_without_or_with_the_same_number(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "s", [1])
    save(folder / "img1" / "1.png")
    with pytest.raises(SourceError, match="same frame number as"):
        open_source(folder)
    (folder / "img1" / "1.png").rename(folder / "img1" / "cover.png")
    with open_source(folder) as source:
        assert [frame.number for frame in source] == [1]
        assert source.notes == ("left out, as their names end in no frame number: cover.png",)
    (folder / "img1" / "000001.png").unlink()
    with pytest.raises(SourceError, match=r"cover\.png: expected a frame number"):
        open_source(folder)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        (np.full((8, 8, 3), 0.5, np.float32), 127),
        (np.full((8, 8), 0.5, np.float32), 127),
        (np.full((8, 8, 3), 128, np.float32), 128),
        (np.repeat(np.linspace(20, 40, 8, dtype=np.float32)[:, None], 8, axis=1) * 100, None),  # kelvin * 100
    ],
)
def test_pictures_of_floats_are_brought_to_8_bits(
    tmp_path: Path, pixels: np.ndarray, expected: int | None
) -> None:
    cv2.imwrite(str(tmp_path / "1.tif"), pixels)
    with open_source(tmp_path) as source:
        image = next(iter(source)).image
    assert (image.shape, image.dtype) == ((8, 8, 3), np.uint8)
    if expected is not None:
        assert (image == expected).all()
    else:
        assert image.min() == 0
        assert image.max() == 255
        assert source.notes[0].startswith("32 bits: ")


def test_a_folder_without_pictures_says_where_some_are(tmp_path: Path) -> None:
    (tmp_path / "img1").mkdir()
    save(tmp_path / "img1" / "1.png")
    with pytest.raises(SourceError, match="; there are pictures in img1"):
        open_source(tmp_path)


def test_a_rate_may_be_a_fraction(tmp_path: Path) -> None:
    sequence(tmp_path / "s", [1, 2])
    with open_source(tmp_path / "s", fps=Fraction(30000, 1001)) as source:
        assert type(source.info.fps) is float
        assert [type(frame.time) for frame in source] == [float, float]


def test_pictures_of_more_bits_behind_one_of_eight(tmp_path: Path) -> None:
    save(tmp_path / "1.png", 100)
    cv2.imwrite(str(tmp_path / "2.tif"), np.full((12, 16, 3), 0.5, np.float32))
    with open_source(tmp_path) as source:
        means = [frame.image.mean() for frame in source]
    assert means == pytest.approx([100, 127.5], abs=1)
    cv2.imwrite(str(tmp_path / "2.tif"), np.tile(np.linspace(0, 4000, 16, dtype=np.uint16), (12, 1)))
    with open_source(tmp_path, stretch=True) as source:
        assert [frame.image.max() > 90 for frame in source] == [True, True]
