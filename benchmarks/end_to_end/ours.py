"""mot_reid: a whole run as the command line does it, or the detector's forward pass alone."""

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

from serve import Run, serve

import mot_reid
from mot_reid.config import Config, load_config
from mot_reid.detection.letterbox import Letterbox
from mot_reid.pipeline.run import track_source
from mot_reid.pipeline.steps import network_threads
from mot_reid.tracker import Tracker
from mot_reid.video.sources import open_source

_BLOBS = 8  # inputs of the network that are ready; more would not fit the processor's cache any better


def load(settings: dict[str, Any]) -> tuple[str, Run]:
    config = load_config(overrides=["device=cpu", *settings["set"]])
    tracker = Tracker(config=config, threads=network_threads(config, live=False, detects=True))
    tracker.load()
    return mot_reid.__version__, _forward(tracker, config) if settings.get("forward") else _whole(tracker)


def _whole(tracker: Tracker) -> Run:
    def run(folder: str) -> dict[str, Any]:
        with tempfile.TemporaryDirectory() as out, open_source(folder) as source:
            summary = track_source(source, tracker, out)
        return {"frames": summary.frames, "rows": summary.rows, "stages": summary.milliseconds()}

    return run


def _forward(tracker: Tracker, config: Config) -> Run:
    """The forward pass on inputs made beforehand, as many at a time as in a run."""
    detector: Any = tracker.detector
    session, entry = detector._backend._session, detector._backend._input

    def run(folder: str) -> dict[str, Any]:
        size = config.detector.image_size
        with open_source(folder) as source:
            frames = [frame.image for frame in islice(source, _BLOBS)]
        shape = frames[0].shape[:2]
        blobs = [Letterbox.fit(shape, (size, size), 32).blob(frame) for frame in frames]
        count = len(list(Path(folder).iterdir()))

        def forward(number: int) -> None:
            session.run(None, {entry: blobs[number % len(blobs)]})

        start, cpu = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(detector.calls_at_once) as pool:
            list(pool.map(forward, range(count)))
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        return {"frames": count, "rows": 0, "seconds": seconds, "cpu": cpu}

    return run


if __name__ == "__main__":
    serve(load)
