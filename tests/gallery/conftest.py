"""Records and galleries that are made up."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.records import Crop, Tracklet

D = 16


class Made:
    """An embedder by name, for galleries that hold made-up embeddings."""

    def __init__(self, name: str = "made") -> None:
        self.name = name

    def embed(self, frame: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
        """The boxes' mean colours, spread over D numbers."""
        rows = []
        for x1, y1, x2, y2 in xyxy.astype(int):
            patch = frame[max(y1, 0) : y2, max(x1, 0) : x2].reshape(-1, 3).mean(axis=0)
            rows.append(np.resize(patch / 255 + 1e-3, D))
        found = np.array(rows, np.float32)
        return found / np.linalg.norm(found, axis=1, keepdims=True)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=-1, keepdims=True)).astype(np.float32)


def tracklet(
    vector: Sequence[float] | np.ndarray,
    camera: str = "a",
    track_id: int = 1,
    start: float = 0.0,
    end: float = 1.0,
    **rest: object,
) -> Tracklet:
    mean = unit(np.asarray(vector, np.float64))
    values: dict[str, object] = {
        "camera": camera,
        "source": f"/videos/{camera}.mp4",
        "run": "run",
        "track_id": track_id,
        "first_frame": int(start * 25) + 1,
        "last_frame": int(end * 25) + 1,
        "start": start,
        "end": end,
        "mean": mean,
        "medoids": mean[None],
        "path": np.array([[1, start, 0, 0, 10, 20], [2, end, 0, 0, 10, 20]], np.float32),
        "crops": (Crop(f"picture of {camera}:{track_id}".encode(), 1, start, 0.5),),
    }
    return Tracklet(**(values | rest))  # type: ignore[arg-type]


def people(count: int, per_person: int = 3, noise: float = 0.2, seed: int = 0) -> list[Tracklet]:
    """Tracklets of some people, each seen once by each of the cameras a, b, c ..."""
    random = np.random.default_rng(seed)
    centres = unit(random.normal(size=(count, D)))
    return [
        tracklet(
            centres[person] + noise * random.normal(size=D) / np.sqrt(D),
            camera="abcdefgh"[place],
            track_id=person + 1,
            start=10.0 * person,
            end=10.0 * person + 5,
        )
        for place in range(per_person)
        for person in range(count)
    ]


@pytest.fixture(params=["folder", "lance"])
def make_gallery(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Gallery]:
    """Makes galleries of either kind."""

    def make(name: str = "shop", embedder: object | None = None) -> Gallery:
        return Gallery(tmp_path / name, embedder or Made(), store=request.param)  # type: ignore[arg-type]

    return make
