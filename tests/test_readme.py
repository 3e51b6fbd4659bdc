"""What README says to type is typed, on short clips of a photograph that moves through the picture."""

from __future__ import annotations

import http.server
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from clips import FRAMES, film

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")

IN_TURN = {
    "mot-reid track street.mp4 -o out": "street: 14 frames, 1 track",
    "mot-reid count out/ shop.yaml": "door │ in",
    "mot-reid report out/": "report.html: 1 run",
    "mot-reid serve out/": "http://localhost:",
    "mot-reid track a.mp4 b.mp4 --gallery shop/": "1 tracklet remembered",
    "mot-reid search shop/ person.jpg": "person.jpg in shop/",
    "mot-reid identify shop/": "1 identity of 2 tracklets",
    "mot-reid gallery shop/ forget": "",
    "mot-reid gallery shop/ forget door:17": "",
    "forget --keep-days 30": "",
    "mot-reid track 0": "5 frames, 1 track",
    "mot-reid batch videos/ -o out [--ray ADDRESS]": "2",
    "mot-reid eval results/ --gt MOT17/train": "HOTA",
    "mot-reid benchmark": "HOTA",
}
"""Each command of README, in an order in which one finds what others made, and a word that it tells."""

STANDS_FOR = {  # what a test has instead: a stream for a webcam, a track that is there
    "mot-reid track 0": "mot-reid track {stream} -o out --stop 5 --no-video",
    "mot-reid batch videos/ -o out [--ray ADDRESS]": "mot-reid batch videos/ -o many",
    "mot-reid benchmark": "mot-reid benchmark MOT17 --data . --detections public --camera-motion none",
    "mot-reid gallery shop/ forget": "mot-reid gallery shop/ forget a:1",
    "mot-reid gallery shop/ forget door:17": "mot-reid gallery shop/ forget b:1",
    "forget --keep-days 30": "mot-reid gallery shop/ forget --keep-days 30",
}
ELSEWHERE = {
    # Run by other tests: in full, and slower.
    "train": ("cli/test_train.py", "test_train_then_evaluate"),
    "train-detector": (
        "training/detector/test_trainer.py",
        "test_training_makes_a_small_one_class_checkpoint",
    ),
    "export": ("appearance/test_export.py", "test_the_command"),
    "make demo": ("cli/test_demo.py", "def test_"),
    "make docs": ("test_docs.py", "test_site_builds_without_a_warning"),
    "pip install .": ("test_wheel.py", "test_the_installed_program_tracks"),
    "make test": ("conftest.py", "def run"),  # this very run
}


