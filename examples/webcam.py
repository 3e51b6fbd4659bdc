"""A live loop: always the newest frame, tracks drawn in a window; q ends it.

    python examples/webcam.py [0 | rtsp://... | street.mp4] [--no-window]

Frames that come while the detector is busy are dropped. Times are the camera's own, so ids last as long in
seconds however many were dropped.
"""

import argparse

import cv2

import mot_reid
from mot_reid.video.window import require_display


def main() -> None:
    """Tracks a camera until it ends or q is pressed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", nargs="?", default="0")
    parser.add_argument("--no-window", action="store_true")
    arguments = parser.parse_args()
    if not arguments.no_window:
        require_display()
    for frame, tracks in mot_reid.track(arguments.source):
        print(f"{frame.time:8.2f} s  frame {frame.number}: {len(tracks)} in view {tracks.ids.tolist()}")
        if arguments.no_window:
            continue
        picture = frame.image.copy()
        for track_id, box in zip(tracks.ids, tracks.xyxy.round().astype(int), strict=True):
            cv2.rectangle(picture, box[:2].tolist(), box[2:].tolist(), (60, 200, 60), 2)
            cv2.putText(picture, str(track_id), (box[0], box[1] - 6), 0, 0.7, (60, 200, 60), 2)
        cv2.imshow("mot_reid", picture)
        if cv2.waitKey(1) == ord("q"):
            break


if __name__ == "__main__":
    main()
