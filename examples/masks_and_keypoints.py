"""Masks, keypoints and oriented boxes of an Ultralytics model follow their track; supervision draws them.

pip install 'mot_reid[ultralytics]' supervision
python examples/masks_and_keypoints.py street.mp4 --model yolo11n-seg.pt    # or -pose, -obb
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import supervision as sv

from mot_reid import Detections, Tracker, Tracks


def annotated(picture: np.ndarray, result: Any, tracks: Tracks) -> tuple[np.ndarray, sv.Detections]:
    """Gives the picture with all that is found of each track, and that with its ids, for zones and lines."""
    seen = tracks.seen
    found = sv.Detections.from_ultralytics(result)[seen.detection_index]  # masks and corners come with them
    found.tracker_id = seen.ids
    colours = {"color_lookup": sv.ColorLookup.TRACK}
    if found.mask is not None:
        picture = sv.MaskAnnotator(**colours).annotate(picture, found)
    if result.keypoints is not None and len(seen):
        points = sv.KeyPoints.from_ultralytics(result)[seen.detection_index]
        picture = sv.VertexAnnotator(radius=3).annotate(picture, points)
    turned = result.obb is not None
    boxes = sv.OrientedBoxAnnotator(**colours) if turned else sv.BoxCornerAnnotator(**colours)
    picture = boxes.annotate(picture, found)
    labels = [f"#{track_id}" for track_id in seen.ids]
    return sv.LabelAnnotator(**colours).annotate(picture, found, labels), found


def main() -> None:
    """Tracks what the model finds, and writes a picture for each frame."""
    from ultralytics import YOLO

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("--model", required=True)
    parser.add_argument("-o", "--output", type=Path, default=Path("annotated"))
    arguments = parser.parse_args()
    model, tracker = YOLO(arguments.model), Tracker(detector="none")
    arguments.output.mkdir(parents=True, exist_ok=True)
    for number, result in enumerate(model(arguments.source, stream=True, verbose=False), start=1):
        tracks = tracker.update(result.orig_img, Detections.from_ultralytics(result))
        picture, _ = annotated(result.orig_img.copy(), result, tracks)
        cv2.imwrite(str(arguments.output / f"{number:06d}.jpg"), picture)
    print(f"written to {arguments.output}/")


if __name__ == "__main__":
    main()
