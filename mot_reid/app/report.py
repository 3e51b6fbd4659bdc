"""A run, or several, in one HTML file: no script, no network, nothing beside it; made to be printed, too."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import cv2
import numpy as np

from mot_reid.analytics import Analytics
from mot_reid.app.crops import crops
from mot_reid.app.frames import encode
from mot_reid.app.people import People
from mot_reid.app.runs import Run
from mot_reid.gallery.gallery import Gallery
from mot_reid.offline.rows import TrackRows
from mot_reid.wording import counted

__all__ = ["report"]

_UNTOLD = "it goes on, or was killed"
_MOST_LANES = 400
_MOST_CROPS = 300
_MOST_TOGETHER = 60  # people with their pictures from all cameras
_GOLDEN = 0.618033988749895
_STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.45 system-ui, sans-serif; margin: 0 auto; max-width: 64rem; padding: 1rem; }
table { border-collapse: collapse; margin: .5rem 0; }
th, td { text-align: left; padding: .15rem .6rem .15rem 0;
  border-bottom: 1px solid #8a94a3; vertical-align: top; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; min-width: 38rem; height: auto; }
svg text { fill: currentColor; font: 11px system-ui, sans-serif; }
.wide { overflow-x: auto; }
.people { display: flex; flex-wrap: wrap; gap: .5rem; } figure { margin: 0; break-inside: avoid; }
figure img { display: block; height: 128px; width: auto; } figcaption { font-size: .8rem; max-width: 9rem; }
figure img.heat { max-width: 100%; height: auto; } details { margin: .5rem 0; } h2 { break-after: avoid; }
.row { display: flex; gap: 2px; } .wider figcaption { max-width: 18rem; } .key { margin-right: .8rem; }
.key i { display: inline-block; width: .8rem; height: .8rem; }
@media print { body { max-width: none; } section + section { break-before: page; } tr { break-inside: avoid; }
  * { print-color-adjust: exact; } details::details-content { content-visibility: visible; } }
"""


def report(
    runs: Sequence[Run], scene: Mapping[str, Any] | None = None, gallery: Gallery | None = None
) -> str:
    """The report of these runs.

    Args:
        runs: one or more; their corrections hold.
        scene: lines and zones to count at, for all; by default each run's own, if it has one.
        gallery: that knows who is who over all runs; names that were given do, too.

    Raises:
        ValueError: something in a scene is wrong, or tracks cannot be read.
    """
    title = ", ".join(run.file.source for run in runs)
    for reader in filter(None, (run.pictures.reader() for run in runs)):
        reader.wait()
    body = "".join(_run(run, scene) for run in runs)
    people = _everybody(runs, gallery) if len(runs) > 1 or gallery is not None else ""
    made = time.strftime("%Y-%m-%d %H:%M")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'; img-src data:\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body><main>"
        f"<h1>{escape(title)}</h1><p>Made on {made}. This file holds pictures of people.</p>"
        f"{people}{body}</main></body></html>\n"
    )


def _run(run: Run, scene: Mapping[str, Any] | None) -> str:
    file, columns = run.file, run.columns
    summary = file.summary
    wanted = dict(scene) if scene is not None else run.scene()
    analytics, events = run.count(wanted)
    frames, counted = run.frames(), analytics.summary()
    facts = [
        ("frames", f"{frames} at {run.fps:.3g} a second, {_clock(frames / run.fps)}"),
        ("picture", "{} x {}".format(*run.size())),
        ("tracks", str(len(np.unique(columns.spans[:, 0])))),
        ("boxes", str(len(columns))),
        ("at once, at most", str(counted["most_at_once"])),
        ("speed", _speed(counted["speed"])),
        ("complete", "yes" if summary.get("complete", True) else f"no: {summary.get('error') or _UNTOLD}"),
        ("corrections", str(run.applied)),
    ]
    facts += [(f"model: {name}", str(value)) for name, value in (summary.get("models") or {}).items()]
    parts = [
        f"<section><h2>{escape(file.source)}</h2>{_table(None, facts)}",
        f"<h3>Tracks over time</h3>{_timeline(run)}" if len(columns) else "",
        _counts(analytics, len(events)),
        _heat(run, analytics),
        f"<h3>Everyone's best picture</h3>{_people(run)}" if len(columns) else "",
        _settings(summary),
        "</section>",
    ]
    return "".join(parts)


