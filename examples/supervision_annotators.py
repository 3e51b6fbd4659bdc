"""supervision's annotators on our tracks.

pip install supervision
python examples/supervision_annotators.py street.mp4 -o annotated.mp4
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
import supervision as sv

import mot_reid
from mot_reid import Tracks


def detections(tracks: Tracks) -> sv.Detections:
    """Gives the tracks as supervision has them; ``tracker_id`` is our id."""
    return sv.Detections(
        tracks.xyxy, confidence=tracks.scores, class_id=tracks.classes.astype(int), tracker_id=tracks.ids
    )


def main() -> None:
    """Draws ellipses, labels and trails, and writes a video."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("-o", "--output", type=Path, default=Path("annotated.mp4"))
    arguments = parser.parse_args()
    ellipses, labels, trails = sv.EllipseAnnotator(), sv.LabelAnnotator(), sv.TraceAnnotator(trace_length=40)
    writer: cv2.VideoWriter | None = None
    for frame, tracks in mot_reid.track(arguments.source):
        found, picture = detections(tracks), np.ascontiguousarray(frame.image.copy())
        picture = trails.annotate(ellipses.annotate(picture, found), found)
        picture = labels.annotate(picture, found, [f"#{track_id}" for track_id in tracks.ids])
        if writer is None:
            size, code = (picture.shape[1], picture.shape[0]), cv2.VideoWriter.fourcc(*"mp4v")
            writer = cv2.VideoWriter(str(arguments.output), code, 25, size)
        writer.write(picture)
    if writer is not None:
        writer.release()
        print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
