"""Makes the pictures of docs/tutorials: what a search finds, and who is who in two cameras.

    python docs/make_gallery_pictures.py

Two cameras look at the wall of `mot-reid demo`, each from its own side, the second in warmer light. The
photographs are free of rights (mot_reid/assets/README.md), so the pictures may be shown anywhere.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

from mot_reid.cli.demo import camera_views, film, hang_photographs
from mot_reid.tracker import Tracker

PAGES = Path(__file__).parent / "tutorials"
ASSETS = Path(__file__).parents[1] / "mot_reid" / "assets"
FRAMES = slice(0, 250, 2)
WARM = np.array([0.82, 0.97, 1.08])  # of blue, green and red


def main() -> None:
    """Films, tracks, searches and identifies; keeps the pictures."""
    folder = Path(tempfile.mkdtemp())
    wall, _ = hang_photographs(Tracker())
    views = camera_views(wall.shape[1] / wall.shape[0])[FRAMES]
    warm = np.clip(wall * WARM, 0, 255).astype(np.uint8)
    film(wall, views, folder / "door.mp4")
    film(warm, views[::-1], folder / "hall.mp4")
    run(folder, "track", "door.mp4", "hall.mp4", "-o", "out", "--gallery", "shop", "--no-video", "-q")
    run(folder, "gallery", "shop")
    run(folder, "search", "shop", str(ASSETS / "astronaut.jpg"), "--top", "4", "-o", "found")
    run(folder, "identify", "shop", "--results", "out", "-o", "who")
    for name in ("found", "who"):
        print(*sorted(path.name for path in (folder / name).rglob("*")))
    shrink(folder / "found" / "search.png", PAGES / "gallery-search.jpg")
    shrink(folder / "who" / "routes.png", PAGES / "cameras-identities.jpg")
    shutil.rmtree(folder)


def run(folder: Path, *arguments: str) -> None:
    """Runs ``mot-reid`` in a folder."""
    print("mot-reid", *arguments, flush=True)
    subprocess.run(
        [sys.executable, "-c", "from mot_reid.cli import main; main()", *arguments], cwd=folder, check=True
    )


def shrink(picture: Path, to: Path) -> None:
    """Writes a picture as JPEG, at most 900 pixels wide."""
    image = cv2.imread(str(picture))
    assert image is not None, picture
    scale = min(1.0, 900 / image.shape[1])
    image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(to), image, [cv2.IMWRITE_JPEG_QUALITY, 85])
    print(f"{to}: {image.shape[1]}x{image.shape[0]}, {to.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
