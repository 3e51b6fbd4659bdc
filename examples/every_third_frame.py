"""The detector on every third frame only: a third of the work, and ids last as long in seconds.

    python examples/every_third_frame.py street.mp4 [--every 3]

Ages and gates count the source's seconds, not calls of `update`, so nothing has to be set for another stride.
"""

import argparse

import mot_reid


def main() -> None:
    """Tracks every n-th frame and says where everybody is."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("--every", type=int, default=3)
    arguments = parser.parse_args()
    for frame, tracks in mot_reid.track(arguments.source, stride=arguments.every):
        places = dict(zip(tracks.ids.tolist(), tracks.xyxy.round().tolist(), strict=True))
        print(f"frame {frame.number}, {frame.time:.2f} s: {places}")


if __name__ == "__main__":
    main()
