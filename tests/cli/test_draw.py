"""``mot-reid draw`` and ``convert``: finished tracks on their video and in other formats."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import cv2
import numpy as np
import pytest

from mot_reid.video.formats import SinkInfo
from mot_reid.video.hiding import hide
from mot_reid.video.sources import open_source
from mot_reid.video.window import require_display

Run = Callable[..., Any]


@pytest.fixture
def scene(tmp_path: Path) -> tuple[Path, Path]:
    """Ten pictures with noise where a person is, and the tracks."""
    rng, folder = np.random.default_rng(0), tmp_path / "pictures"
    folder.mkdir()
    rows = []
    for number in range(1, 11):
        image = np.full((120, 160, 3), 90, np.uint8)
        image[20:100, 10 + 5 * number : 50 + 5 * number] = rng.integers(0, 256, (80, 40, 3))
        cv2.imwrite(str(folder / f"{number:02d}.png"), image)
        rows.append(f"{number},7,{10 + 5 * number},20,40,80,0.9,-1,-1,-1\n")
    (tmp_path / "tracks.txt").write_text("".join(rows))
    return folder, tmp_path / "tracks.txt"


def frames(path: Path) -> list[np.ndarray]:
    with open_source(path) as source:
        return [frame.image for frame in source]


def test_tracks_are_drawn(scene: tuple[Path, Path], tmp_path: Path, run: Run) -> None:
    done = run("draw", *scene, "-o", tmp_path / "out" / "drawn.mp4", "-q")
    assert (done.code, done.err) == (0, "")
    drawn = frames(tmp_path / "out" / "drawn.mp4")
    assert len(drawn) == 10
    original = frames(scene[0])
    edge = np.abs(drawn[4][60, 33:37].astype(int) - original[4][60, 33:37]).max()
    assert edge > 40  # the box's left side, at x = 35
    assert np.abs(drawn[4][5:15, 140:].astype(int) - original[4][5:15, 140:]).max() < 12


def test_of_a_run_its_source_is_drawn_on_and_not_its_video(
    scene: tuple[Path, Path], tmp_path: Path, run: Run
) -> None:
    folder = tmp_path / "out"
    given = ("--embedder", "none", "--camera-motion", "none", "--detections", scene[1])
    assert run("track", scene[0], *given, "-o", folder).code == 0
    bare = ("--no-boxes", "-o", tmp_path / "bare.mp4", "-q")
    assert run("draw", folder, folder / "tracks.txt", *bare).code == 0
    drawn, original = frames(tmp_path / "bare.mp4"), frames(scene[0])
    assert np.abs(drawn[4][60, 20:32].astype(int) - original[4][60, 20:32]).max() < 12
    shutil.rmtree(scene[0])
    gone = run("draw", folder, folder / "tracks.txt", *bare)
    assert (gone.code, "the run's source is not where it was" in gone.err) == (2, True)


@pytest.mark.parametrize("how", ["blur", "pixelate"])
def test_people_are_hidden(scene: tuple[Path, Path], tmp_path: Path, run: Run, how: str) -> None:
    arguments = ("--hide", how, "--no-boxes", "-o", tmp_path / "hidden.mp4", "-q")
    assert run("draw", *scene, *arguments).code == 0
    hidden, original = frames(tmp_path / "hidden.mp4"), frames(scene[0])
    inside = np.s_[25:95, 40:70]
    assert hidden[4][inside].std() < original[4][inside].std() / 3
    assert np.abs(hidden[4][:10].astype(int) - original[4][:10]).max() < 12


def test_hiding_leaves_the_picture_itself_and_takes_boxes_beyond_it() -> None:
    image = np.random.default_rng(0).integers(0, 256, (50, 60, 3), np.uint8)
    before = image.copy()
    hidden = hide(image, np.array([[-20, -20, 30, 25], [70, 70, 90, 90], [59.9, 0, 99, 1]]), "blur")
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(hidden[26:], before[26:])
    assert hidden[:25, :30].std() < before[:25, :30].std() / 2
    with pytest.raises(ValueError, match="expected one of blur, pixelate, got 'smear'"):
        hide(image, np.zeros((0, 4)), "smear")


def test_crops_of_each_id(scene: tuple[Path, Path], tmp_path: Path, run: Run) -> None:
    crops = tmp_path / "people"
    assert run("draw", *scene, "-o", tmp_path / "d.mp4", "--crops", crops, "--every", 0.1, "-q").code == 0
    assert [path.name for path in crops.iterdir()] == ["7"]
    names = sorted(path.name for path in (crops / "7").iterdir())
    assert names == ["000001.jpg", "000004.jpg", "000007.jpg", "000010.jpg"]  # 30 frames a second
    picture = cv2.imread(str(crops / "7" / names[1]))
    assert picture is not None
    assert picture.shape == (80, 40, 3)


def test_tracks_behind_the_end_are_told(scene: tuple[Path, Path], tmp_path: Path, run: Run) -> None:
    with scene[1].open("a") as file:
        file.write("99,7,0,0,5,5,1\n")
    done = run("draw", *scene, "-o", tmp_path / "d.mp4", "-q")
    assert "1 frame with tracks behind the video's last, 10" in done.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--hide", "smear"), "expected one of blur, pixelate"),
        (("-o", "d.avi"), "a name that ends in .mp4"),
    ],
)
def test_wrong_options_of_draw(
    scene: tuple[Path, Path], run: Run, arguments: tuple[str, ...], message: str
) -> None:
    done = run("draw", *scene, *arguments)
    assert done.code == 2
    assert message in done.err


def test_convert(scene: tuple[Path, Path], tmp_path: Path, run: Run) -> None:
    done = run(
        "convert", scene[1], "--to", "coco,yolo,cvat", "--source", scene[0], "-o", tmp_path / "converted"
    )
    assert (done.code, done.err) == (0, "")
    names = sorted(path.name for path in (tmp_path / "converted").iterdir())
    assert names == ["tracks_coco.json", "tracks_cvat.xml", "tracks_yolo"]
    content = json.loads((tmp_path / "converted" / "tracks_coco.json").read_text())
    assert content["annotations"][0]["bbox"] == [15, 20, 40, 80]
    assert content["images"][0]["width"] == 160
    assert len(list((tmp_path / "converted" / "tracks_yolo").iterdir())) == 10
    again = run("convert", tmp_path / "converted" / "tracks_cvat.xml", "--to", "mot", "-o", tmp_path / "back")
    assert again.code == 0
    ours, theirs = (np.loadtxt(path, delimiter=",") for path in (scene[1], tmp_path / "back" / "tracks.txt"))
    np.testing.assert_allclose(ours[:, :6], theirs[:, :6], atol=0.01)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--to", "yolo"), "its size is not known; --source names"),
        (("--to", "video"), "`mot-reid draw` makes videos"),
        (("--to", "coc"), "'coc' is not one of the formats"),
    ],
)
def test_wrong_options_of_convert(
    scene: tuple[Path, Path], tmp_path: Path, run: Run, arguments: tuple[str, ...], message: str
) -> None:
    done = run("convert", scene[1], *arguments, "-o", tmp_path / "converted")
    assert done.code == 2
    assert message in done.err


def test_convert_knows_the_stride_of_a_run(tmp_path: Path, run: Run) -> None:
    """Of each third frame; its summary lies beside the tracks."""
    lines = [f"{frame},1,10,20,30,40,1,-1,-1,-1\n" for frame in (2, 5, 8, 14)]
    (tmp_path / "tracks.txt").write_text("".join(lines))
    (tmp_path / "summary.json").write_text('{"stride": 3}')
    done = run("convert", tmp_path / "tracks.txt", "--to", "cvat", "-o", tmp_path / "out")
    assert done.code == 0, done.err
    text = (tmp_path / "out" / "tracks_cvat.xml").read_text()
    assert re.findall(r'frame="(\d+)" outside="1"', text) == ["10"]
    assert list(SinkInfo(stride=3).numbers(14, [2, 5, 8, 9])) == [2, 5, 8, 9, 11, 14]


def test_convert_does_not_write_over_what_it_reads(scene: tuple[Path, Path], run: Run) -> None:
    done = run("convert", scene[1], "--to", "mot", "-o", scene[1].parent)
    assert done.code == 2
    assert "would be overwritten" in done.err


def test_a_window_that_cannot_be_shown_is_told_in_one_line(
    scene: tuple[Path, Path], tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenCV's Qt would end the whole process."""
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if sys.platform != "linux":
        pytest.skip("elsewhere there is always a display")
    require_display.cache_clear()
    for arguments in (("draw", *scene), ("track", scene[0], "--detections", scene[1])):
        told = run(*arguments, "--show", "-q", "-o", tmp_path / "out.mp4")
        assert told.code == 1
        assert told.err.count("\n") == 1
        assert (
            "a window cannot be shown: there is no display, or OpenCV is opencv-python-headless" in told.err
        )


