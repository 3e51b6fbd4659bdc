"""Scenes for the tests of the offline part."""

import numpy as np
from hypothesis import strategies as st

from mot_reid.offline.rows import TrackRows


def walk(
    track: int, frames: range, x: float, speed: float = 0.0, y: float = 100, height: float = 100
) -> np.ndarray:
    """Rows ``frame, id, x1, y1, x2, y2`` of somebody who is at ``x`` in frame 0."""
    numbers = np.array(frames)
    left = x + speed * numbers
    other = [np.full(len(numbers), value) for value in (y, y + height)]
    return np.column_stack(
        [numbers, np.full(len(numbers), track), left, other[0], left + 0.4 * height, other[1]]
    )


def scene(*walks: np.ndarray) -> TrackRows:
    table = np.concatenate(walks)
    return TrackRows.from_arrays(table[:, 0], table[:, 1], table[:, 2:])


def assert_same(rows: TrackRows, others: TrackRows) -> None:
    """The same boxes of the same tracks in the same frames."""
    assert rows.ids.tolist() == others.ids.tolist()
    assert rows.frames.tolist() == others.frames.tolist()
    np.testing.assert_allclose(rows.xyxy, others.xyxy, atol=1e-2)
    np.testing.assert_allclose(rows.scores, others.scores, atol=1e-4)


@st.composite
def random_rows(draw: st.DrawFn) -> TrackRows:
    """Tracks that come, go and vanish for a while, in a small place."""
    seed, count = draw(st.integers(0, 2**32 - 1)), draw(st.integers(0, 12))
    rng = np.random.default_rng(seed)
    walks = [np.zeros((0, 6))]
    for track in range(1, count + 1):
        frames = rng.permutation(80)[: rng.integers(1, 60)] + 1
        start = rng.integers(-40, 60)
        frames = np.sort(frames[(frames > start) & (frames < start + 50)])
        # Boxes also open up and close, as at the edges of a picture.
        size = rng.uniform(20, 60) * np.exp(rng.normal(0, rng.choice([0, 0.5]), (len(frames), 2)))
        corner = rng.uniform(0, 150, 2) + np.cumsum(rng.normal(0, 2, (len(frames), 2)), axis=0)
        walks.append(
            np.column_stack([frames, np.full(len(frames), track), corner, corner + size * np.array([1, 2])])
        )
    return scene(*walks)
