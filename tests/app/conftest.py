"""A run to look at, a server, and a browser."""

import json
import os
import shutil
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import uvicorn

from mot_reid.app.runs import runs_in
from mot_reid.app.server import make_app
from mot_reid.structures import Tracks
from mot_reid.video.sinks import CsvSink

WIDTH, HEIGHT, FRAMES = 320, 240, 60
COLOURS = ((60, 60, 220), (220, 120, 40))


def walkers(frame: int) -> np.ndarray:
    """Boxes of two people who pass each other: one to the right, one to the left."""
    x = 20 + 4 * (frame - 1)
    return np.array([[x, 60, x + 30, 150], [286 - x, 110, 316 - x, 220]], np.float32)


def make_run(folder: Path, *, switched: bool = False, videos: Path | None = None) -> Path:
    """A run of the two; where it is switched, their ids change at frame 31."""
    folder.mkdir(parents=True)
    pictures = (videos or folder.parent) / f"{folder.name}-pictures"
    pictures.mkdir(parents=True)
    with CsvSink(folder / "tracks.csv", {0: "person"}) as sink:
        for frame in range(1, FRAMES + 1):
            boxes = walkers(frame)
            image = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            for box, colour in zip(boxes.astype(int).tolist(), COLOURS, strict=True):
                cv2.rectangle(image, (box[0], box[1]), (box[2], box[3]), colour, cv2.FILLED)
            cv2.imwrite(str(pictures / f"{frame:06d}.png"), image)
            ids = np.array([2, 1] if switched and frame > 30 else [1, 2])
            one = np.ones(2, np.float32)
            sink.write(
                frame, None, Tracks(ids, boxes, one, np.zeros(2, np.int64), np.arange(2)), (frame - 1) / 25
            )
    source = {"name": folder.name, "fps": 25.0, "width": WIDTH, "height": HEIGHT, "location": str(pictures)}
    (folder / "summary.json").write_text(
        json.dumps({"source": source, "last_frame": FRAMES, "complete": True})
    )
    return folder


class Served:
    """A server in a thread, at a port of its own or at one where another one was."""

    def __init__(self, app: Any, port: int = 0) -> None:
        config = uvicorn.Config(app, log_level="error", lifespan="off")
        self._server = uvicorn.Server(config)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind(("127.0.0.1", port))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(timeout=10)
        self._socket.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    """Serves an application; gives its address."""
    started: list[Served] = []

    def start(app: Any) -> str:
        started.append(Served(app))
        return started[-1].url

    yield start
    for server in started:
        server.stop()


@pytest.fixture
def run_folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "yard", switched=True)


@pytest.fixture
def page(run_folder: Path, serve: Callable[[Any], str]) -> str:
    """The address of a page with one run whose ids switch at frame 31."""
    return serve(make_app(runs_in([run_folder]), hosts=frozenset({"127.0.0.1"})))


@pytest.fixture(scope="session")
def browser() -> Iterator[Any]:
    """Chromium without a window."""
    webdriver = pytest.importorskip("selenium.webdriver")
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        missing = "no browser here: apt-get install chromium chromium-driver"
        if os.environ.get("MOT_REID_BROWSER") == "required":
            pytest.fail(missing)
        pytest.skip(missing)
    options = webdriver.ChromeOptions()
    options.binary_location = program
    profile = tempfile.mkdtemp(prefix="mot_reid-browser-")
    for flag in (
        *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
        *("--disable-dev-shm-usage", "--hide-scrollbars", f"--user-data-dir={profile}"),
    ):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    chrome = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    chrome.set_page_load_timeout(60)
    chrome.set_script_timeout(60)
    yield chrome
    chrome.quit()
    shutil.rmtree(profile, ignore_errors=True)
