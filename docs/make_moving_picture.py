"""Makes docs/tracks.webp, the moving picture of the README, out of the demo's tracked clip.

    mot-reid demo --output demo && python docs/make_moving_picture.py demo/tracks.mp4 docs/tracks.webp

The demo's photographs are free of rights (mot_reid/assets/README.md), so the picture may be shown anywhere.
"""

import argparse
from pathlib import Path

import av
from PIL import Image


def main() -> None:
    """Takes every fifth frame at two thirds of the size, and writes an endless WebP."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path)
    parser.add_argument("picture", type=Path)
    arguments = parser.parse_args()
    with av.open(str(arguments.video)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)][::5]
    size = round(frames[0].shape[1] / 1.5), round(frames[0].shape[0] / 1.5)
    pictures = [Image.fromarray(frame).resize(size, Image.Resampling.LANCZOS) for frame in frames]
    pictures[0].save(
        arguments.picture,
        save_all=True,
        append_images=pictures[1:],
        duration=200,
        loop=0,
        quality=60,
        method=4,
    )
    print(f"{arguments.picture}: {len(pictures)} frames, {arguments.picture.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
