"""An hour of tracks on the page: how long until it is usable, how fast it seeks, what the server takes.

    python benchmarks/page.py [--frames 100000] [--people 50]

Makes a Parquet file of that many frames with that many people in each (every track lasts about 1,500 frames),
serves it, and opens it in Chromium, which must be there with its driver. Times are the browser's own.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from selenium import webdriver

PROGRAM = "from mot_reid.cli import main; main()"


def make_run(folder: Path, frames: int, people: int) -> None:
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
    pq.write_table(table, folder / "tracks.parquet")
    source = {"name": "hour", "fps": 27.78, "width": 1920, "height": 1080}
    (folder / "summary.json").write_text(json.dumps({"source": source, "last_frame": frames}))


def memory(process: int) -> float:
    text = Path(f"/proc/{process}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmRSS")).split()[1]) / 1024


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--people", type=int, default=50)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "hour"
        run.mkdir()
        make_run(run, chosen.frames, chosen.people)
        command = [sys.executable, "-c", PROGRAM, "serve", str(run), "--port", "0"]
        server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            browser = open_browser()
            for visit in ("first visit, the tracks are read", "next visit"):
                start = time.perf_counter()
                browser.get(address)
                while not browser.execute_script("return document.body.dataset.ready"):
                    time.sleep(0.02)
                print(f"{visit}: usable after {time.perf_counter() - start:.2f} s")
            print(
                "tracks:", browser.execute_script("return document.getElementById('track-count').textContent")
            )
            found = browser.execute_async_script(SEEK, chosen.frames)
            near, far, worst = (f"{found[name]:.1f}" for name in ("near", "far", "worst"))
            print(f"seek, ms: near {near}, far {far}, worst of 40 {worst}")
            print(f"server: {memory(server.pid):.0f} MB")
            browser.quit()
        finally:
            server.terminate()
            server.wait(20)
        print(f"(this script: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB)")


if __name__ == "__main__":
    main()
