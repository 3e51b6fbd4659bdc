"""Small real videos and tracks, made on the spot."""

from collections.abc import Callable, Sequence
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from mot_reid.structures import Tracks

DARKEST, SHADE_STEP = 20, 3


class Clips:
    """Makes small videos whose frames tell their numbers."""

    @staticmethod
    def shade(number: int, height: int = 48, width: int = 64) -> np.ndarray:
        """A grey picture from which its frame number can be read again, noisy enough to fill a file."""
        noise = np.random.default_rng(number).integers(-15, 16, (height, width, 1))
        return np.repeat(np.clip(DARKEST + SHADE_STEP * number + noise, 0, 255), 3, axis=2).astype(np.uint8)

    @staticmethod
    def number_of(image: np.ndarray) -> int:
        return round((float(image.mean()) - DARKEST) / SHADE_STEP)

    @staticmethod
    def write(
        path: Path, images: Sequence[np.ndarray], codec: str = "libx264", rotation: int = 0, **options: str
    ) -> Path:
        height, width = images[0].shape[:2]
        with av.open(str(path), "w", options=options) as container:
            stream = container.add_stream(codec, rate=25)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            if codec == "mjpeg":
                stream.pix_fmt = "yuvj420p"
            if codec == "libx265":
                stream.options = {"preset": "ultrafast", "x265-params": "log-level=none"}
            stream.gop_size, stream.bit_rate = 5, 1_000_000
            if rotation:
                stream.set_display_rotation(rotation)
            for image in images:
                # OpenCV's conversion, because FFmpeg's shifts colours by up to 3 levels.
                planes = cv2.cvtColor(image, cv2.COLOR_BGR2YUV_I420)
                container.mux(stream.encode(av.VideoFrame.from_ndarray(planes, format=stream.pix_fmt)))
            container.mux(stream.encode(None))
        return path


@pytest.fixture(scope="session")
def clips() -> Clips:
    return Clips()


@pytest.fixture
def video(tmp_path: Path, clips: Clips) -> Path:
    """Twenty frames of 64x48, an MP4 whose index comes first."""
    return clips.write(tmp_path / "clip.mp4", [clips.shade(n) for n in range(1, 21)], movflags="faststart")


@pytest.fixture
def tracks() -> Callable[..., Tracks]:
    def make(n: int = 2, shift: float = 0.0, classes: Sequence[int] | None = None) -> Tracks:
        left = np.arange(n) * 20.0 + shift
        xyxy = np.stack([left, left + 1, left + 10.25, left + 30.5], axis=1).astype(np.float32)
        return Tracks(
            ids=np.arange(1, n + 1),
            xyxy=xyxy.reshape(-1, 4),
            scores=np.full(n, 0.75, np.float32),
            classes=np.zeros(n, np.int64) if classes is None else np.array(classes),
            detection_index=np.arange(n)[::-1].copy(),
        )

    return make
