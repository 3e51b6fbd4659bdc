"""A minute of work in a fresh home: nothing is sent, and nothing is left behind but the output and our cache.

It sleeps nearly all of the time: ONNX Runtime's telemetry, where it is on, looks for its host 10, 15 and 23
seconds after its start and keeps trying; the recorder has seen that.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SECONDS = 62


@pytest.fixture(scope="module")
def recorder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A library that refuses and notes every way out, for `LD_PRELOAD`."""
    compiler = shutil.which("cc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("refusing every connection of a program needs Linux and a C compiler")
    library = tmp_path_factory.mktemp("recorder") / "refuse.so"
    build = (compiler, "-shared", "-fPIC", "-o", library, HERE / "refuse.c", "-ldl")
    subprocess.run(build, check=True)
    return library


def environment(folder: Path, recorder: Path) -> dict[str, str]:
    for name in ("home", "here", "temporary"):
        (folder / name).mkdir()
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(HERE.parents[1]),
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "temporary"),
        "LD_PRELOAD": str(recorder),
        "REFUSED": str(folder / "refused"),
        "OMP_WAIT_POLICY": "PASSIVE",
    }


def test_the_recorder_refuses_and_records(recorder: Path, tmp_path: Path) -> None:
    script = """
import socket, urllib.request
for act in (
    lambda: urllib.request.urlopen("http://example.com"),
    lambda: socket.create_connection(("192.0.2.1", 80)),
    lambda: socket.socket(socket.AF_INET6).connect(("2001:db8::1", 80)),
    lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("192.0.2.2", 53)),
):
    try:
        act()
    except OSError:
        continue
    raise SystemExit("not refused")
listening = socket.create_server(("127.0.0.1", 0))
socket.create_connection(listening.getsockname())
"""
    subprocess.run([sys.executable, "-c", script], env=environment(tmp_path, recorder), check=True)
    tries = (tmp_path / "refused").read_text().splitlines()
    assert tries == ["look up example.com", "connect 192.0.2.1", "connect 2001:db8::1", "sendto 192.0.2.2"]


@pytest.mark.long
def test_nothing_is_sent_and_nothing_is_left_behind(recorder: Path, tmp_path: Path) -> None:
    import cv2

    from mot_reid.detection.yolo import import_ultralytics

    pictures = tmp_path / "pictures"
    pictures.mkdir()
    photograph = cv2.imread(str(Path(import_ultralytics().__path__[0]) / "assets" / "bus.jpg"))
    for number in range(1, 4):
        cv2.imwrite(str(pictures / f"{number}.jpg"), cv2.resize(photograph, (405, 540)))
    out = tmp_path / "out"
    done = subprocess.run(
        [sys.executable, HERE / "work.py", pictures, out, str(SECONDS)],
        env=environment(tmp_path, recorder),
        cwd=tmp_path / "here",
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert done.returncode == 0, done.stderr
    assert (out / "torch" / "tracks.mp4").stat().st_size > 0
    refused = tmp_path / "refused"
    assert not refused.exists(), refused.read_text()
    written = [path for name in ("home", "here", "temporary") for path in (tmp_path / name).rglob("*")]
    cache = tmp_path / "home" / ".cache" / "mot_reid"
    others = [str(path) for path in written if path.is_file() and not path.is_relative_to(cache)]
    assert others == []
