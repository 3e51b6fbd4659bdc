"""2 where what was asked cannot be, 1 where it failed on the way."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.opening import open_store
from mot_reid.gallery.records import Tracklet
from mot_reid.gallery.store import GalleryError, GalleryInfo

Run = Callable[..., Any]
MADE = GalleryInfo("mgn_osnet_lct_x0_5", "0123456789abcdef", 8)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A gallery of one track of the camera door."""
    gallery, mean = Gallery(tmp_path / "shop"), np.eye(8, dtype=np.float32)[0]
    gallery._store = open_store(gallery.place, MADE)
    path = np.array([[1, 0, 0, 0, 10, 20]], np.float32)
    gallery.add([Tracklet("door", "/videos/door.mp4", "run", 1, 1, 26, 0.0, 1.0, mean, mean[None], path)])
    return tmp_path / "shop"


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    """One track through the scene's sixty frames."""
    rows = [f"{number},1,{2 * number},20,16,40,0.9,-1,-1,-1\n" for number in range(1, 61)]
    (tmp_path / "tracks.txt").write_text("".join(rows))
    return tmp_path / "tracks.txt"


def test_what_cannot_be_is_2(run: Run, scene: Any, shop: Path, tracks: Path, tmp_path: Path) -> None:
    picture = scene.folder(tmp_path / "pictures") / "000001.png"
    text, nowhere = tmp_path / "text.txt", tmp_path / "nowhere"
    text.write_text("hello there\n")
    (twice := tmp_path / "twice.csv").write_text(f"source,name\n{scene.video},a\n{scene.video},b\n")
    for arguments, told in (
        (("search", shop, nowhere), "nowhere: cannot be read"),
        (("search", shop, picture, "--embedder", text), "text.txt: not an embedder"),
        (("search", shop, "--track", "door:9"), "no track door:9 in it"),
        (("search", shop, "--track", "door:1", "--camera", "yard"), "no camera yard in it"),
        (("search", shop, "--track", "door:1", "--like", "door:9"), "no track door:9 in it"),
        (("search", nowhere, "--track", "door:1"), "no gallery there"),
        (("gallery", nowhere), "no gallery there"),
        (("gallery", tmp_path / "new", "add", nowhere, tracks), "no such file or folder"),
        (("gallery", tmp_path / "new", "add", scene.video, nowhere), "tracks not found"),
        (("gallery", tmp_path / "new", "add", scene.video, text), "text.txt: line 1: expected frame"),
        (("gallery", shop, "add", scene.video, tracks), "they cannot be compared"),
        (("gallery", shop, "export", tmp_path / "pictures"), "is not empty"),
        (("identify", nowhere), "no gallery there"),
        (("batch", twice, "-o", tmp_path / "x", "--gallery", tmp_path / "g"), f"is in {twice} as a and as b"),
        (("evaluate-search", nowhere, "--gt", tmp_path), "no gallery there"),
        (("draw", nowhere, tracks, "-o", tmp_path / "drawn.mp4"), "no such file or folder"),
        (("convert", tracks, "--to", "mot", "-o", tmp_path / "c", "--source", nowhere), "no such file or"),
        (
            (
                "track",
                scene.video,
                "--detections",
                scene.detections,
                "-o",
                tmp_path / "out",
                "--gallery",
                shop,
            ),
            "they cannot be compared",
        ),
    ):
        done = run(*arguments)
        assert (done.code, told in done.err, done.err.count("\n")) == (2, True, 1), done
    assert not (tmp_path / "new").exists()


def test_an_output_that_cannot_be_written_is_2(
    run: Run, scene: Any, shop: Path, tracks: Path, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.write_text("in the way")
    lines = tmp_path / "scene.yaml"
    lines.write_text("lines:\n  door: {from: [80, 0], to: [80, 120]}\n")
    for arguments in (
        ("count", tracks, lines, "--fps", "25", "-o", file / "out"),
        ("draw", scene.video, tracks, "-o", file / "drawn.mp4"),
        ("draw", scene.video, tracks, "-o", tmp_path / "drawn.mp4", "--crops", file / "out"),
        ("gallery", shop, "export", file),
        ("gallery", shop, "export", file / "out"),
        ("demo", "-o", file / "out"),
        ("convert", tracks, "--to", "mot", "-o", file / "out"),
        ("identify", shop, "-o", file / "out"),
        ("batch", scene.video.parent, "-o", file / "out"),
    ):
        done = run(*arguments)
        assert (done.code, done.err.count("\n")) == (2, 1), done
        assert "cannot write to output folder" in done.err
    assert not (tmp_path / "drawn.mp4").exists()


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_gallery_that_fails_on_the_way_is_1(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch, debug: str
) -> None:
    monkeypatch.setenv("MOT_REID_DEBUG", debug)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("mot_reid.gallery.folder_store.FolderStore.remove", full)
    done = run("gallery", shop, "forget", "door:1")
    assert (done.code, "Traceback" in done.err) == (1, bool(debug))
    assert done.err.splitlines()[-1].endswith(
        "nothing was forgotten (No space left on device); free some space, then forget again"
    )
    missing = run("gallery", shop, "forget", "door:9")
    assert (missing.code, "Traceback" in missing.err) == (2, bool(debug))


def test_a_gallery_that_another_process_holds_is_1(
    run: Run, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from filelock import FileLock

    monkeypatch.setattr(
        "mot_reid.gallery.folder_store.FileLock", lambda path, timeout: FileLock(path, timeout=0)
    )
    with FileLock(shop / ".lock"):
        with pytest.raises(GalleryError, match="another process has held"):
            Gallery(shop).say("one", "a", "b")
        assert run("gallery", shop, "forget", "door:1").code == 1
