"""supervision's annotators on our tracks.

pip install supervision
python examples/supervision_annotators.py street.mp4 -o annotated.mp4
"""

import argparse
from pathlib import Path

import numpy as np
import supervision as sv

import mot_reid
from mot_reid.video.sources import open_source
from mot_reid.video.video_sink import VideoSink


def main() -> None:
    """Draws ellipses, labels and trails, and writes a video."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("-o", "--output", type=Path, default=Path("annotated.mp4"))
    arguments = parser.parse_args()
    if arguments.output.resolve() == Path(arguments.source).resolve():
        parser.error(f"{arguments.output} is the source; choose another output")
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    colours = {"color_lookup": sv.ColorLookup.TRACK}
    ellipses, labels = sv.EllipseAnnotator(**colours), sv.LabelAnnotator(**colours)
    trails = sv.TraceAnnotator(trace_length=40, **colours)
    with open_source(arguments.source) as source, VideoSink(arguments.output, source.info.fps) as sink:
        for frame, tracks in mot_reid.track(source):
            found, picture = tracks.to_supervision(), np.ascontiguousarray(frame.image.copy())
            picture = trails.annotate(ellipses.annotate(picture, found), found)
            picture = labels.annotate(picture, found, [f"#{track_id}" for track_id in tracks.ids])
            sink.write(frame.number, picture, tracks, frame.time)
    print(f"written to {arguments.output}")


if __name__ == "__main__":
    main()
