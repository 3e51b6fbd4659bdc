"""A gate and a cost term of one's own in the cascade: no fork, one function each.

Two people of very different size cross in front of a camera. The gate refuses pairs whose heights differ too
much, the cost term prefers the direction in which a track was going. Run it::

    python examples/own_cost_term.py
"""

import numpy as np
from numpy.typing import NDArray

from mot_reid import Detections, Tracker
from mot_reid.association.cascade import CASCADE, with_terms
from mot_reid.association.state import FrameState, Pairs


def same_height(frame: FrameState, pairs: Pairs) -> NDArray[np.bool_]:
    """Keeps pairs ``(K,)`` whose heights differ by less than a quarter."""
    expected = frame.tracklets.states.position[pairs.tracks, 3]
    seen = frame.measured[pairs.detections, 3]
    ratio = seen / np.maximum(expected, 1)
    return (ratio > 0.75) & (ratio < 1.33)


def turn_cost(frame: FrameState, pairs: Pairs) -> NDArray[np.float64]:
    """Gives up to 0.2 ``(K,)`` for a detection that lies against the direction of its track."""
    states = frame.tracklets.states
    going = states.velocity[pairs.tracks, :2]
    offset = frame.measured[pairs.detections, :2] - (states.position[pairs.tracks, :2] - going)
    lengths = np.linalg.norm(going, axis=1) * np.linalg.norm(offset, axis=1)
    along = (going * offset).sum(axis=1) / np.maximum(lengths, 1e-6)
    return np.where(lengths > 1, 0.1 * (1 - along), 0.0)


def main() -> None:
    """Tracks a made-up crossing and prints who is where."""
    cascade = with_terms(CASCADE, "confident", gates=[same_height], costs=[turn_cost])
    tracker = Tracker(detector="none", embedder="none", camera_motion="none", cascade=cascade)
    for frame in range(12):
        left, right = 100 + 10 * frame, 220 - 10 * frame
        boxes = [[left, 100, left + 40, 220], [right, 150, right + 28, 220]]
        tracks = tracker.update(None, Detections(boxes))
    for track_id, box in zip(tracks.ids, tracks.xyxy.round().tolist(), strict=True):
        print(f"track {track_id}: {box}")


if __name__ == "__main__":
    main()
