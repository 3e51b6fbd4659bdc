"""An hour of tracks on the page: how long until it is usable, how fast it seeks, what the server takes.

    python benchmarks/page.py [--frames 100000] [--people 50]
    python benchmarks/page.py --video hour.mp4

Makes tracks of that many frames with that many people in each (every track lasts about 1,500 frames), as
Parquet and as MOTChallenge's text, serves them, and opens the page in Chromium, which must be there with its
driver: the first visit, the next one, and one to a server that was started again. Then 40 seeks, half of them
to near frames, half to anywhere, corrections, and the export as CSV. Times are the browser's own (wall), with
the server's processor time beside them. Last, the report of that hour: with MOT_REID_DATA its pictures are
those of ADL-Rundle-6, 1080p, again and again. With --video only how long a video's first frame takes, and
until it is read through.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv
from selenium import webdriver

from mot_reid.app.frames import FrameReader

PROGRAM = "from mot_reid.cli import main; main()"


def make_run(folder: Path, frames: int, people: int, text: bool = False) -> None:
    length = 1500
    slots = np.arange(people)
    number = np.repeat(np.arange(1, frames + 1), people)
    slot = np.tile(slots, frames)
    shifted = number + slot * 31
    ids = (shifted // length) * people + slot + 1
    share = (shifted % length) / length
    x = 100 + 1700 * share
    y = 200 + 15 * slot + 40 * np.sin(share * 20 + slot)
    columns = {"frame": number, "id": ids, "x1": x, "y1": y, "x2": x + 40, "y2": y + 110}
    columns |= {
        "score": np.full(len(x), 0.9),
        "class_id": np.zeros(len(x), np.int64),
        "time": (number - 1) / 27.78,
    }
    table = pa.table({name: pa.array(column) for name, column in columns.items()})
    if text:
        rows = pa.table(
            {name: table[name] for name in ("frame", "id", "x1", "y1")}
            | {
                "w": pa.array(np.full(len(x), 40.0)),
                "h": pa.array(np.full(len(x), 110.0)),
                "score": table["score"],
            }
            | {name: pa.array(np.full(len(x), -1)) for name in ("a", "b", "c")}
        )
        arrow_csv.write_csv(rows, folder / "tracks.txt", arrow_csv.WriteOptions(include_header=False))
    else:
        pq.write_table(table, folder / "tracks.parquet")
    source = {"name": "hour", "fps": 27.78, "width": 1920, "height": 1080}
    (folder / "summary.json").write_text(json.dumps({"source": source, "last_frame": frames}))


def memory(process: int) -> str:
    """What is resident: of the process's own, and of files mapped."""
    text = Path(f"/proc/{process}/status").read_text()
    own, mapped = (
        int(re.search(rf"^{name}:\s+(\d+)", text, re.MULTILINE)[1]) / 1024  # type: ignore[index]
        for name in ("RssAnon", "RssFile")
    )
    return f"{own:.0f} MB of its own, {mapped:.0f} MB of files"


