"""How well lines and zones count: against ground truth, beside supervision's LineZone and PolygonZone.

    MOT_REID_DATA=DIR python benchmarks/counting.py [--runs FOLDER]

Tracks PETS09-S2L1 and ADL-Rundle-6 from their pictures with the default configuration (or takes the results
in FOLDER), draws 40 lines and 20 zones by a seeded generator where people walk, and counts at them on the
same tracks: with `mot_reid.analytics`, with supervision's LineZone (its default of all four corners, and the
foot point alone) and with entries into its PolygonZone. True counts follow from the ground truth's foot
points, smoothed over half a second, by plain geometry: each passage through the segment, each entry into the
polygon; none of the counters computes them. Counts can be right by two wrongs: of entries it also says how
many of those counted are within a second of a true one into that zone, one to one, and of how many of these
whoever enters had left the zone less than a second before: true ones are hardly ever so. Needs
`pip install supervision`, for this comparison only.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import supervision as sv
from numpy.typing import NDArray
from rich.console import Console

from mot_reid.analytics import Line, Observations, Scene, Zone, analyse
from mot_reid.analytics.geometry import points_in_polygon, segment_crossings
from mot_reid.evaluation.tables import Column, Table
from mot_reid.pipeline.finished_tracks import read_finished
from mot_reid.provenance import provenance

SEQUENCES = {
    "pets09-s2l1": ("PETS09-S2L1.avi", 10.0, (768, 576)),
    "adl-rundle-6": (".", 30.0, (1920, 1080)),
}
LINES, ZONES = 40, 20
PROGRAM = "from mot_reid.cli import main; main()"
Counts: TypeAlias = NDArray[np.int64]
Points: TypeAlias = NDArray[np.float64]
Path2D: TypeAlias = tuple[int, NDArray[np.float64]]  # first frame, and a point for each frame from there on
Moments: TypeAlias = list[list[tuple[int, bool]]]  # of entries into each zone: frame, and whether just left


def truth_rows(path: Path, fps: float) -> Observations:
    table = np.loadtxt(path, delimiter=",")
    table = table[table[:, 6] != 0]
    boxes = np.column_stack([table[:, 2:4], table[:, 2:4] + table[:, 4:6]])
    return Observations.from_arrays(table[:, 0], (table[:, 0] - 1) / fps, table[:, 1], boxes)


def smoothed_paths(rows: Observations, fps: float) -> list[Path2D]:
    """The foot points of each identity, a moving mean over half a second; a gap of a second parts a path."""
    width = max(1, round(fps / 2)) | 1
    paths = []
    for track in np.unique(rows.ids):
        mine = rows[rows.ids == track]
        feet = np.column_stack([mine.xyxy[:, [0, 2]].mean(axis=1), mine.xyxy[:, 3]])
        cuts = np.flatnonzero(np.diff(mine.frames) > fps) + 1
        for start, piece in zip(mine.frames[np.append(0, cuts)], np.split(feet, cuts), strict=True):
            half = min(width // 2, (len(piece) - 1) // 2)
            padded = np.pad(piece, ((half, half), (0, 0)), mode="edge")
            kernel = np.ones(2 * half + 1) / (2 * half + 1)
            smooth = np.column_stack([np.convolve(padded[:, axis], kernel, "valid") for axis in (0, 1)])
            paths.append((int(start), smooth))
    return paths


def drawn(rows: Observations, size: tuple[int, int], seed: int) -> tuple[list[Line], list[Zone]]:
    """Lines and zones about the places where people of the ground truth stood."""
    rng = np.random.default_rng(seed)
    feet = np.column_stack([rows.xyxy[:, [0, 2]].mean(axis=1), rows.xyxy[:, 3]])
    lines, zones = [], []
    for number in range(LINES):
        middle, angle = feet[rng.integers(len(feet))], rng.uniform(0, np.pi)
        reach = rng.uniform(0.1, 0.25) * size[0] * np.array([np.cos(angle), np.sin(angle)])
        ends = np.clip([middle - reach, middle + reach], 0, np.array(size) - 1.0)
        lines.append(Line(f"line{number}", tuple(ends[0].tolist()), tuple(ends[1].tolist())))
    for number in range(ZONES):
        middle = feet[rng.integers(len(feet))]
        angles = np.sort(rng.uniform(0, 2 * np.pi, 5))
        corners = middle + rng.uniform(0.06, 0.15) * size[0] * np.column_stack(
            [np.cos(angles), np.sin(angles)]
        )
        zones.append(Zone(f"zone{number}", tuple(map(tuple, corners.tolist()))))
    return lines, zones


def true_counts(paths: list[Path2D], lines: list[Line], zones: list[Zone]) -> tuple[Counts, Moments]:
    crossings, entries = np.zeros((len(lines), 2), int), [[] for _ in zones]
    for start, path in paths:
        for place, line in enumerate(lines):
            steps = segment_crossings(path[:-1], path[1:], line.start, line.end)
            crossings[place] += (steps > 0).sum(), (steps < 0).sum()
        for place, zone in enumerate(zones):
            inside = points_in_polygon(path, zone.polygon)
            frames = start + np.flatnonzero(np.diff(inside.astype(int), prepend=0) > 0)
            entries[place] += [(frame, False) for frame in frames.tolist()]
    return crossings, entries


def ours(rows: Observations, lines: list[Line], zones: list[Zone], fps: float) -> tuple[Counts, Moments]:
    scene = Scene(lines={line.name: line for line in lines}, zones={zone.name: zone for zone in zones})
    analytics, events = analyse(scene, rows)
    entries: Moments = []
    for zone in zones:
        mine = [event for event in events if event.place == zone.name and event.kind in ("enter", "leave")]
        left = {(event.object, event.frame) for event in mine if event.kind == "leave"}
        entries.append(
            [
                (event.frame, any((event.object, event.frame - past) in left for past in range(round(fps))))
                for event in mine
                if event.kind == "enter"
            ]
        )
    return np.array([analytics.lines[line.name].counts for line in lines]), entries


def theirs(
    rows: Observations, lines: list[Line], zones: list[Zone], corners: bool, fps: float
) -> tuple[Counts, Moments]:
    foot = [sv.Position.BOTTOM_CENTER]
    anchors = {} if corners else {"triggering_anchors": foot}
    counters = [sv.LineZone(sv.Point(*line.start), sv.Point(*line.end), **anchors) for line in lines]
    areas = [
        sv.PolygonZone(np.array(zone.polygon).round().astype(int), triggering_anchors=foot) for zone in zones
    ]
    entries: Moments = [[] for _ in zones]
    inside: list[set[int]] = [set() for _ in zones]
    left: list[dict[int, int]] = [{} for _ in zones]
    for frame in range(1, int(rows.frames.max()) + 1):
        now = rows[rows.frames == frame]
        found = sv.Detections(now.xyxy.astype(np.float32), tracker_id=now.ids.astype(int))
        for counter in counters:
            counter.trigger(found)
        for place, area in enumerate(areas):
            held = set(now.ids[area.trigger(found)].tolist()) if len(now) else set()
            entries[place] += [
                (frame, frame - left[place].get(track, -1000) < fps) for track in held - inside[place]
            ]
            gone = inside[place] - set(now.ids.tolist())  # not seen in this frame: still where they were
            left[place] |= dict.fromkeys(inside[place] - held - gone, frame)
            inside[place] = held | gone
    return np.array([[counter.out_count, counter.in_count] for counter in counters]), entries


def right(found: Moments, truth: Moments, fps: float) -> list[bool]:
    """Whether just left, of each entry counted within a second of a true one into the zone, one to one."""
    hits = []
    for mine, true in zip(found, truth, strict=True):
        open_ones = sorted(frame for frame, _ in true)
        for frame, again in sorted(mine):
            near = next((other for other in open_ones if abs(other - frame) <= fps), None)
            if near is not None:
                open_ones.remove(near)
                hits.append(again)
    return hits


def matched(found: Counts, truth: Counts) -> Counts:
    """Its counts with its two directions named so that they fit the truth better, on all lines alike."""
    return min(found, found[:, ::-1], key=lambda counts: np.abs(counts - truth).sum())


def run_of(name: str, source: str, data: Path, runs: Path) -> Path:
    folder = runs / name
    if not (folder / "summary.json").exists():
        command = ["track", str(data / name / source), "-o", str(folder), "--csv", "--no-video", "-q"]
        subprocess.run([sys.executable, "-c", PROGRAM, *command], check=True)
    return folder


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs/counting"), help="folder of the runs")
    parser.add_argument("--output", "-o", type=Path, help="folder for the table")
    chosen = parser.parse_args()
    data = Path(os.environ["MOT_REID_DATA"])
    rows: list[dict[str, Any]] = []
    for seed, (name, (source, fps, size)) in enumerate(SEQUENCES.items()):
        truth = truth_rows(data / name / "gt" / "gt.txt", fps)
        lines, zones = drawn(truth, size, seed)
        crossings, entries = true_counts(smoothed_paths(truth, fps), lines, zones)
        tracked = read_finished(run_of(name, source, data, chosen.runs), fps).rows
        for label, tracks in (("ground truth's", truth), ("ours", tracked)):
            counted, visits = ours(tracks, lines, zones, fps)
            rows.append(scored(name, label, "crossings", "mot_reid", crossings, counted))
            for counter, corners in (("supervision, foot", False), ("supervision, four corners", True)):
                found, entered = theirs(tracks, lines, zones, corners, fps)
                rows.append(scored(name, label, "crossings", counter, crossings, matched(found, crossings)))
                if not corners:
                    rows.append(entry_row(name, label, counter, entries, entered, fps))
            rows.append(entry_row(name, label, "mot_reid", entries, visits, fps))
    rows.sort(key=lambda row: (list(SEQUENCES).index(row["sequence"]), row["tracks"] == "ours", row["what"]))
    columns = [
        Column(name) for name in ("sequence", "tracks", "what", "counter", "true", "counted", "errors")
    ]
    columns += [
        Column("errors of 100", 1),
        Column("right"),
        Column("just left"),
        Column("false"),
        Column("missed"),
    ]
    made_by = {**provenance(), "supervision": sv.__version__}
    table = Table(
        f"Counts at {LINES} lines and in {ZONES} zones, drawn by a seeded generator", columns, rows, made_by
    )
    table.show(Console(width=200))
    if chosen.output is not None:
        table.save(chosen.output, "counting")


def entry_row(
    name: str, tracks: str, counter: str, true: Moments, found: Moments, fps: float
) -> dict[str, Any]:
    """Errors of counts, and which of the entries are right."""
    counts = np.array([len(entry) for entry in true]), np.array([len(entry) for entry in found])
    hits = right(found, true, fps)
    known = {"right": len(hits), "just left": sum(hits)}
    known |= {"false": int(counts[1].sum()) - len(hits), "missed": int(counts[0].sum()) - len(hits)}
    return scored(name, tracks, "entries", counter, *counts) | known


def scored(name: str, tracks: str, what: str, counter: str, true: Counts, found: Counts) -> dict[str, Any]:
    """Errors: what is counted too often or too seldom, line by line and direction by direction."""
    errors = int(np.abs(true - found).sum())
    known = {"sequence": name, "tracks": tracks, "what": what, "counter": counter}
    counts = {"true": int(true.sum()), "counted": int(found.sum()), "errors": errors}
    return known | counts | {"errors of 100": 100 * errors / max(int(true.sum()), 1)}


if __name__ == "__main__":
    main()
