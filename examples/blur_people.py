"""A copy of a video in which everybody is made unrecognisable, also while hidden for a moment.

    python examples/blur_people.py street.mp4 -o blurred.mp4

A detector misses people now and then: look at the result before you pass it on.
"""

import argparse
from pathlib import Path

import cv2

import mot_reid


def main() -> None:
    """Pixelates every track's box and writes a video."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("-o", "--output", type=Path, default=Path("blurred.mp4"))
    arguments = parser.parse_args()
    writer: cv2.VideoWriter | None = None
    for frame, tracks in mot_reid.track(arguments.source):
        picture = frame.image.copy()
        height, width = picture.shape[:2]
        for x1, y1, x2, y2 in tracks.xyxy.round().astype(int):
            part = picture[max(y1, 0) : min(y2, height), max(x1, 0) : min(x2, width)]
            if part.size:
                coarse = cv2.resize(part, (6, 12), interpolation=cv2.INTER_AREA)
                part[...] = cv2.resize(coarse, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)
        if writer is None:
            code = cv2.VideoWriter.fourcc(*"mp4v")
            writer = cv2.VideoWriter(str(arguments.output), code, 25, (width, height))
        writer.write(picture)
    if writer is not None:
        writer.release()
        print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