def spent(process: int) -> float:
    """Processor seconds of a process so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def open_browser() -> webdriver.Chrome:
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(flag)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService("/usr/bin/chromedriver"))
    browser.set_script_timeout(300)
    browser.set_page_load_timeout(300)
    return browser


SEEK = """
const [last, done] = arguments; const seek = document.getElementById('seek');
const picture = document.getElementById('picture'); const times = {near: [], far: []};
(async () => {
  let frame = 500;
  for (let n = 0; n < 40; n++) {
    const far = n % 2 === 1;
    frame = far ? 1 + Math.floor(Math.random() * last) : Math.min(last, frame + 7);
    const start = performance.now();
    seek.value = frame; seek.dispatchEvent(new Event('input'));
    while (!(Number(picture.dataset.frame) === frame && Number(picture.dataset.boxes) >= 0)) {
      await new Promise((next) => setTimeout(next, 0));
    }
    times[far ? 'far' : 'near'].push(performance.now() - start);
    await new Promise((next) => setTimeout(next, 60));
  }
  const middle = (list) => list.sort((a, b) => a - b)[Math.floor(list.length / 2)];
  done({near: middle(times.near), far: middle(times.far), worst: Math.max(...times.near, ...times.far)});
})();
"""


CORRECT = """
const [entry, done] = arguments; const start = performance.now();
document.addEventListener('corrected', () => done(performance.now() - start), {once: true});
document.getElementById('tab-correct').click();
for (const [id, value] of Object.entries(entry.fields)) document.getElementById(id).value = value;
document.getElementById(entry.button).click();
"""


class Served:
    """The server, and what it spends."""

    def __init__(self, run: Path) -> None:
        command = [sys.executable, "-c", PROGRAM, "serve", str(run), "--port", "0"]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().split()[0]

    def stop(self) -> None:
        """Ends it."""
        self.process.terminate()
        self.process.wait(120)


def visit(browser: webdriver.Chrome, server: Served, what: str) -> None:
    before, start = spent(server.process.pid), time.perf_counter()
    browser.get(server.address)
    while not browser.execute_script("return document.body.dataset.ready"):
        time.sleep(0.02)
    usable = time.perf_counter() - start
    while browser.execute_script("return document.body.dataset.whole") != "yes":
        time.sleep(0.02)
    took, used = time.perf_counter() - start, spent(server.process.pid) - before
    told = f"usable after {usable:.2f} s, all tracks after {took:.2f} s"
    print(f"{what}: {told} (server: {used:.2f} s of processor)", flush=True)


def look(browser: webdriver.Chrome, run: Path, frames: int, what: str) -> None:
    server = Served(run)
    try:
        visit(browser, server, f"{what}: first visit, the tracks are read")
        visit(browser, server, f"{what}: next visit")
        server.stop()
        server = Served(run)
        visit(browser, server, f"{what}: server started again")
        print(browser.execute_script("return document.getElementById('track-count').textContent"))
        before = spent(server.process.pid)
        found = browser.execute_async_script(SEEK, frames)
        near, far, worst = (f"{found[name]:.1f}" for name in ("near", "far", "worst"))
        used = (spent(server.process.pid) - before) / 40 * 1000
        print(f"seek, ms: near {near}, far {far}, worst of 40 {worst} (server: {used:.1f} ms a seek)")
        print(f"server: {memory(server.process.pid)}", flush=True)
        for name, button, fields in (
            ("rename", "do-rename", {"one": 7, "name": "Ann"}),
            ("merge", "do-merge", {"one": 1, "other": 51}),
            ("undo", "do-undo", {}),
        ):
            before = spent(server.process.pid)
            took = browser.execute_async_script(CORRECT, {"button": button, "fields": fields}) / 1000
            used = spent(server.process.pid) - before
            print(f"{name}: {took:.2f} s (server: {used:.2f} s of processor)")
        print(f"server: {memory(server.process.pid)}", flush=True)
        before, start = spent(server.process.pid), time.perf_counter()
        size = exported(server.address, run)
        took, used = time.perf_counter() - start, spent(server.process.pid) - before
        print(f"export as CSV, {size / 1e6:.0f} MB: {took:.1f} s (server: {used:.1f} s of processor)")
        print(f"server: {memory(server.process.pid)}", flush=True)
    finally:
        server.stop()


def exported(address: str, run: Path) -> int:
    """Exports the corrected tracks as CSV; bytes of the file."""
    place = f"{address}api/runs/r0/export"
    told, data = {"working": "tracks.csv"}, json.dumps({"formats": ["csv"]}).encode()
    while told["working"]:
        request = urllib.request.Request(place, data, {"content-type": "application/json"} if data else {})
        with urllib.request.urlopen(request) as answer:
            told = json.load(answer)
        data = None
        time.sleep(0.3)
    assert not told["failed"], told
    return (run / "corrected" / "tracks.csv").stat().st_size


def first_and_last(video: Path) -> None:
    """How soon a video's frames can be shown."""
    start = time.perf_counter()
    reader = FrameReader(video)
    reader.image(1)
    print(f"first frame after {time.perf_counter() - start:.2f} s")
    reader.wait()
    print(f"read through after {time.perf_counter() - start:.2f} s ({video.stat().st_size / 1e9:.1f} GB)")


def with_pictures(run: Path, frames: int, data: Path) -> None:
    """Gives the run a video: a folder of links to the pictures of ADL-Rundle-6, again and again."""
    pictures = sorted((data / "adl-rundle-6" / "img1").glob("*.jpg"))
    folder = run.parent / "pictures"
    folder.mkdir()
    for number in range(frames):
        (folder / f"{number + 1:06d}.jpg").symlink_to(pictures[number % len(pictures)])
    summary = json.loads((run / "summary.json").read_text())
    summary["source"]["location"] = str(folder)
    (run / "summary.json").write_text(json.dumps(summary))


def report(run: Path) -> None:
    scene = {"lines": {"door": {"from": [960, 100], "to": [960, 1080]}}, "zones": {}}
    (run / "scene.yaml").write_text(json.dumps(scene))
    out = run.parent / "hour.html"
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", PROGRAM, "report", str(run), "-o", str(out)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(
        f"report: {out.stat().st_size / 1e6:.2f} MB, {time.perf_counter() - start:.1f} s "
        f"({used:.1f} s of processor, {after.ru_maxrss / 1024:.0f} MB at the most)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=50)
    parser.add_argument("--video", type=Path, help="time the frames of this video, and nothing else")
    chosen = parser.parse_args()
    if chosen.video:
        first_and_last(chosen.video)
        return
    browser = open_browser()
    try:
        for text in (False, True):
            with tempfile.TemporaryDirectory() as folder:
                run = Path(folder) / "hour"
                run.mkdir()
                make_run(run, chosen.frames, chosen.people, text)
                if data := os.environ.get("MOT_REID_DATA"):
                    with_pictures(run, chosen.frames, Path(data))
                look(browser, run, chosen.frames, "text" if text else "Parquet")
                if not text:
                    report(run)
    finally:
        browser.quit()


if __name__ == "__main__":
    main()
