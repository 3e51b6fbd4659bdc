"""A minute of work in a fresh home: nothing is sent, and nothing is left behind but the output and our cache.

It sleeps nearly all of the time: ONNX Runtime's telemetry, where it is on, looks for its host 10, 15 and 23
seconds after its start and keeps trying; the recorder has seen that. So it begins with the first test of
all and goes on behind the others, and the last test looks at what came of it.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SECONDS = 62


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def work(recorder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the work, which is going on; one for all workers of a run."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "nothing-leaves"
    try:
        folder.mkdir()
    except FileExistsError:  # another worker has begun it
        yield folder
        return
    command = (sys.executable, HERE / "work.py", pictures_in(folder), folder / "out", str(SECONDS))
    shell = ("sh", "-c", '"$@" >../said 2>&1; echo $? >../code', "sh")
    with subprocess.Popen((*shell, *command), env=environment(folder, recorder), cwd=folder / "here"):
        yield folder


def pictures_in(folder: Path) -> Path:
    """A folder with three pictures of people."""
    import cv2

    from mot_reid.detection.yolo import import_ultralytics

    pictures = folder / "pictures"
    pictures.mkdir()
    photograph = cv2.imread(str(Path(import_ultralytics().__path__[0]) / "assets" / "bus.jpg"))
    for number in range(1, 4):
        cv2.imwrite(str(pictures / f"{number}.jpg"), cv2.resize(photograph, (405, 540)))
    return pictures


def ended(code: Path, timeout: float = 500) -> str:
    """The exit code that the file holds, once it is there."""
    end = time.monotonic() + timeout
    while not (code.exists() and code.read_text()):
        assert time.monotonic() < end, "the work does not end"
        time.sleep(0.2)
    return code.read_text().strip()


@pytest.mark.first
@pytest.mark.usefixtures("work")
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


@pytest.mark.last
def test_nothing_is_sent_and_nothing_is_left_behind(work: Path) -> None:
    assert ended(work / "code") == "0", (work / "said").read_text()
    assert (work / "out" / "torch" / "tracks.mp4").stat().st_size > 0
    refused = work / "refused"
    assert not refused.exists(), refused.read_text()
    written = [path for name in ("home", "here", "temporary") for path in (work / name).rglob("*")]
    cache = work / "home" / ".cache" / "mot_reid"
    others = [str(path) for path in written if path.is_file() and not path.is_relative_to(cache)]
    assert others == []