class FakeWindow:
    """A window whose user presses q at the fourth picture."""

    shown: ClassVar[list[np.ndarray]] = []

    def __init__(self, title: str) -> None:
        self.shown.clear()

    def __enter__(self) -> "FakeWindow":
        return self

    def __exit__(self, *_: object) -> None: ...

    def show(self, picture: np.ndarray) -> bool:
        self.shown.append(picture.copy())
        return len(self.shown) < 4


def test_tracking_shows_what_it_draws_until_the_window_is_closed(
    scene: tuple[Path, Path], tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mot_reid.video.window.Window", FakeWindow)
    monkeypatch.setattr("mot_reid.video.window.require_display", lambda: None)
    arguments = ("track", scene[0], "--detections", scene[1], "--embedder", "none", "-q", "--no-video")
    done = run(*arguments, "--show", "-o", tmp_path / "out")
    assert done.code == 130
    assert "interrupted after 4 frames" in done.err
    assert len(FakeWindow.shown) == 4
    left = FakeWindow.shown[3][60, 28:33].astype(int)
    assert np.abs(left - frames(scene[0])[3][60, 28:33]).max() > 40  # the box's left side, at x = 30
    numbers = [line.split(",")[0] for line in (tmp_path / "out" / "tracks.txt").read_text().splitlines()]
    assert numbers == ["1", "2", "3", "4"]
    refused = run(*arguments[:1], scene[0], scene[0], "--jobs", 2, "--show", "-o", tmp_path / "two")
    assert refused.code == 2
    assert "--show: one source at a time has a window" in refused.err


def test_a_real_window(tmp_path: Path) -> None:
    """On a display without a screen, where there is one to be had."""
    server = shutil.which("Xvfb")
    if server is None:
        pytest.skip("needs Xvfb")
    code = (
        "import numpy as np\n"
        "from mot_reid.video.window import Window\n"
        "picture = np.full((120, 160, 3), 90, np.uint8)\n"
        "with Window('street.mp4') as window:\n"
        "    print([window.show(picture) for _ in range(3)])\n"
    )
    ends, says = os.pipe()
    display = subprocess.Popen([server, "-displayfd", str(says), "-nolisten", "tcp"], pass_fds=[says])
    try:
        os.close(says)
        number = os.read(ends, 16).decode().strip()
        told = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "DISPLAY": f":{number}"},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    finally:
        display.terminate()
        display.wait()
    assert told.returncode == 0, told.stderr
    assert told.stdout.splitlines()[0] == "[True, True, True]"


