"""Scenes checked by hand: people as boxes 20 wide and 100 high that stand where they are told."""

from collections.abc import Mapping, Sequence

import numpy as np

from mot_reid.analytics import Analytics, Event, Observations, Scene

FPS = 10.0
HEIGHT = 100.0


def walk(
    feet: Mapping[int, Mapping[int, tuple[float, float]]], classes: Mapping[int, int] | None = None
) -> Observations:
    """Tracks from foot points: id to frame to ``(x, y)``."""
    rows = [(frame, track, *foot) for track, path in feet.items() for frame, foot in path.items()]
    table = np.array(rows, np.float64).reshape(-1, 4)
    x, y = table[:, 2], table[:, 3]
    boxes = np.column_stack([x - 10, y - HEIGHT, x + 10, y])
    kinds = np.array([(classes or {}).get(int(track), 0) for track in table[:, 1]], np.int64)
    return Observations.from_arrays(table[:, 0], table[:, 0] / FPS, table[:, 1], boxes, kinds)


def straight(
    start: tuple[float, float], end: tuple[float, float], frames: Sequence[int]
) -> dict[int, tuple[float, float]]:
    """A path at a constant pace, first frame at ``start`` and last one at ``end``."""
    shares = np.linspace(0, 1, len(frames))
    xs = start[0] + (end[0] - start[0]) * shares
    ys = start[1] + (end[1] - start[1]) * shares
    return dict(zip(frames, zip(xs.tolist(), ys.tolist(), strict=True), strict=True))


def in_pieces(
    scene: Scene, rows: Observations, cuts: Sequence[int] | None = None
) -> tuple[Analytics, list[Event]]:
    """Analyses frame by frame, or in pieces that end with the frames of ``cuts``."""
    analytics = Analytics(scene)
    events: list[Event] = []
    last = int(rows.frames[-1]) if len(rows) else 0
    ends = sorted(set(range(1, last + 1)) if cuts is None else {min(cut, last) for cut in (*cuts, last)})
    before = 0
    for end in ends:
        piece = rows[(rows.frames > before) & (rows.frames <= end)]
        events += analytics.update(piece, now=end / FPS)
        before = end
    events += analytics.finish()
    return analytics, sorted(events, key=lambda event: (event.time, event.kind, event.place, event.track))
