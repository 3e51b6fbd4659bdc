"""One call for a whole source, and the names at the package's root."""

from pathlib import Path

import cv2
import numpy as np
import pytest

import mot_reid
from mot_reid import Detections, Tracker
from mot_reid.video.sources import open_source


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """20 frames in which a bright square goes to the right."""
    from mot_reid.structures import Tracks
    from mot_reid.video.video_sink import VideoSink

    path = tmp_path / "clip.mp4"
    with VideoSink(path, 25.0) as sink:
        for number in range(1, 21):
            image = np.zeros((96, 160, 3), np.uint8)
            image[30:70, 4 * number : 4 * number + 20] = 255
            sink.write(number, image, Tracks.empty())
    return path


class Square:
    """Finds the bright square."""

    class_names = {0: "square"}  # noqa: RUF012

    def detect(self, frames: list[np.ndarray]) -> list[Detections]:
        return [self.one(frame) for frame in frames]

    def one(self, frame: np.ndarray) -> Detections:
        rows, columns = np.nonzero(frame[..., 0] > 128)
        return Detections([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], [0.9])


def plain() -> Tracker:
    return Tracker(Square(), embedder="none", camera_motion="none")


def test_a_loop_gets_each_frame_with_its_number_time_picture_and_tracks(clip: Path) -> None:
    seen = [(frame, tracks) for frame, tracks in mot_reid.track(clip, tracker=plain())]
    assert [frame.number for frame, _ in seen] == list(range(1, 21))
    assert [frame.time for frame, _ in seen] == pytest.approx([n / 25 for n in range(20)])
    assert all(frame.image.shape == (96, 160, 3) for frame, _ in seen)
    assert {tuple(tracks.ids) for _, tracks in seen[3:]} == {(1,)}
    np.testing.assert_allclose(seen[-1][1].xyxy, [[80, 30, 100, 70]], atol=3)


def test_the_loop_and_the_files_say_the_same(clip: Path, tmp_path: Path) -> None:
    summary = mot_reid.track(clip, tmp_path / "out", tracker=plain(), formats=["mot"])
    assert summary.outputs == ["tracks.txt"]
    rows = np.loadtxt(tmp_path / "out" / "tracks.txt", delimiter=",")
    looped = [
        (frame.number, *np.round(tracks.xyxy[0, :2], 2))
        for frame, tracks in mot_reid.track(clip, tracker=plain())
        if len(tracks)
    ]
    np.testing.assert_allclose(rows[:, [0, 2, 3]], looped, atol=0.006)


def test_it_writes_what_the_command_line_writes(clip: Path, tmp_path: Path, run) -> None:
    rows = "".join(f"{n},-1,{4 * n},30,20,40,0.9\n" for n in range(1, 21))
    (tmp_path / "det.txt").write_text(rows)
    options = ["--embedder", "none", "--camera-motion", "none", "--no-video", "--csv"]
    assert (
        run("track", clip, "-o", tmp_path / "cli", "--detections", tmp_path / "det.txt", *options).code == 0
    )
    mot_reid.track(
        clip,
        tmp_path / "python",
        detections=tmp_path / "det.txt",
        embedder="none",
        camera_motion="none",
        formats=["mot", "csv"],
    )
    for name in ("tracks.txt", "tracks.csv"):
        assert (tmp_path / "cli" / name).read_bytes() == (tmp_path / "python" / name).read_bytes()
    names = [sorted(path.name for path in (tmp_path / folder).iterdir()) for folder in ("cli", "python")]
    assert names[0] == names[1] == ["summary.json", "tracks.csv", "tracks.txt"]


def test_a_selection_keeps_the_sources_numbers_and_times(clip: Path) -> None:
    seen = [frame for frame, _ in mot_reid.track(clip, tracker=plain(), start=5, stop=11, stride=3)]
    assert [frame.number for frame in seen] == [5, 8, 11]
    assert [frame.time for frame in seen] == pytest.approx([4 / 25, 7 / 25, 10 / 25])


def test_who_leaves_the_loop_closes_the_source_but_not_one_that_is_the_callers(clip: Path) -> None:
    frames = mot_reid.track(clip, tracker=plain())
    next(frames)
    frames.close()
    with open_source(clip) as source:
        for chosen in ({"start": 5}, {"stop": 9}, {"fps": 10}):  # which the source was not asked for
            with pytest.raises(TypeError, match="start, stop, fps: an open source has its own"):
                mot_reid.track(source, tracker=plain(), **chosen)  # type: ignore[arg-type]
        for _, _ in mot_reid.track(source, tracker=plain()):
            break
        assert source.info.width == 160


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"tracker": plain(), "device": "cpu"}, TypeError, "device: the tracker brings its own"),
        ({"tracker": "botsort.yaml"}, TypeError, "expected a Tracker, got str; .* config='bytetrack'"),
        ({"tracker": plain(), "formats": ["mot"]}, TypeError, "give output="),
        ({"tracker": plain(), "output": "o", "formats": "mot"}, TypeError, "expected a list such as"),
        ({"tracker": plain(), "output": "o", "formats": ["mp3"]}, ValueError, "'mp3' is not one of"),
        ({"tracker": plain(), "stride": 0}, ValueError, "stride"),
        ({"tracker": plain(), "detections": []}, TypeError, "a dict of Detections .* got list"),
        ({"detecter": "none"}, TypeError, "detecter: not known; settings are detector, embedder"),
        ({"classes": [0, 2]}, TypeError, r"classes: not known; .*load_config\(None, \['detector.classes"),
    ],
)
def test_wrong_arguments_are_named(
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: dict,  # type: ignore[type-arg]
    error: type[Exception],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(error, match=message):
        mot_reid.track(clip, **arguments)


def test_a_source_that_is_none_is_named() -> None:
    with pytest.raises(TypeError, match="source: expected a file, folder, webcam number, URL or Source"):
        mot_reid.track(None, tracker=plain())  # type: ignore[call-overload]


def test_the_trackers_own_formats_stay(clip: Path, tmp_path: Path) -> None:
    tracker = plain()
    mot_reid.track(clip, tmp_path / "out", tracker=tracker, formats=["jsonl"])
    assert tracker.config.output.formats == ("mot", "video")


@pytest.mark.parametrize("name", sorted(set(mot_reid.__all__) - {"__version__"}))
def test_public_names_are_there_and_documented(name: str) -> None:
    value = getattr(mot_reid, name)
    assert value.__doc__
    assert value.__module__.startswith("mot_reid.")


def test_detections_of_pictures_are_matched_by_name_in_a_loop_as_in_files(tmp_path: Path) -> None:
    numbers = range(10, 14)
    for number in numbers:
        cv2.imwrite(str(tmp_path / f"{number:06d}.jpg"), np.zeros((200, 200, 3), np.uint8))
    given = {number: Detections([[number, 20, number + 40, 120]], [0.9]) for number in numbers}
    tracker = Tracker("none", "none", "none")
    rows = sum(len(tracks) for _, tracks in mot_reid.track(tmp_path, detections=given, tracker=tracker))
    written = mot_reid.track(tmp_path, tmp_path / "out", detections=given, tracker=tracker, formats=["mot"])
    assert rows == written.rows == 4
