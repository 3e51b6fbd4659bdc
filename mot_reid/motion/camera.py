"""Camera motion: where a still point of the last frame lies in this one, as an affine ``(2, 3)``."""

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from mot_reid.config import CameraConfig
from mot_reid.rollback import KeepsAttributes
from mot_reid.typing import Affine, Boxes, Floats32, Image, Mask

__all__ = ["IDENTITY", "CameraMotion", "MotionFile", "SparseFlow", "Still", "load_camera_motion"]

Points = Floats32

IDENTITY: Affine = np.eye(2, 3)
"""The motion of a camera that stands still."""
IDENTITY.setflags(write=False)

# Lucas-Kanade's window and pyramid, and when it stops: after 10 steps, or one of less than 0.03 pixels.
# Larger windows and more steps took ten times as long and came no nearer to MOT17's motion files.
_WINDOW = (15, 15)
_LEVELS = 2
_CRITERIA = (3, 10, 0.03)
_CORNER_DISTANCE = 8  # pixels of the reduced frame

# A still camera: most corners move less than this many pixels of the reduced frame. Estimating anyway would
# add the noise of the estimate to every track.
_STILL = 0.15
_STILL_SHARE = 0.5
# So many corners, spread over all, show whether it does; the others are followed only if not.
_SAMPLE = 60
# An affine resting on fewer corners, or on a smaller share of them, is not trusted.
_LEAST_INLIERS = 10
_LEAST_INLIER_SHARE = 0.3
# An estimate that scales or shifts (in frame widths) more than this in one frame is a cut or noise.
_LARGEST_SCALING = 1.3
_LARGEST_SHIFT = 0.3


class CameraMotion(Protocol):
    """Gives the motion of the camera between consecutive frames.

    Attributes:
        needs_pixels: whether it must be given frames.
    """

    needs_pixels: bool

    def saved(self) -> Any:
        """Gives what `restore` needs to come back to here after a frame that failed."""
        ...

    def restore(self, saved: Any) -> None:
        """Puts back what `saved` gave."""
        ...

    def estimate(self, frame: Image | None, xyxy: Boxes, frame_number: int) -> Affine | None:
        """The affine ``(2, 3)`` from the last frame's pixels to this one's, or None where it is not known.

        Args:
            frame: ``(H, W, 3)`` uint8 BGR; may be None where ``needs_pixels`` is False.
            xyxy: ``(N, 4)`` boxes of what moves by itself in this frame.
            frame_number: the frame's number in its video, from 1.
        """
        ...

    def reset(self) -> None:
        """Forgets the last frame."""
        ...


def load_camera_motion(config: CameraConfig) -> CameraMotion | None:
    """What ``config.motion`` asks for: an estimator, a file's reader, or None where nobody measures it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not in BoT-SORT's format.
    """
    if config.motion == "none":
        return None
    if config.motion == "flow":
        return SparseFlow(config)
    if config.motion == "still":
        return Still()
    return MotionFile(config.motion)


class Still:
    """A camera that never moves."""

    needs_pixels = False

    def saved(self) -> None:
        """There is no state."""

    def restore(self, saved: None) -> None:
        """There is no state."""

    def estimate(self, frame: Image | None, xyxy: Boxes, frame_number: int) -> Affine:
        """See `CameraMotion.estimate`."""
        return IDENTITY

    def reset(self) -> None:
        """There is no state."""


class SparseFlow(KeepsAttributes):
    """Estimates camera motion by sparse optical flow on a reduced grey frame, boxes masked out.

    Corners (Shi-Tomasi) of an earlier frame are followed by pyramidal Lucas-Kanade; a similarity transform is
    fitted to their shifts by RANSAC. Where the picture gives too little to go by, None is reported.

    While the camera stands still, the earlier frame and its corners stay: nothing but the flow is computed,
    and a drift too slow to show from one frame to the next shows in the end.
    """

    needs_pixels = True

    def __init__(self, config: CameraConfig | None = None) -> None:
        self.config = config or CameraConfig()
        self.reset()

    def reset(self) -> None:
        """Forgets the last frame."""
        self._grey = np.zeros((0, 0), np.uint8)
        self._corners = np.zeros((0, 1, 2), np.float32)
        self._found = 0  # corners there were when they were looked for

    def estimate(self, frame: Image | None, xyxy: Boxes, frame_number: int = 0) -> Affine | None:
        """See `CameraMotion.estimate`."""
        if frame is None:
            raise ValueError("frame: optical flow needs the pixels; camera.motion=none does without")
        grey, scale = self._reduced(frame)
        sampled = np.arange(len(self._corners)) % max(1, len(self._corners) // _SAMPLE) == 0
        start, end = self._follow(grey, self._corners[sampled])
        still = len(start) > 0 and np.mean(np.hypot(*(end - start).T) < _STILL) > _STILL_SHARE
        affine: Affine | None = IDENTITY
        if not still:
            more, their_end = self._follow(grey, self._corners[~sampled])
            start, end = np.concatenate((start, more)), np.concatenate((end, their_end))
            affine = _fit_affine(start, end, grey.shape[1], scale)
        boxes = xyxy * scale
        if still:
            self._corners = self._corners[~_inside(self._corners[:, 0], boxes)]
        if not still or len(self._corners) < self._found / 2:
            self._grey = grey
            self._corners = self._find_corners(grey, boxes)
            self._found = len(self._corners)
        return affine

    def _reduced(self, frame: Image) -> tuple[Image, float]:
        """The green channel in at most the configured width, and its scale.

        Of a much larger frame every second pixel or fewer are read: to average all of them takes four times
        as long, and corners of that size are not worth following.
        """
        import cv2

        height, width = frame.shape[:2]
        scale = min(1.0, self.config.width / width)
        step = max(1, int(1 / scale) // 2)
        grey = np.ascontiguousarray(frame[::step, ::step, 1])
        if scale < 1:
            size = (self.config.width, max(1, round(height * scale)))
            grey = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)
        return grey, scale

    def _follow(self, grey: Image, corners: Points) -> tuple[Points, Points]:
        """Where corners were and where they are now, both ``(K, 2)``; none after a change of size."""
        import cv2

        if self._grey.shape != grey.shape or not len(corners):
            return np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32)
        moved, found, _ = cv2.calcOpticalFlowPyrLK(
            self._grey,
            grey,
            corners,
            np.empty_like(corners),
            winSize=_WINDOW,
            maxLevel=_LEVELS,
            criteria=_CRITERIA,
        )
        there = found.ravel() == 1
        return corners[there, 0], np.asarray(moved, np.float32)[there, 0]

    def _find_corners(self, grey: Image, xyxy: Boxes) -> Points:
        """Corners ``(K, 1, 2)`` outside the boxes."""
        import cv2

        mask = np.full(grey.shape, 255, np.uint8)
        height, width = grey.shape
        bounds = np.clip(xyxy, 0, [width, height, width, height]).astype(int)
        for x1, y1, x2, y2 in bounds:
            mask[y1 : y2 + 1, x1 : x2 + 1] = 0
        found = cv2.goodFeaturesToTrack(grey, self.config.corners, 0.01, _CORNER_DISTANCE, mask=mask)
        return np.zeros((0, 1, 2), np.float32) if found is None else np.asarray(found, np.float32)


