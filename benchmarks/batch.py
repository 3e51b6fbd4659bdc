"""Many videos on Ray: nodes that die, what the engine costs, one long video, and where it saturates.

    MOT_REID_DATA=DIR python benchmarks/batch.py kills [--videos 40] [--kills 20] [-o FOLDER]
    MOT_REID_DATA=DIR python benchmarks/batch.py overhead [--videos 8] [--turns 3] [-o FOLDER]
    MOT_REID_DATA=DIR python benchmarks/batch.py pieces [--frames 20000] [-o FOLDER]
    python benchmarks/batch.py scale [--videos 10000] [--workers 100] [-o FOLDER]

kills: a Ray cluster of several node processes on this machine; one is killed at random moments
and another one takes its place. The results must be those of one process, byte for byte; no call may
have ended well twice. overhead: the same videos in this process, in one worker process and on a cluster of
one core, in turn. pieces: PETS09-S2L1 played forward and back, tracked on one core, and on two, of which the
second detects ahead. scale: calls that sleep a hundredth of what a video of a minute takes, on as many
workers as asked for, with the real scheduler and the real driver.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from itertools import chain, cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from mot_reid.cluster import batch as driver
from mot_reid.cluster.batch import LOGS, Batch, Plan
from mot_reid.cluster.engines import Engine, LocalEngine, RayEngine
from mot_reid.cluster.manifest import Video
from mot_reid.cluster.work import Job
from mot_reid.config import load_config
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance

TEXT = load_config(overrides=["output.formats=[mot]"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("what", choices=["kills", "overhead", "pieces", "scale"])
    parser.add_argument("--videos", type=int)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--workers", type=int, default=100)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-o", "--output", type=Path, help="folder for the table")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        table = {"kills": kills, "overhead": overhead, "pieces": pieces, "scale": scale}[arguments.what](
            arguments, Path(folder)
        )
    table.show(Console(width=200))
    if arguments.output is not None:
        table.save(arguments.output, f"batch-{arguments.what}")


def pets_frames(count: int, start: int = 0) -> Iterator[np.ndarray]:
    """Frames of PETS09-S2L1, RGB, forward and back for as long as is asked for."""
    import av

    with av.open(str(Path(os.environ["MOT_REID_DATA"]) / "pets09-s2l1/PETS09-S2L1.avi")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    there_and_back = cycle(chain(frames, frames[-2:0:-1]))
    return islice(there_and_back, start, start + count)


def write_video(path: Path, frames: Iterator[np.ndarray], fps: int = 10) -> None:
    import av

    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", fps, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 768, 576, "yuv420p"
        for frame in frames:
            out.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        out.mux(stream.encode(None))


def clips(folder: Path, count: int, frames: int, fps: int = 10) -> list[Video]:
    """``count`` different short videos."""
    folder.mkdir()
    everything = list(pets_frames(795))
    found = []
    for number in range(count):
        path = folder / f"clip{number:02d}.mp4"
        write_video(path, iter(everything[17 * number % 700 :][:frames]), fps)
        found.append(Video(str(path), path.stem, path.stem))
    return found


@contextmanager
def cluster(nodes: int, cpus: int = 1) -> Iterator[Any]:
    """A Ray cluster of node processes on this machine; its head does no work."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    for _ in range(nodes):
        made.add_node(num_cpus=cpus)
    made.wait_for_nodes()
    try:
        yield made
    finally:
        made.shutdown()


def run(videos: list[Video], out: Path, engine: Engine, plan: Plan | None = None) -> tuple[float, Batch]:
    start = time.perf_counter()
    with engine:
        batch = Batch(videos, str(out), TEXT, engine, plan or Plan(piece_seconds=0))
        batch.run()
    return time.perf_counter() - start, batch


def results(out: Path, videos: list[Video]) -> dict[str, bytes]:
    return {video.name: (out / video.name / "tracks.txt").read_bytes() for video in videos}


