"""Who crosses a line, and in which direction.

    python examples/line_count.py street.mp4 --line 100,400,600,400

"in" goes from the left-hand to the right-hand side of who looks from the line's first point to its second.
"""

import argparse

import mot_reid
from mot_reid.analytics import Analytics, Line, Observations, Scene


def main() -> None:
    """Prints each crossing when it happens, and the counts at the end."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("--line", default="100,400,600,400", help="x1,y1,x2,y2 in pixels")
    arguments = parser.parse_args()
    x1, y1, x2, y2 = map(float, arguments.line.split(","))
    counting = Analytics(Scene(lines={"line": Line("line", (x1, y1), (x2, y2))}))
    for frame, tracks in mot_reid.track(arguments.source):
        rows = Observations.of_frame(frame.number, frame.time, tracks)
        for event in counting.update(rows, frame.time):
            print(f"{event.time:.2f} s: id {event.track} goes {event.direction}")
    print(counting.summary()["lines"])


if __name__ == "__main__":
    main()
