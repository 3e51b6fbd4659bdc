"""What lies before the first frame wanted is not decoded, and nobody sees a difference."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from mot_reid.video import open_source, video_file
from mot_reid.video.skipping import skippable

FRAMES, START = 60, 41
KINDS = {
    "closed.mp4": ("libx264", {"g": "8", "bf": "2"}),
    "open.mkv": ("libx264", {"g": "8", "bf": "2", "x264-params": "open-gop=1"}),
    "mpeg2.ts": ("mpeg2video", {"g": "8", "bf": "2"}),
    "vp9.webm": ("libvpx-vp9", {"g": "8", "deadline": "realtime", "cpu-used": "8"}),
    "mpeg4.avi": ("mpeg4", {"g": "8"}),
    "pictures.mov": ("mjpeg", {}),
}


@pytest.fixture(autouse=True)
def _always_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(video_file, "WORTH", 2)


def write(path: Path, codec: str, options: dict[str, str], stamps: list[int]) -> Path:
    """Frames that differ, shown at these hundredths of a second."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, 25, options=options)
        stream.width, stream.height = 64, 48
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.codec_context.time_base = Fraction(1, 25 if codec == "mpeg2video" else 100)
        for stamp in stamps:
            frame = av.VideoFrame.from_ndarray(rng.integers(0, 256, (48, 64, 3), np.uint8), "bgr24")
            frame.pts, frame.time_base = stamp, Fraction(1, 100)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def seen(
    path: Path, monkeypatch: pytest.MonkeyPatch, **selection: int
) -> list[tuple[int, float | None, bytes]]:
    """Numbers, times and pixels of the frames wanted, decoded from the first one on."""
    with monkeypatch.context() as patch:
        patch.setattr(video_file, "WORTH", 10**9)
        with open_source(path, **selection) as source:
            return [(frame.number, frame.time, frame.image.tobytes()) for frame in source]


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of packets that are left out, each time a video is opened."""
    found: list[int] = []

    def look(url: str, label: str, start: int, fps: float) -> object:
        result = skippable(url, label, start, fps)
        found.append(result.packets)
        return result

    monkeypatch.setattr(video_file, "skippable", look)
    return found


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("start", [START, START + 3, 9, 3])
def test_frames_are_those_that_decoding_from_the_beginning_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[int], name: str, start: int
) -> None:
    path = write(tmp_path / name, *KINDS[name], [4 * step for step in range(FRAMES)])
    expected = seen(path, monkeypatch, start=start)
    with open_source(path, start=start) as source:
        assert [(frame.number, frame.time, frame.image.tobytes()) for frame in source] == expected
    if start >= START:
        assert decoded[0] >= 16, "nothing was left out"


def test_wherever_in_a_group_of_pictures_reading_ends(tmp_path: Path) -> None:
    """Packets of frames that are shown earlier follow later than the last one that is read."""
    options = {"g": "12", "bf": "3", "x264-params": "b-adapt=0:scenecut=0"}
    path = write(tmp_path / "a.mp4", "libx264", options, [4 * step for step in range(140)])
    for start in range(START, START + 12):
        assert skippable(str(path), "a.mp4", start, 25.0).packets >= 16, start


def test_a_varying_rate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decoded: list[int]) -> None:
    stamps = np.random.default_rng(1).integers(1, 20, FRAMES).cumsum().tolist()
    path = write(tmp_path / "phone.mkv", "libx264", {"g": "8", "bf": "2"}, stamps)
    expected = seen(path, monkeypatch, start=START)
    with open_source(path, start=START) as source:
        assert [(frame.number, frame.time, frame.image.tobytes()) for frame in source] == expected
    assert decoded[0] == 0, "a frame may be missing in each of its pauses"


def damaged(data: bytes) -> bytes:
    middle = len(data) // 3
    return data[:middle] + bytes(5000) + data[middle + 5000 :]


def cut(data: bytes) -> bytes:
    return data[: len(data) * 9 // 10]


def cut_out(data: bytes) -> bytes:
    return data[: len(data) // 5] + data[len(data) // 3 :]


@pytest.mark.parametrize("name", ["mpeg2.ts", "open.mkv"])
@pytest.mark.parametrize(
    "spoil", [damaged, lambda data: data[: len(data) * 9 // 10], cut_out], ids=["damaged", "cut", "cut out"]
)
def test_what_is_not_whole_is_decoded_from_the_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[bytes], bytes], name: str
) -> None:
    whole = write(tmp_path / f"whole-{name}", *KINDS[name], [4 * step for step in range(FRAMES)])
    path = tmp_path / name
    path.write_bytes(spoil(whole.read_bytes()))
    expected = seen(path, monkeypatch, start=45, stop=46)
    with open_source(path, start=45, stop=46) as source:
        assert [(frame.number, frame.time, frame.image.tobytes()) for frame in source] == expected


@pytest.mark.parametrize("change", ["no key frame first", "a count that begins again"])
def test_numbers_that_packets_do_not_tell(tmp_path: Path, change: str) -> None:
    stamps = [4 * step for step in range(FRAMES)]
    path = write(tmp_path / "a.ts", *KINDS["mpeg2.ts"], stamps)
    if change == "no key frame first":
        data = path.read_bytes()
        with av.open(str(path)) as container:
            keys = [packet.pos for packet in container.demux(video=0) if packet.is_keyframe]
        path.write_bytes(data[keys[0] + 188 * 40 :])
    else:
        path.write_bytes(path.read_bytes() * 2)
    assert (
        skippable(str(path), "a.ts", 2 * START if change != "no key frame first" else START, 25.0).packets
        == 0
    )