def _inside(points: Points, xyxy: Boxes) -> Mask:
    """Which of the points ``(K, 2)`` lie in any of the boxes ``(N, 4)``."""
    after = (points[:, None] >= xyxy[None, :, :2]).all(axis=2)
    before = (points[:, None] <= xyxy[None, :, 2:]).all(axis=2)
    return np.any(after & before, axis=1)


def _fit_affine(start: Points, end: Points, width: int, scale: float) -> Affine | None:
    """The similarity that takes most of the points ``(K, 2)`` where they went; None where in doubt.

    It is one of pixels of the frame, of which the picture ``width`` wide with the points is a reduced one.
    """
    import cv2

    if len(start) < _LEAST_INLIERS:
        return None
    affine, inliers = cv2.estimateAffinePartial2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=1.0)
    if affine is None or inliers.sum() < max(_LEAST_INLIERS, _LEAST_INLIER_SHARE * len(start)):
        return None
    scaling = np.hypot(affine[0, 0], affine[1, 0])
    too_far = np.abs(affine[:, 2]).max() > _LARGEST_SHIFT * width
    if too_far or not 1 / _LARGEST_SCALING < scaling < _LARGEST_SCALING:
        return None
    return np.asarray(affine, np.float64) / [1, 1, scale]


class MotionFile(KeepsAttributes):
    """Camera motion read from a file in BoT-SORT's format: a line a frame, its index and six entries.

    Frames count from 1 and the file's index from 0: the line with index t - 1 maps frame t - 1 onto frame t.
    Where frames are left out, the affines of those between are chained.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is not an index and six finite numbers, or there is none.
    """

    needs_pixels = False

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._affines = _read_motion_file(self.path)
        self.reset()

    def reset(self) -> None:
        """Forgets the last frame."""
        self._last: int | None = None

    def estimate(self, frame: Image | None, xyxy: Boxes, frame_number: int) -> Affine | None:
        """See `CameraMotion.estimate`.

        Raises:
            ValueError: the file ends before this frame.
        """
        last, self._last = self._last, frame_number
        if last is None:
            return None
        chained = np.eye(3)
        for number in range(last + 1, frame_number + 1):
            if number - 1 not in self._affines:
                raise ValueError(f"{self.path}: no camera motion for frame {number}")
            chained = np.vstack([self._affines[number - 1], [0, 0, 1]]) @ chained
        return chained[:2]


def _read_motion_file(path: Path) -> dict[int, Affine]:
    if not path.is_file():
        raise FileNotFoundError(
            f"camera motion file not found: {path} (known besides files: flow, none, still)"
        )
    affines = {}
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            index, *entries = (float(entry) for entry in line.split())
            affine = np.array(entries).reshape(2, 3)
        except ValueError:
            index, affine = np.nan, np.zeros((2, 3))
        usable = index >= 0 and index == index // 1 and np.isfinite(affine).all()
        if not usable or not 1e-6 < abs(np.linalg.det(affine[:, :2])) < 1e6:
            raise ValueError(f"{path}:{number}: expected a frame index and six numbers, got {line.strip()!r}")
        if int(index) in affines:
            raise ValueError(f"{path}:{number}: frame index {int(index)} stands there twice")
        affines[int(index)] = affine
    if not affines:
        raise ValueError(
            f"{path}: there is no camera motion in it, expected lines of an index and six numbers"
        )
    return affines