def _timeline(run: Run) -> str:
    found = sorted(run.columns.lanes(), key=lambda lane: lane["spans"][0][0])
    longest = sorted(found, key=lambda lane: -sum(b - a + 1 for a, b in lane["spans"]))[:_MOST_LANES]
    kept = {lane["id"] for lane in longest}
    lanes = [
        (
            _name(run, lane["id"]),
            [
                ((first - 1) / run.fps, last / run.fps, _colour(lane["id"]), "")
                for first, last in lane["spans"]
            ],
        )
        for lane in found
        if lane["id"] in kept
    ]
    left = f"<p>The {len(lanes)} longest of {len(found)} tracks.</p>" if len(lanes) < len(found) else ""
    return left + _lanes(lanes, max(run.frames() / run.fps, 1e-3), "When each track was seen")


def _lanes(
    lanes: Sequence[tuple[str, Sequence[tuple[float, float, str, str]]]], end: float, what: str
) -> str:
    """Lanes over time: names, and for each from, to (seconds), colour and where; one band for each place."""
    marks = []
    places = sorted({where for _, spans in lanes for _, _, _, where in spans})
    step, band = (18, 12) if len(places) < 2 else (7 * len(places) + 6, 6)
    for place, (name, spans) in enumerate(lanes):
        y = step * place
        marks.append(f'<text x="0" y="{y + step / 2 + 4:.0f}">{escape(name[:22])}</text>')
        for start, stop, colour, where in spans:
            top = y + 3 + 7 * places.index(where)
            across = max(1.5, (stop - start) * 880 / end)
            marks.append(
                f'<rect x="{120 + start * 880 / end:.1f}" y="{top}" width="{across:.1f}" height="{band}" '
                f'fill="{colour}"><title>{escape(name)}{f", {escape(where)}" if where else ""}: '
                f"{_clock(start)} to {_clock(stop)}</title></rect>"
            )
    tall = step * len(lanes) + 20
    for tick in range(6):
        x, anchor = 120 + 176 * tick, "start" if tick < 5 else "end"
        marks.append(f'<text x="{x}" y="{tall - 4}" text-anchor="{anchor}">{_clock(tick / 5 * end)}</text>')
    named_lanes = counted(len(lanes), "lane")
    return (
        f'<div class="wide" tabindex="0" role="group" aria-label="{what}">'
        f'<svg viewBox="0 0 1000 {tall}" role="img" aria-label="{what}: {named_lanes}">'
        f"{''.join(marks)}</svg></div>"
    )


def _counts(analytics: Analytics, events: int) -> str:
    found = analytics.summary()
    parts = []
    rows: list[tuple[Any, ...]] = [
        (name, way, entry[way], entry["objects"][way])
        for name, entry in found["lines"].items()
        for way in entry["objects"]
    ]
    if rows:
        parts.append(_table(("line", "direction", "crossings", "different people"), rows))
    rows = [
        (name, *(entry[key] for key in ("visits", "objects", "mean_dwell", "longest_dwell")))
        for name, entry in found["zones"].items()
    ]
    if rows:
        parts.append(_table(("zone", "visits", "different people", "mean dwell, s", "longest, s"), rows))
    keys = ("served", "given_up", "mean_wait", "longest_wait")
    rows = [(name, *(entry[key] for key in keys)) for name, entry in found["queues"].items()]
    if rows:
        parts.append(_table(("queue", "served", "gave up", "mean wait, s", "longest, s"), rows))
    if not parts:
        return ""
    names = sorted({name for row in found["series"] for name in row} - {"start"})
    series = [(_clock(row["start"]), *(row.get(name, 0) for name in names)) for row in found["series"]]
    over_time = f"<details><summary>Over time</summary>{_table(('from', *names), series[:600])}</details>"
    return f"<h3>Counts</h3>{''.join(parts)}<p>{counted(events, 'event')}.</p>{over_time if series else ''}"