def test_the_only_video_of_a_folder_is_not_drawn_over(
    scene: tuple[Path, Path], tmp_path: Path, run: Run
) -> None:
    folder = tmp_path / "films"
    assert run("draw", *scene, "-o", folder / "walk.mp4", "-q").code == 0
    before = (folder / "walk.mp4").read_bytes()
    done = run("draw", folder, scene[1], "-o", folder / "walk.mp4", "-q")
    assert (done.code, "would be overwritten" in done.err) == (2, True)
    assert (folder / "walk.mp4").read_bytes() == before


def test_a_sequence_with_gaps_has_all_frames_of_its_tracks(
    scene: tuple[Path, Path], tmp_path: Path, run: Run
) -> None:
    sequence = tmp_path / "sequence"
    shutil.copytree(scene[0], sequence / "img1")
    for number in (2, 3, 5):
        (sequence / "img1" / f"{number:02d}.png").unlink()
    (sequence / "seqinfo.ini").write_text("[Sequence]\nimExt=.png\n")
    done = run("draw", sequence, scene[1], "-o", tmp_path / "d.mp4", "-q")
    assert (done.code, done.err) == (0, "")


def test_convert_does_not_remove_what_a_killed_run_left(
    scene: tuple[Path, Path], tmp_path: Path, run: Run
) -> None:
    assert run("convert", scene[1], "--to", "jsonl", "-o", tmp_path).code == 0
    spool = (tmp_path / "tracks.jsonl").rename(tmp_path / "tracks_coco.spool.jsonl")
    done = run("convert", spool, "--to", "coco", "-o", tmp_path)
    assert (done.code, "would be overwritten" in done.err, spool.is_file()) == (2, True, True)
    assert run("convert", spool, "--to", "coco", "-o", tmp_path / "whole").code == 0


def test_convert_keeps_clocks_and_identities(tmp_path: Path, run: Run) -> None:
    row = (
        '{"frame": 3, "id": 1, "x1": 1, "y1": 2, "x2": 3, "y2": 4, "wall_clock": 1750000000.5, "identity": 6}'
    )
    (tmp_path / "tracks.jsonl").write_text(row)
    assert run("convert", tmp_path / "tracks.jsonl", "--to", "csv", "-o", tmp_path / "csv").code == 0
    assert (tmp_path / "csv" / "tracks.csv").read_text().splitlines()[1].endswith(",1750000000.5,6")
