import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.video import sources
from mot_reid.video.frames import Selection, SourceError
from mot_reid.video.sources import open_source, safe_name, source_name


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": 0}, "start: expected at least 1, got 0"),
        ({"stop": 0}, "stop: expected at least 1, got 0"),
        ({"stride": 0}, "stride: expected at least 1, got 0"),
        ({"start": 5, "stop": 4}, "stop: expected at least start = 5, got 4"),
    ],
)
def test_bad_selection_is_refused(video: Path, arguments: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        open_source(video, **arguments)


def test_fractional_stride_is_refused(video: Path) -> None:
    with pytest.raises(TypeError, match="stride: expected an integer, got float"):
        open_source(video, stride=1.5)  # type: ignore[arg-type]


@given(
    start=st.integers(1, 30),
    length=st.none() | st.integers(0, 30),
    stride=st.integers(1, 9),
    total=st.integers(0, 40),
)
def test_selection_counts_what_it_contains(start: int, length: int | None, stride: int, total: int) -> None:
    selection = Selection(start, None if length is None else start + length, stride)
    wanted = [number for number in range(1, total + 1) if number in selection]
    assert wanted == list(range(1, total + 1))[start - 1 : selection.stop : stride]
    assert selection.count(total) == len(wanted)
    assert not any(selection.is_past(number) for number in wanted)


@pytest.mark.parametrize("source", ["nowhere.mp4", "no/such/folder", Path("7")])
def test_missing_file_is_named(source: str | Path) -> None:
    with pytest.raises(SourceError, match=f"{source}: no such file or folder"):
        open_source(source)


def test_empty_source_is_refused() -> None:
    with pytest.raises(SourceError, match="got an empty string"):
        open_source("")


def test_empty_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "empty.mp4"
    path.touch()
    with pytest.raises(SourceError, match=r"empty\.mp4: the file is empty"):
        open_source(path)


def test_webcam_that_is_not_there(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SourceError, match=r"^webcam 97: cannot be opened"):
        open_source("97")
    assert capfd.readouterr().err == ""


def test_unknown_scheme_is_refused() -> None:
    with pytest.raises(SourceError, match=r"^gopher://: not a kind of stream"):
        open_source("gopher://host/video")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "https://www.youtube.com/watch?v=1",
            "^https://www.youtube.com/watch: a page with a player, .*yt-dlp",
        ),
        ("https://youtu.be/1", "a page with a player"),
        ("file:///videos/a.mp4", "a file is given by its path alone"),
        ("-", "standard input is /dev/stdin"),
        ("/dev/video97", "a webcam is given by its number: 97"),
    ],
)
def test_what_others_take_for_sources_is_told(source: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        open_source(source)


def test_unreachable_url_shows_no_secret() -> None:
    with pytest.raises(SourceError, match="refused") as caught:
        open_source("HTTP://user:secret@127.0.0.1:9/live.mp4?token=hidden")  # FFmpeg knows small letters only
    assert str(caught.value) == "http://127.0.0.1:9/live.mp4: Connection refused"


@pytest.mark.parametrize("password", ["se#cret", "se?cret", "se/cret", "12#34", "a:b/c"])
def test_a_password_that_ends_the_host_is_no_part_of_messages_and_names(password: str) -> None:
    url = f"rtsp://admin:{password}@127.0.0.1:9/live?x=1"
    assert source_name(url) == "127.0.0.1-9-live"
    with pytest.raises(SourceError, match=r"^rtsp://127\.0\.0\.1:9/live: its password holds #, \? or /"):
        open_source(url)
    for fine in ("http://127.0.0.1:9/a@b", "http://127.0.0.1:9/a?b=c@d#e@f", "http://[::1]:9/a@b"):
        with pytest.raises(SourceError, match="refused"):
            open_source(fine)


def test_silent_stream_times_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "STREAM_TIMEOUT", 0.3)
    with pytest.raises(SourceError, match=r"udp://127\.0\.0\.1:45871: no data for 0\.3 s"):
        open_source("udp://127.0.0.1:45871")


@given(st.text())
def test_safe_name_is_one_path_component(text: str) -> None:
    name = safe_name(text)
    assert name
    assert name not in (".", "..")
    assert not set(name) & set('/\\:*?"<>|\n\0 ')


