"""The documents: their Python runs, their links lead somewhere, and the site builds without a warning."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from clips import ASSETS, FRAMES, film

import mot_reid

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
PAGES = [page for page in PAGES if page.exists() and page.parent.name != "notes"]
_BLOCK = re.compile(r"^```python *(?P<mark>\w*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_blocks_run_and_print_what_they_say(
    page: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each block runs by itself in an empty folder; ``video`` marks those that need a video or a camera."""
    monkeypatch.chdir(tmp_path)
    for block in _BLOCK.finditer(page.read_text(encoding="utf-8")):
        code = block["code"]
        compile(code, f"{page.name}", "exec")
        if block["mark"] == "video":
            continue
        assert not block["mark"], "run by no test"
        with np.printoptions(formatter=None, linewidth=75):  # Ultralytics changes them for the whole process
            exec(compile(code, f"{page.name}", "exec"), {"__name__": "__main__"})
        told = re.findall(r"^ *print\(.*\)  # (.*)$", code, re.MULTILINE)
        assert capsys.readouterr().out.splitlines() == told


@pytest.fixture
def films(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the blocks name; cameras are videos, too."""
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "street.mp4", 20)
    film(tmp_path / "door.mp4", 30)
    shutil.copy(ASSETS / "astronaut.jpg", tmp_path / "person.jpg")
    rows = [(frame, person, 100 * person + frame, 20, 40, 100) for frame in range(1, 9) for person in (1, 2)]
    truth = tmp_path / "MOT17" / "train" / "MOT17-02"
    (tmp_path / "results").mkdir()
    (truth / "gt").mkdir(parents=True)
    (truth / "seqinfo.ini").write_text("[Sequence]\nname=MOT17-02\nseqLength=8\nframeRate=10\n")
    for path, end in ((truth / "gt/gt.txt", "1,1,1"), (tmp_path / "results/MOT17-02.txt", "1,-1,-1,-1")):
        path.write_text("".join(f"{','.join(map(str, row))},{end}\n" for row in rows))
    opened = cv2.VideoCapture
    cameras = {0: "street.mp4", "rtsp://door/stream": "door.mp4", "rtsp://hall/stream": "street.mp4"}
    monkeypatch.setattr(cv2, "VideoCapture", lambda source: opened(cameras.get(source, source)))
    return tmp_path


ON_VIDEOS = {
    "docs/index.md": [r"0\.0 \[1\] \[\[(.*\n)+"],
    "docs/tutorials/cameras.md": [
        r"(?s)(?=.*door \[1\] \[[12]\])(?=.*hall \[1\] \[[12]\])(?=.*IdentityEvent).*"
    ],
    "docs/tutorials/evaluate.md": [r"100\.0 100\.0\n"],
    "docs/tutorials/gallery.md": [r"", r"door 1 0\.\d+ [01]\.\d+ [01]\.\d+\n"],
    "docs/tutorials/live.md": [r""],
    "docs/tutorials/track.md": [rf"{FRAMES} 1\n", rf"([01]\.\d\d s: 1 at .*\n){{{FRAMES - 2},}}"],
}
"""What each page's blocks print that need a video, in order; README's is run in test_readme.py."""


@pytest.mark.long
@pytest.mark.parametrize("page", ON_VIDEOS)
def test_python_blocks_that_need_a_video_run_on_short_ones(
    page: str, films: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each by itself, one after the other in one folder: a page's later ones find what earlier ones made."""
    blocks = [
        block["code"]
        for block in _BLOCK.finditer((ROOT / page).read_text(encoding="utf-8"))
        if block["mark"] == "video"
    ]
    for code, printed in zip(blocks, ON_VIDEOS[page], strict=True):
        exec(compile(code, page, "exec"), {"__name__": "__main__"})
        assert re.fullmatch(printed, capsys.readouterr().out)


def test_no_block_that_needs_a_video_is_left_out() -> None:
    pages = {str(page.relative_to(ROOT)) for page in PAGES if "```python video" in page.read_text("utf-8")}
    assert pages == ON_VIDEOS.keys() | {"README.md"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page: Path) -> None:
    generated = {"docs/reference/settings.md", "docs/reference/commands.md", "docs/notes/index.md"}
    for target in re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            path = Path(os.path.normpath(page.parent / target))
            assert path.exists() or str(path.relative_to(ROOT)) in generated, f"{page.name}: {target}"


def test_the_reference_has_every_public_name() -> None:
    entries = re.findall(
        r"^::: .*\.(\w+)$", (ROOT / "docs/reference/api.md").read_text("utf-8"), re.MULTILINE
    )
    assert {*mot_reid.__all__} - {"__version__"} <= {*entries}


def test_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="needs the extra docs")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(tmp_path / "site")]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
    assert built.returncode == 0, built.stdout + built.stderr
    settings = (tmp_path / "site/reference/settings.html").read_text(encoding="utf-8")
    assert "detector.image_size" in settings
    commands = (tmp_path / "site/reference/commands.html").read_text(encoding="utf-8")
    assert "mot-reid track" in commands
    assert "mot-reid batch" in commands
    api = (tmp_path / "site/reference/api.html").read_text(encoding="utf-8")
    assert "detection_index" in api
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        loaded = re.findall(r'(?:src|href)="(https?://[^"]+\.(?:js|css|woff2?))"', text)
        assert loaded == [], page.name