def kills(arguments: argparse.Namespace, folder: Path) -> Table:
    videos = clips(folder / "videos", arguments.videos or 40, 30)
    seconds, _ = run(videos, folder / "alone", LocalEngine(1))
    alone = results(folder / "alone", videos)
    moments, killed = random.Random(arguments.seed), 0
    with cluster(2) as made, ThreadPoolExecutor(1) as pool:
        ending = pool.submit(run, videos, folder / "out", RayEngine(made.address))
        while killed < arguments.kills:  # in the main thread: Ray's nodes set signal handlers
            wait([ending], timeout=moments.uniform(0.2, 1.8) * seconds / arguments.kills)
            if ending.done():
                break
            made.remove_node(moments.choice(list(made.worker_nodes)), allow_graceful=False)
            killed += 1
            made.add_node(num_cpus=1)
        shaken, batch = ending.result()
    log = "\n".join(path.read_text() for path in sorted((folder / "out" / LOGS).iterdir()))
    twice = sum(
        len(re.findall(r" whole on \S+: done", path.read_text())) > 1
        for path in (folder / "out" / LOGS).iterdir()
    )
    row = {
        "videos": len(videos),
        "nodes killed": killed,
        "calls lost": log.count("failed: "),
        "videos done": batch.count("done"),
        "byte-identical": sum(results(folder / "out", videos)[name] == alone[name] for name in alone),
        "ended well twice": twice,
        "alone s": seconds,
        "cluster s": shaken,
    }
    columns = [Column(name, 1 if name.endswith(" s") else None) for name in row]
    return Table("Nodes killed in the middle", columns, [row], provenance())


def overhead(arguments: argparse.Namespace, folder: Path) -> Table:
    videos = clips(folder / "videos", arguments.videos or 8, 420, 7)  # a minute at the true rate
    ways: dict[str, Callable[[], tuple[float, float]]] = {
        "this process": lambda: _one_after_the_other(videos, folder),
        "one worker process": lambda: _engine(videos, folder, LocalEngine(1)),
        "Ray, a node of one core": lambda: _ray(videos, folder),
    }
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(arguments.turns):
        for name, way in ways.items():
            found[name].append(way())
            shutil.rmtree(folder / "out")
    rows = []
    for name, times in found.items():
        whole, tracking = (statistics.median(column) for column in zip(*times, strict=True))
        over = statistics.median(100 * (whole - inside) / inside for whole, inside in times)
        rows.append({"engine": name, "seconds": whole, "tracking s": tracking, "all else %": over})
    columns = [Column("engine"), *(Column(name, 1) for name in ("seconds", "tracking s", "all else %"))]
    notes = [
        "Tracking: the sum of what the videos' summaries say, by the same clock at the same time, so that "
        "a machine whose speed varies does no harm. All else: start of the workers, loading of the "
        f"models, calls and results. Medians of {arguments.turns} in turn."
    ]
    return Table(f"{len(videos)} videos of a minute, one after the other", columns, rows, provenance(), notes)


def _one_after_the_other(videos: list[Video], folder: Path) -> tuple[float, float]:
    start = time.perf_counter()
    done = [driver.track_whole(Job(video, str(folder / "out"), TEXT, "plain"), 1) for video in videos]
    return time.perf_counter() - start, sum(figures["seconds"] for figures in done)


def _engine(videos: list[Video], folder: Path, engine: Engine) -> tuple[float, float]:
    seconds, batch = run(videos, folder / "out", engine)
    return seconds, sum(state.figures["seconds"] for state in batch.states)


def _ray(videos: list[Video], folder: Path) -> tuple[float, float]:
    with cluster(1) as made:
        return _engine(videos, folder, RayEngine(made.address))