def test_import_does_not_bring_in_what_it_does_not_need() -> None:
    heavy = {"av", "cv2", "pyarrow", "torch"}
    code = f"import sys, mot_reid.video.sinks, mot_reid.video.sources; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"


@pytest.mark.parametrize("info", [None, "[Sequence]\nname=hall\nimDir=img1\nframeRate=10\n"])
def test_a_folder_with_one_video_is_that_video(video: Path, info: str | None) -> None:
    folder = video.parent / "hall"
    folder.mkdir()
    if info is not None:
        (folder / "seqinfo.ini").write_text(info)
        (folder / "gt").mkdir()
    moved = video.rename(folder / "seen.mp4")
    with open_source(folder) as source:
        assert (source.info.name, source.info.kind, source.info.fps) == ("hall", "video", 25.0)
        assert source.info.location == str(moved)
        assert [frame.number for frame in source] == list(range(1, 21))


def test_a_folder_with_several_videos_or_pictures_beside_one(video: Path) -> None:
    (video.parent / "second.MKV").write_bytes(video.read_bytes())
    with pytest.raises(
        SourceError, match=r"no pictures in this folder, but 2 videos \(clip\.mp4, second\.MKV\)"
    ):
        open_source(video.parent)
    cv2.imwrite(str(video.parent / "1.png"), np.zeros((48, 64, 3), np.uint8))
    with open_source(video.parent) as source:
        assert (source.info.kind, len(list(source))) == ("images", 1)
        assert source.notes == ("a folder of pictures; left out are its videos: clip.mp4, second.MKV",)


@pytest.mark.parametrize("pattern", ["*.png", "frame_%06d.png", "frame_%d.png"])
def test_a_pattern_is_told_to_be_none_that_is_read(tmp_path: Path, pattern: str) -> None:
    with pytest.raises(SourceError, match="no such file or folder; patterns are not read: give the folder"):
        open_source(tmp_path / pattern)


def test_of_a_pattern_of_videos_the_command_that_reads_it_is_told(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="of videos mot-reid batch reads them"):
        open_source(tmp_path / "*.mp4")


def test_an_mp4_through_a_pipe_is_read_only_where_its_index_comes_first(tmp_path: Path) -> None:
    plain, first = tmp_path / "plain.mp4", tmp_path / "first.mp4"
    for path, options in ((plain, {}), (first, {"movflags": "faststart"})):
        with av.open(str(path), "w", options=options) as container:
            stream = container.add_stream("mpeg4", rate=10)
            stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
            for seed in range(5):  # noise: more bytes than are looked ahead
                picture = np.random.default_rng(seed).integers(0, 256, (240, 320, 3), np.uint8)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
            container.mux(stream.encode())
    with through_a_pipe(first) as pipe, open_source(pipe) as source:
        assert len(list(source)) == 5
    with through_a_pipe(plain) as pipe, pytest.raises(SourceError) as error:
        open_source(pipe)
    assert "an MP4 whose index is at its end cannot be read as it comes: give it as a file" in str(
        error.value
    )


@contextmanager
def through_a_pipe(path: Path) -> Iterator[str]:
    """What ``cat FILE |`` gives, as ``/dev/stdin`` would name it."""
    with subprocess.Popen(["cat", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as cat:
        assert cat.stdout is not None
        try:
            yield f"/dev/fd/{cat.stdout.fileno()}"
        finally:
            cat.kill()


def test_a_moving_webp_is_told_to_be_one(tmp_path: Path) -> None:
    moving = tmp_path / "a.webp"
    moving.write_bytes(
        b"RIFF\x9a\x00\x00\x00WEBPVP8X\x0a\x00\x00\x00\x02" + bytes(9) + b"ANIM\x06" + bytes(40)
    )
    with pytest.raises(SourceError, match="a moving WebP, which is not read; convert it to GIF or MP4"):
        open_source(moving)
    cv2.imwrite(str(tmp_path / "still.webp"), np.zeros((48, 64, 3), np.uint8))
    with open_source(tmp_path / "still.webp") as source:
        assert len(list(source)) == 1