def commands() -> list[str]:
    """All that README says to type."""
    found = re.findall(r"`((?:mot-reid|forget|make|train|export)[^`]*)`", README)
    for block in re.findall(r"^```\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        found += [line.partition("#")[0].strip() for line in block.splitlines() if line.strip()]
    return found


def test_no_command_of_readme_is_left_out() -> None:
    found = set(commands())
    assert len(found) > 15
    assert found == (IN_TURN.keys() | ELSEWHERE.keys())
    for file, test in ELSEWHERE.values():
        assert test in (ROOT / "tests" / file).read_text(encoding="utf-8")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with all that the commands name."""
    monkeypatch.chdir(tmp_path)
    film(tmp_path / "street.mp4", 20)
    film(tmp_path / "a.mp4", 30)
    film(tmp_path / "b.mp4", 40)
    (tmp_path / "videos").mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(tmp_path / name, tmp_path / "videos")
    shutil.copy(ROOT / "mot_reid" / "assets" / "astronaut.jpg", tmp_path / "person.jpg")
    (tmp_path / "shop.yaml").write_text(
        "size: [640, 300]\nlines:\n  door: {from: [300, 300], to: [300, 0]}\n"
    )
    rows = [(frame, person, 100 * person + frame, 20, 40, 100) for frame in range(1, 9) for person in (1, 2)]
    (tmp_path / "results").mkdir()
    for name in ("MOT17-02", "MOT17-04"):
        folder = tmp_path / "MOT17" / "train" / name
        for part in ("gt", "det", "img1"):
            (folder / part).mkdir(parents=True)
        (folder / "seqinfo.ini").write_text(f"[Sequence]\nname={name}\nseqLength=8\nframeRate=10\n")
        for path, end in (
            (folder / "gt" / "gt.txt", "1,1,1"),
            (folder / "det" / "det.txt", "0.9"),
            (tmp_path / "results" / f"{name}.txt", "1,-1,-1,-1"),
        ):
            path.write_text("".join(f"{','.join(map(str, row))},{end}\n" for row in rows))
        for frame in range(1, 9):
            picture = np.full((300, 640, 3), 8 * frame, np.uint8)
            cv2.imwrite(str(folder / "img1" / f"{frame:06d}.jpg"), picture)
    return tmp_path


@contextmanager
def stream(path: Path) -> Iterator[str]:
    """A video over HTTP, without a length, as a camera gives it."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(path.read_bytes())

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/camera.ts"
        finally:
            server.shutdown()
            thread.join()


def fetched(address: str) -> bytes:
    """What is there, as soon as somebody listens."""
    for _ in range(300):
        try:
            with urllib.request.urlopen(address, timeout=30) as page:
                content: bytes = page.read()
                return content
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(address)


def look_at(command: str) -> str:
    """Starts ``serve``, looks at the page, and ends it; gives what it told."""
    arguments = [*shlex.split(command)[1:], "--port", "0"]
    program = [sys.executable, "-u", "-c", "from mot_reid.cli import main; main()", *arguments]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True, env=environment) as served:
        try:
            assert served.stdout is not None
            told = served.stdout.readline()
            assert b"<html" in fetched(told.split()[0]).lower()
        finally:
            served.terminate()
    return told


@pytest.mark.long
def test_the_commands_run_as_they_are_written(place: Path, run: Callable[..., Any]) -> None:
    with stream(place / "street.mp4") as url:
        for command, word in IN_TURN.items():
            typed = STANDS_FOR.get(command, command).format(stream=url)
            if typed.startswith("mot-reid serve"):
                told = look_at(typed)
            else:
                outcome = run(*shlex.split(typed)[1:])
                assert outcome.code == 0, f"{typed}: {outcome.err}"
                told = outcome.out + outcome.err
            assert word in told, typed
            if command == "mot-reid track street.mp4 -o out":
                assert (place / "out" / "tracks.mp4").exists()
    assert (place / "many").is_dir()


def test_help_teaches_each_command(run: Callable[..., Any]) -> None:
    from mot_reid.cli.app import _COMMANDS

    for command in _COMMANDS:
        outcome = run(command, "--help")
        assert outcome.code == 0
        assert "Usage: " in outcome.out
        assert len(outcome.out.splitlines()) > 8


def test_the_six_lines(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"^```python video\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert len(code.splitlines()) == 6
    exec(compile(code, "README.md", "exec"), {"__name__": "__main__"})
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= FRAMES - 2
    assert re.fullmatch(r"0\.\d\d s: 1 at \(.*\)", lines[0])
    assert (place / "out" / "tracks.txt").exists()


def test_the_detector_under_apache(place: Path, run: Callable[..., Any]) -> None:
    (option,) = re.findall(r"`(--detector [\w.]+)`", README)
    outcome = run("track", "street.mp4", "-o", "apache", "--stop", 5, "--no-video", *option.split())
    assert outcome.code == 0, outcome.err
    assert len((place / "apache" / "tracks.txt").read_text().splitlines()) >= 4


def test_what_readme_says_of_measured_figures_is_in_the_tables() -> None:
    """The table's own row for accuracy."""
    table = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    (row,) = re.findall(r"^\| mot_reid \| \*\*([\d.]+)\*\* \| \*\*([\d.]+)\*\* \| \*\*([\d.]+)", README, re.M)
    (shown,) = re.findall(r"gmc\.txt\]\(tables/mot17-yolox-gmc\.md\) \| online \| (.*?) \| \d+ \|", table)
    assert [f"{float(value):.1f}" for value in shown.split(" | ")] == list(row)