def _speed(found: Mapping[str, Any]) -> str:
    """The median, and where to those go who move; in metres the ground's own directions."""
    if found["median"] is None:
        return "-"
    total, metric = max(sum(found["headings"]), 1), found["unit"] == "m/s"
    names = [f"{45 * place}°" for place in range(8)] if metric else list("→↘↓↙←↖↑↗")
    ways = [
        f"{name} {count / total:.0%}" for name, count in zip(names, found["headings"], strict=True) if count
    ]
    return f"{found['median']} {found['unit']} (median){'; ' if ways else ''}{', '.join(ways)}"


def _heat(run: Run, analytics: Analytics) -> str:
    if analytics.heat is None or not analytics.heat.presence.any():
        return ""
    reader = run.pictures.reader()
    image = None if reader is None else reader.image(max(1, run.frames() // 2))
    width, height = run.size()
    ground: Any = np.full((height, width, 3), 60, np.uint8) if image is None else image
    scale = min(1.0, 800 / width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    ground = cv2.resize(cv2.cvtColor(ground, cv2.COLOR_BGR2GRAY), size)
    picture = cv2.cvtColor(ground, cv2.COLOR_GRAY2BGR)
    parts = []
    for name, values in (("presence", analytics.heat.presence), ("dwell", analytics.heat.seconds)):
        warmest = values[values > 0]
        if not warmest.size:  # nobody was seen twice, so that nothing took time
            continue
        warm = np.clip(np.sqrt(values / float(np.percentile(warmest, 99))), 0, 1)
        cells = cv2.resize(warm.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
        coloured = cv2.applyColorMap((cells * 255).astype(np.uint8), cv2.COLORMAP_TURBO)
        share = (0.65 * (cells > 0.02))[..., None]
        mixed = (picture * (1 - share) + coloured * share).astype(np.uint8)
        shown = _image(encode(mixed), f"heat map of {name}", "heat")
        parts.append(f"<figure>{shown}<figcaption>{name}</figcaption></figure>")
    return f"<h3>Heat maps</h3>{''.join(parts)}"


def _people(run: Run) -> str:
    reader = run.pictures.reader()
    if reader is None:
        return f"<p>No pictures: {escape(run.pictures.missing)}.</p>"
    counts: dict[int, int] = {}
    for track, _, first, last in run.columns.spans.tolist():
        counts[track] = counts.get(track, 0) + last - first + 1
    longest = sorted(counts, key=lambda track: -counts[track])[:_MOST_CROPS]
    best = [run.columns.best_rows(track, run.size()) for track in longest]
    rows = TrackRows.from_arrays(
        *(
            np.concatenate([getattr(row, name) for row in best] or [empty])
            for name, empty in (("frames", np.zeros(0)), ("ids", np.zeros(0)), ("xyxy", np.zeros((0, 4))))
        )
    )
    found = dict(crops(reader, rows, np.arange(len(rows))))
    figures = [
        f"<figure>{_image(found[track], _name(run, track))}<figcaption>{escape(_name(run, track))}, "
        f"{counts[track] / run.fps:.1f} s</figcaption></figure>"
        for track in sorted(found)
    ]
    left = (
        f"<p>The {len(found)} who were seen longest, of {len(counts)}.</p>"
        if len(counts) > len(found)
        else ""
    )
    return f'{left}<div class="people">{"".join(figures)}</div>'


def _everybody(runs: Sequence[Run], gallery: Gallery | None) -> str:
    """People over all runs: when each was seen by which camera, and a picture from each."""
    found = People(runs, gallery).found()
    cameras, people = found["cameras"], found["people"]
    longest = sorted(people, key=lambda person: -person["seconds"])[:_MOST_LANES]
    shown = sorted(longest, key=lambda person: person["spans"][0]["from"])
    ends = [camera["offset"] + camera["frames"] / camera["fps"] for camera in cameras]
    lanes = [
        (
            person["label"],
            [
                (span["from"], span["to"], _colour(span["camera"] + 1), cameras[span["camera"]]["name"])
                for span in person["spans"]
            ],
        )
        for person in shown
    ]
    keys = "".join(
        f'<span class="key"><i style="background:{_colour(place + 1)}"></i> {escape(camera["name"])}</span> '
        for place, camera in enumerate(cameras)
    )
    left = f"<p>The {len(shown)} longest of {found['people_in_all']}.</p>" if len(shown) < len(people) else ""
    clocks = "" if found["clocks"] else "<p>Times count from the start of each video.</p>"
    known = [person for person in longest if person["named"] or person["identity"]][:_MOST_TOGETHER]
    figures = []
    for person in known:
        tracks = dict.fromkeys((span["camera"], span["track"]) for span in person["spans"])
        pictures = [(place, runs[place].crop(track)) for place, track in list(tracks)[:6]]
        images = "".join(
            _image(data, f"{person['label']} in {cameras[place]['name']}") for place, data in pictures if data
        )
        places = [(cameras[span["camera"]], span["first"] - 1) for span in person["spans"][:8]]
        where = ", ".join(f"{camera['name']} {_clock(frame / camera['fps'])}" for camera, frame in places)
        figures.append(
            f'<figure><div class="row">{images}</div><figcaption>{escape(person["label"])}: '
            f"{escape(where)}</figcaption></figure>"
        )
    together = f'<div class="people wider">{"".join(figures)}</div>' if figures else ""
    return (
        f"<section><h2>People over all cameras</h2>{clocks}{left}<p>{keys}</p>"
        f"{_lanes(lanes, max([*ends, 1.0]), 'When each person was seen by which camera')}{together}</section>"
    )


def _settings(summary: Mapping[str, Any]) -> str:
    stages = [(name, value) for name, value in (summary.get("milliseconds_per_frame") or {}).items() if value]
    parts = [f"<h3>Milliseconds a frame</h3>{_table(('stage', 'ms'), stages)}"] if stages else []
    settings = [
        (f"{part}.{name}", value)
        for part, values in (summary.get("configuration") or {}).items()
        if isinstance(values, dict)
        for name, value in values.items()
    ]
    if settings:
        parts.append(
            f"<details><summary>Settings</summary>{_table(('setting', 'value'), settings)}</details>"
        )
    return "".join(parts)


def _table(titles: Sequence[str] | None, rows: Sequence[Sequence[Any]]) -> str:
    def cell(value: Any, kind: str) -> str:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        text = "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)
        named = ' class="n"' if number else ""
        return f"<{kind}{named}>{escape(text)}</{kind}>"

    head = f"<tr>{''.join(f'<th>{escape(title)}</th>' for title in titles)}</tr>" if titles else ""
    first = "td" if titles else "th"
    body = "".join(
        f"<tr>{''.join(cell(value, first if not place else 'td') for place, value in enumerate(row))}</tr>"
        for row in rows
    )
    return f'<div class="wide" tabindex="0" role="group" aria-label="Table"><table>{head}{body}</table></div>'


def _image(data: bytes, alternative: str, kind: str = "") -> str:
    coded = base64.b64encode(data).decode()
    named = f' class="{kind}"' if kind else ""
    return f'<img{named} alt="{escape(alternative, quote=True)}" src="data:image/jpeg;base64,{coded}">'


def _name(run: Run, track: int) -> str:
    return run.names.get(track) or f"id {track}"


def _colour(track: int) -> str:
    return f"hsl({round(360 * (track * _GOLDEN % 1))} {(85, 60, 100)[track % 3]}% 50%)"


def _clock(seconds: float) -> str:
    whole, tenth = divmod(int(seconds * 10 + 1e-6), 10)
    hours, rest = divmod(whole, 3600)
    text = f"{rest // 60:02d}:{rest % 60:02d}"
    return f"{hours}:{text}" if hours else f"{text}.{tenth}"