def pieces(arguments: argparse.Namespace, folder: Path) -> Table:
    path = folder / "long.mp4"
    write_video(path, pets_frames(arguments.frames))
    videos = [Video(str(path), "long", "long")]
    rows = []
    for name, workers, plan in (
        ("one core", 1, Plan(piece_seconds=0)),
        ("two cores", 2, Plan()),
    ):
        out = folder / name.replace(" ", "-")
        seconds, batch = run(videos, out, LocalEngine(workers), plan)
        tracks, figures = out / "long" / "tracks.txt", batch.states[0].figures
        digest = hashlib.sha256(tracks.read_bytes()).hexdigest()[:12]
        told = {"run": name, "seconds": seconds, "pieces ahead": figures["pieces_ahead"], "sha256": digest}
        rows.append(told | _scores(tracks, arguments.frames))
    rows[1]["times as fast"] = rows[0]["seconds"] / rows[1]["seconds"]
    columns = [Column("run"), Column("seconds", 1), Column("times as fast", 2), Column("pieces ahead")]
    columns += [Column(name, 2) for name in ("HOTA", "MOTA", "IDF1")] + [Column("IDs"), Column("tracks")]
    columns.append(Column("sha256"))
    notes = ["sha256: of tracks.txt."]
    return Table(f"One video of {arguments.frames} frames", columns, rows, provenance(), notes)


def _scores(tracks: Path, frames: int) -> dict[str, Any]:
    """Scores against PETS' ground truth, played forward and back likewise."""
    root = Path(os.environ["MOT_REID_DATA"]) / "pets09-s2l1"
    truth = np.loadtxt(root / "gt/gt.txt", delimiter=",")
    order = list(islice(cycle(chain(range(1, 796), range(794, 1, -1))), frames))
    by_frame = {number: truth[truth[:, 0] == number] for number in range(1, 796)}
    rows = []
    for number, source in enumerate(order, start=1):
        part = by_frame[source].copy()
        part[:, 0] = number
        rows.append(part)
    folder = tracks.parent / "truth" / "long"
    (folder / "gt").mkdir(parents=True)
    np.savetxt(folder / "gt/gt.txt", np.concatenate(rows), fmt="%g", delimiter=",")
    (folder / "seqinfo.ini").write_text(
        f"[Sequence]\nname=long\nimDir=img1\nframeRate=7\nseqLength={frames}\nimWidth=768\nimHeight=576\nimExt=.jpg\n"
    )
    made = tracks.parent / "scores"
    program = [
        str(Path(sys.executable).with_name("mot-reid")),
        "eval",
        str(tracks),
        "--gt",
        str(folder.parent),
    ]
    subprocess.run([*program, "--protocol", "mot15", "-o", str(made)], check=True, capture_output=True)
    row = json.loads(next(made.glob("*.json")).read_text())["rows"][-1]
    return {
        "HOTA": row["HOTA"],
        "MOTA": row["MOTA"],
        "IDF1": row["IDF1"],
        "IDs": row["IDs"],
        "tracks": row["Tracks"],
    }


def _sleep(job: Job, cores: int) -> dict[str, Any]:
    time.sleep(0.18)  # a hundredth of 1,800 frames at 100 frames a second
    return {"frames": 1800, "rows": 0, "tracks": 0, "seconds": 18.0}


def scale(arguments: argparse.Namespace, folder: Path) -> Table:
    import ray

    count, workers = arguments.videos or 10_000, arguments.workers
    path = folder / "a.mp4"
    path.write_bytes(b"x")
    driver.track_whole = _sleep  # type: ignore[assignment]
    rows = []
    for size in sorted({max(1, workers // 10), max(1, workers // 3), workers}):
        ray.init(num_cpus=size, include_dashboard=False, log_to_driver=False)
        videos = [Video(str(path), f"v{n}", f"v{n}") for n in range(max(1, count * size // workers))]
        engine = RayEngine("auto")
        seconds, batch = run(videos, folder / f"out{size}", engine)
        ray.shutdown()
        ideal = len(videos) * 0.18 / size
        rows.append({"workers": size, "videos": batch.count("done"), "seconds": seconds, "ideal s": ideal,
                     "calls a second": len(videos) / seconds, "busy %": 100 * ideal / seconds})  # fmt: skip
    columns = [Column(name, 1 if name not in ("workers", "videos") else None) for name in rows[0]]
    notes = ["A call sleeps 0.18 s. At full length (18 s a minute of video) calls are 100 times rarer."]
    return Table("Stand-in calls on Ray", columns, rows, provenance(), notes)


if __name__ == "__main__":
    main()
