"""Who keeps one identity on the demo's clip: ours and Ultralytics' trackers, same detector, in one run.

People are left out of view for about three seconds and come back. Needs ``pip install lap`` for Ultralytics'
trackers, which it loads by itself otherwise.

    python benchmarks/demo_identity.py
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from mot_reid import Tracker
from mot_reid.boxes import xyxy_to_tlwh
from mot_reid.cli.demo import camera_views, film, hang_photographs, ids_of
from mot_reid.detection.yolo import YoloDetector, import_ultralytics
from mot_reid.video.sources import open_source

Frames = list[NDArray[np.uint8]]
Update = Callable[[NDArray[np.uint8]], tuple[NDArray[np.int64], NDArray[np.float32]]]


def ours(embedder: str | None) -> Update:
    tracker = Tracker(embedder=embedder)
    tracker.load()

    def update(frame: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        tracks = tracker.update(frame)
        return tracks.ids, tracks.xyxy

    return update


def ultralytics(name: str, folder: Path, **changes: object) -> Update:
    """One of Ultralytics' trackers with its own defaults, but for the changes named."""
    package = import_ultralytics()
    settings = yaml.safe_load((Path(package.__path__[0]) / "cfg" / "trackers" / f"{name}.yaml").read_text())
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(settings | changes))
    detector = YoloDetector()
    model = package.YOLO(str(detector.path), verbose=False)
    options = {"conf": detector.config.score, "imgsz": detector.config.image_size, "verbose": False}

    def update(frame: NDArray[np.uint8]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        boxes = model.track(frame, persist=True, tracker=str(path), **options)[0].boxes
        if boxes.id is None:
            return np.zeros(0, np.int64), np.zeros((0, 4), np.float32)
        return boxes.id.int().numpy(), boxes.xyxy.numpy()

    return update


def rows_of(update: Update, frames: Frames) -> NDArray[np.float64]:
    """Tracks all frames; rows as in ``tracks.txt``."""
    rows = [np.zeros((0, 6))]
    for number, frame in enumerate(frames, start=1):
        ids, xyxy = update(frame)
        columns = [np.full(len(ids), number), ids, xyxy_to_tlwh(np.asarray(xyxy, np.float64))]
        rows.append(np.column_stack(columns))
    return np.concatenate(rows)


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        wall, people = hang_photographs(Tracker())
        views = camera_views(wall.shape[1] / wall.shape[0])
        film(wall, views, folder / "clip.mp4")
        with open_source(folder / "clip.mp4") as source:
            frames = [frame.image for frame in source]
        trackers = {
            "mot_reid": lambda: ours(None),
            "mot_reid, no appearance": lambda: ours("none"),
            "Ultralytics ByteTrack": lambda: ultralytics("bytetrack", folder),
            "Ultralytics BoT-SORT": lambda: ultralytics("botsort", folder),
            "Ultralytics BoT-SORT, ReID on": lambda: ultralytics("botsort", folder, with_reid=True),
            "Ultralytics TrackTrack": lambda: ultralytics("tracktrack", folder),
        }
        print("| tracker | people who kept one id | ids on people | frames/s |\n| --- | ---: | ---: | ---: |")
        for name, make in trackers.items():
            update = make()
            start = time.perf_counter()
            ids = ids_of(people, views, rows_of(update, frames))
            speed = len(frames) / (time.perf_counter() - start)
            kept = sum(len(given) == 1 for given, _ in ids)
            print(
                f"| {name} | {kept} of {len(ids)} | {sum(len(g) for g, _ in ids)} | {speed:.1f} |", flush=True
            )


if __name__ == "__main__":
    main()
