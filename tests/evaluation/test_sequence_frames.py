"""Where a sequence's frames lie, whether all are there, and what tells them from others."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid.evaluation.sequence_frames import find_frames
from mot_reid.evaluation.sequences import PROTOCOLS
from mot_reid.evaluation.sequences import Sequence as MotSequence


def test_where_pictures_lie(small: MotSequence) -> None:
    (small.folder / "img1").rename(small.folder / "frames")
    (small.folder / "seqinfo.ini").write_text("\ufeff[Sequence]\nimDir=frames\nimExt=JPG\n")
    (small.folder / "frames/000001.png").write_text("not asked for")
    (small.folder / "frames/._000001.jpg").write_text("a Mac was here")
    frames = find_frames(replace(small, half="first"))
    assert [frame.number for frame in frames.read()] == [1, 2, 3]
    shutil.copy(small.folder / "frames/000001.jpg", small.folder / "frames/1.jpg")
    with pytest.raises(ValueError, match=r"1\.jpg: same frame number as 000001\.jpg"):
        find_frames(small)


def test_pictures_that_count_from_0_are_frames_from_1(small: MotSequence) -> None:
    for number, path in enumerate(sorted((small.folder / "img1").iterdir())):
        path.rename(path.with_name(f"{number:06d}.jpg"))
    frames = find_frames(small)
    assert frames.complete
    assert frames.pictures[1].name == "000000.jpg"


@pytest.fixture
def film(tmp_path: Path) -> MotSequence:
    folder = tmp_path / "FILM"
    folder.mkdir()
    writer = cv2.VideoWriter(str(folder / "film.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 7, (64, 48))
    for number in range(1, 9):
        writer.write(np.full((48, 64, 3), 20 * number, np.uint8))
    writer.release()
    return MotSequence("FILM", folder, folder / "gt/gt.txt", 8, 7.0, "train", PROTOCOLS["mot15"])


def test_a_video_does_as_well(film: MotSequence) -> None:
    frames = find_frames(replace(film, half="second"))
    assert frames.complete
    read = [(frame.number, round(frame.image.mean() / 20)) for frame in frames.read()]
    assert read == [(6, 6), (7, 7), (8, 8)]
    with pytest.raises(ValueError, match=r"FILM: .*film\.avi has no frame 9"):
        list(find_frames(replace(film, length=9)).read())
    shutil.copy(film.folder / "film.avi", film.folder / "other.mp4")
    with pytest.raises(ValueError, match=r"pictures in img1 or one video, got film\.avi, other\.mp4"):
        find_frames(film)


def test_the_fingerprint_of_a_video_covers_its_size_time_and_ends(film: MotSequence) -> None:
    path = film.folder / "film.avi"
    data = path.read_bytes()
    seen = [find_frames(film).fingerprint()]
    for place in (0, 100, len(data) - 1):
        path.write_bytes(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
        os.utime(path, ns=(1, 1))
        seen.append(find_frames(film).fingerprint())
    for content, time in ((data, 1), (data, 2), (data + b"\0", 2)):
        path.write_bytes(content)
        os.utime(path, ns=(time, time))
        seen.append(find_frames(film).fingerprint())
        assert find_frames(film).fingerprint() == seen[-1]
    assert len(set(seen)) == len(seen)
