"""Eight live cameras on one machine: how old the picture is that the page shows, at the most.

    MOT_REID_DATA=DIR python benchmarks/live.py [--seconds 60] [--cameras 8]

Plays PETS09-S2L1, ADL-Rundle-6 (1080p), and the cameras of campus4 and terrace1 as if they were live, in a
loop, with `mot-reid serve --cameras` and the default detector and embedder, and asks the server every quarter
of a second, as the page does, how old each camera's newest picture is, and for the picture. Then one source
goes away and comes back, and one camera is stopped and started.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from page import memory, spent

from mot_reid.structures import Tracks
from mot_reid.video.video_sink import VideoSink

PROGRAM = "from mot_reid.cli import main; main()"


def sources(data: Path, folder: Path) -> dict[str, Path]:
    """Videos by name; the 1080p one is made of its pictures."""
    street = folder / "street.mp4"
    with VideoSink(street, 30.0, 23) as sink:
        for number, path in enumerate(sorted((data / "adl-rundle-6" / "img1").glob("*.jpg"))[:300], start=1):
            image = cv2.imread(str(path))
            assert image is not None
            sink.write(number, image, Tracks.empty())
    found = {"street": street, "pets": data / "pets09-s2l1" / "PETS09-S2L1.avi"}
    for name in ("campus4", "terrace1"):
        for path in sorted((data / name).glob(f"{name}-c*")):
            found[path.name] = next((v for v in sorted(path.iterdir()) if v.suffix in (".avi", ".mp4")), path)
    return found


def ask(address: str, method: str = "GET") -> Any:
    with urllib.request.urlopen(urllib.request.Request(address, method=method), timeout=30) as answer:
        data = answer.read()
        return json.loads(data) if answer.headers["content-type"].startswith("application/json") else data


def watch(address: str, seconds: float, cameras: int) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Ages ``(T, C)`` of the newest pictures, asked for as the page does."""
    ages: list[list[float]] = []
    seen = [0] * cameras
    end = time.monotonic() + seconds
    status: list[dict[str, Any]] = []
    while time.monotonic() < end:
        status = ask(f"{address}api/live")
        ages.append([camera["age"] if camera["age"] is not None else np.inf for camera in status])
        for place, camera in enumerate(status):
            if camera["number"] > seen[place]:
                ask(f"{address}api/live/{place}/picture")
                seen[place] = camera["number"]
        time.sleep(0.25)
    return np.array(ages), status


def until(address: str, place: int, state: str) -> tuple[float, str]:
    start = time.monotonic()
    while (camera := ask(f"{address}api/live")[place])["state"] != state:
        if time.monotonic() - start > 120:
            raise SystemExit(f"waited in vain for {state}: {camera}")
        time.sleep(0.1)
    return time.monotonic() - start, camera["told"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--cameras", type=int, default=8)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        videos = list(sources(Path(os.environ["MOT_REID_DATA"]), folder).values())
        gone = folder / "gone.mp4"
        gone.write_bytes((folder / "street.mp4").read_bytes())
        played = [gone, *(videos[place % len(videos)] for place in range(chosen.cameras - 1))]
        cameras = {f"cam{place}": {"source": str(path), "loop": True} for place, path in enumerate(played)}
        (folder / "cameras.yaml").write_text(json.dumps({"cameras": cameras}))
        print("cameras:", ", ".join(path.name for path in played))
        command = [sys.executable, "-c", PROGRAM, "serve", "--cameras", str(folder / "cameras.yaml")]
        server = subprocess.Popen([*command, "--port", "0"], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            started = time.monotonic()
            while any(camera["number"] == 0 for camera in ask(f"{address}api/live")):
                time.sleep(0.1)
            print(f"all have a picture after {time.monotonic() - started:.1f} s", flush=True)
            before, start = spent(server.pid), time.monotonic()
            print(f"server: {memory(server.pid)}")
            ages, status = watch(address, chosen.seconds, chosen.cameras)
            cores = (spent(server.pid) - before) / (time.monotonic() - start)
            middle, most = np.percentile(ages, [50, 99])
            print(f"age of the newest picture, s: median {middle:.2f}, 99 of 100 {most:.2f}")
            print("worst of each camera:", ", ".join(f"{age:.2f}" for age in ages.max(axis=0)))
            print(f"not older than a second: {100 * (ages <= 1).mean():.2f} % of {ages.size} looks")
            print("pictures a second:", ", ".join(f"{camera['rate']:.1f}" for camera in status))
            print(f"server: {cores:.2f} cores of processor, {memory(server.pid)}", flush=True)
            away = gone.rename(folder / "away.mp4")
            took, told = until(address, 0, "gone")
            print(f"a source that is gone: told at its end, after {took:.1f} s: {told.replace(name, '')}")
            away.rename(gone)
            print(f"it is back: live after {until(address, 0, 'live')[0]:.1f} s")
            start = time.monotonic()
            ask(f"{address}api/live/1/stop", "POST")
            print(f"stopped after {time.monotonic() - start:.1f} s: {ask(f'{address}api/live')[1]['state']}")
            ask(f"{address}api/live/1/start", "POST")
            print(f"started: live after {until(address, 1, 'live')[0]:.1f} s", flush=True)
        finally:
            server.terminate()
            server.wait(30)


if __name__ == "__main__":
    main()
