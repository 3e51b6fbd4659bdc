"""Tracks as a table: when each id was in view, for how long, and how far it went.

python examples/pandas_table.py street.mp4 [-o out]
python examples/pandas_table.py out/tracks.csv
"""

import argparse
from pathlib import Path

import pandas as pd

import mot_reid


def main() -> None:
    """Tracks a video unless there is a table already, and sums up each id."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="a video, or the tracks.csv of an earlier run")
    parser.add_argument("-o", "--output", type=Path, default=Path("out"))
    arguments = parser.parse_args()
    table = arguments.source
    if table.suffix != ".csv":
        mot_reid.track(arguments.source, arguments.output, formats=["mot", "csv"])
        table = arguments.output / "tracks.csv"
    rows = pd.read_csv(table)
    rows["x"], rows["y"] = (rows.x1 + rows.x2) / 2, rows.y2  # where the feet are
    steps = rows.groupby("id")[["x", "y"]].diff()
    rows["way"] = (steps.x**2 + steps.y**2) ** 0.5
    people = rows.groupby("id").agg(
        first=("time", "min"), last=("time", "max"), frames=("frame", "count"), way=("way", "sum")
    )
    people["seconds"] = people["last"] - people["first"]
    print(people.sort_values("seconds", ascending=False).round(1).to_string())


if __name__ == "__main__":
    main()
