"""Camera motion: where a still point of the last frame lies in this one, as an affine ``(2, 3)``."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from mot_reid.config import CameraConfig

__all__ = ["CameraMotion", "MotionFile", "SparseFlow", "load_camera_motion"]

Affine = NDArray[np.float64]

# A still camera: most corners move less than this many pixels of the reduced frame. Estimating anyway would
# add the noise of the estimate to every track.
_STILL = 0.15
_STILL_SHARE = 0.5
# An affine resting on fewer corners, or on a smaller share of them, is not trusted.
_LEAST_INLIERS = 10
_LEAST_INLIER_SHARE = 0.3
# An estimate that scales or shifts (in frame widths) more than this in one frame is a cut or noise.
_LARGEST_SCALING = 1.3
_LARGEST_SHIFT = 0.3


class CameraMotion(Protocol):
    """Gives the motion of the camera between consecutive frames."""

    needs_pixels: bool

    def estimate(
        self, frame: NDArray[np.uint8] | None, xyxy: NDArray[np.float32], frame_number: int
    ) -> Affine | None:
        """The affine ``(2, 3)`` from the last frame's pixels to this one's, or None where there is no motion.

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
    """What ``config.motion`` asks for: an estimator, a file's reader, or None for a camera at rest.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is not in BoT-SORT's format.
    """
    if config.motion == "none":
        return None
    if config.motion == "flow":
        return SparseFlow(config)
    return MotionFile(config.motion)


class SparseFlow:
    """Estimates camera motion by sparse optical flow on a reduced grey frame, boxes masked out.

    Corners (Shi-Tomasi) of the last frame are followed by pyramidal Lucas-Kanade; a similarity transform is
    fitted to their shifts by RANSAC. Where the picture gives too little to go by, no motion is reported.
    """

    needs_pixels = True

    def __init__(self, config: CameraConfig | None = None) -> None:
        self.config = config or CameraConfig()
        self.reset()

    def reset(self) -> None:
        """Forgets the last frame."""
        self._grey: NDArray[np.uint8] | None = None
        self._corners: NDArray[np.float32] | None = None

    def estimate(
        self, frame: NDArray[np.uint8] | None, xyxy: NDArray[np.float32], frame_number: int = 0
    ) -> Affine | None:
        """See `CameraMotion.estimate`."""
        if frame is None:
            raise ValueError("frame: optical flow needs the pixels; camera.motion=none does without")
        grey, scale = self._reduced(frame)
        affine = None
        if self._grey is not None and self._grey.shape == grey.shape:
            affine = _flow_affine(self._grey, self._corners, grey)
        if affine is not None:
            affine[:, 2] /= scale
        self._grey, self._corners = grey, self._find_corners(grey, xyxy * scale)
        return affine

    def _reduced(self, frame: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], float]:
        import cv2

        scale = min(1.0, self.config.width / frame.shape[1])
        grey = cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY)
        if scale < 1:
            size = (self.config.width, max(1, round(frame.shape[0] * scale)))
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        return np.asarray(grey, np.uint8), scale

    def _find_corners(self, grey: NDArray[np.uint8], xyxy: NDArray[np.float32]) -> NDArray[np.float32] | None:
        import cv2

        mask = np.full(grey.shape, 255, np.uint8)
        height, width = grey.shape
        bounds = np.clip(xyxy, 0, [width, height, width, height]).astype(int)
        for x1, y1, x2, y2 in bounds:
            mask[y1 : y2 + 1, x1 : x2 + 1] = 0
        found = cv2.goodFeaturesToTrack(grey, self.config.corners, 0.01, 5, mask=mask)
        return None if found is None else np.asarray(found, np.float32)


def _flow_affine(
    last: NDArray[np.uint8], corners: NDArray[np.float32] | None, grey: NDArray[np.uint8]
) -> Affine | None:
    """The affine between two grey frames from the corners ``(K, 1, 2)`` of the first; None where in doubt."""
    import cv2

    if corners is None or len(corners) < _LEAST_INLIERS:
        return None
    moved, found, _ = cv2.calcOpticalFlowPyrLK(last, grey, corners, np.empty_like(corners))
    there = found.ravel() == 1
    start, end = corners[there, 0], np.asarray(moved, np.float32)[there, 0]
    if len(start) < _LEAST_INLIERS:
        return None
    if np.mean(np.hypot(*(end - start).T) < _STILL) > _STILL_SHARE:
        return None
    affine, inliers = cv2.estimateAffinePartial2D(start, end, method=cv2.RANSAC, ransacReprojThreshold=1.0)
    if affine is None or inliers.sum() < max(_LEAST_INLIERS, _LEAST_INLIER_SHARE * len(start)):
        return None
    scaling = np.hypot(affine[0, 0], affine[1, 0])
    too_far = np.abs(affine[:, 2]).max() > _LARGEST_SHIFT * grey.shape[1]
    if too_far or not 1 / _LARGEST_SCALING < scaling < _LARGEST_SCALING:
        return None
    return np.asarray(affine, np.float64)


class MotionFile:
    """Camera motion read from a file in BoT-SORT's format: a line a frame, its index and six entries.

    Frames count from 1 and the file's index from 0: the line with index t - 1 maps frame t - 1 onto frame t.
    Where frames are left out, the affines of those between are chained.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: a line is not an index and six finite numbers.
    """

    needs_pixels = False

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._affines = _read_motion_file(self.path)
        self.reset()

    def reset(self) -> None:
        """Forgets the last frame."""
        self._last: int | None = None

    def estimate(
        self, frame: NDArray[np.uint8] | None, xyxy: NDArray[np.float32], frame_number: int
    ) -> Affine | None:
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
        raise FileNotFoundError(f"camera motion file not found: {path} (known besides files: flow, none)")
    affines = {}
    for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
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
    return affines
