"""A copy of a video in which everybody is made unrecognisable, also while hidden for a moment.

    python examples/blur_people.py street.mp4 -o blurred.mp4

A detector misses people now and then: look at the result before you pass it on.
"""

import argparse
from pathlib import Path

import cv2

import mot_reid
from mot_reid.video.sources import open_source
from mot_reid.video.video_sink import VideoSink


def main() -> None:
    """Pixelates every track's box and writes a video."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("-o", "--output", type=Path, default=Path("blurred.mp4"))
    arguments = parser.parse_args()
    if arguments.output.resolve() == Path(arguments.source).resolve():
        parser.error(f"{arguments.output} is the source; choose another output")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    with open_source(arguments.source) as source, VideoSink(arguments.output, source.info.fps) as sink:
        for frame, tracks in mot_reid.track(source):
            picture = frame.image.copy()
            height, width = picture.shape[:2]
            for x1, y1, x2, y2 in tracks.xyxy.round().astype(int):
                part = picture[max(y1, 0) : min(y2, height), max(x1, 0) : min(x2, width)]
                if part.size:
                    coarse = cv2.resize(part, (6, 12), interpolation=cv2.INTER_AREA)
                    part[...] = cv2.resize(coarse, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)
            sink.write(frame.number, picture, tracks, frame.time)
    print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
