"""How long people stay in a zone.

    python examples/zone_dwell.py street.mp4 --zone 100,200,500,200,500,470,100,470

Who is out of sight for less than two seconds is still inside; who is inside at the end is told, too.
"""

import argparse

import mot_reid
from mot_reid.analytics import Analytics, Event, Observations, Scene, Zone


def main() -> None:
    """Prints each visit when it ends, and the zone's summary."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source")
    parser.add_argument("--zone", default="100,200,500,200,500,470,100,470", help="x1,y1,x2,y2,... in pixels")
    arguments = parser.parse_args()
    numbers = [float(number) for number in arguments.zone.split(",")]
    corners = tuple(zip(numbers[::2], numbers[1::2], strict=True))
    timing = Analytics(Scene(zones={"zone": Zone("zone", corners)}))

    def tell(events: list[Event]) -> None:
        for event in events:
            if event.kind == "leave":
                print(
                    f"{event.time:.2f} s: {event.object} was inside for {event.dwell:.2f} s ({event.reason})"
                )

    for frame, tracks in mot_reid.track(arguments.source):
        rows = Observations.of_frame(frame.number, frame.time, tracks)
        tell(timing.update(rows, frame.time))
    tell(timing.finish())
    print(timing.summary()["zones"])


if __name__ == "__main__":
    main()
