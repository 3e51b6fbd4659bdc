"""Draws a run as one picture: the paths of all tracks, and when each identity was in view.

mot-reid track PETS09-S2L1.avi -o out && python docs/draw_tracks.py out docs/tracks.png
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import MaxNLocator

from mot_reid.video.overlay import id_color


def draw(run: Path, picture: Path) -> None:
    """Reads ``tracks.txt`` and ``summary.json`` of a run and writes the picture."""
    rows = np.loadtxt(run / "tracks.txt", delimiter=",", ndmin=2)
    source = json.loads((run / "summary.json").read_text())["source"]
    figure, (floor, time) = plt.subplots(1, 2, figsize=(13, 5), width_ratios=(1.2, 1), layout="constrained")
    for track_id in np.unique(rows[:, 1]).astype(int):
        mine = rows[rows[:, 1] == track_id]
        blue, green, red = (0.82 * channel / 255 for channel in id_color(track_id))
        colour = (red, green, blue)
        feet = mine[:, 2:4] + mine[:, 4:6] * (0.5, 1)
        breaks = np.flatnonzero(np.diff(mine[:, 0]) > 1) + 1  # out of sight between the pieces
        for piece in np.split(np.arange(len(mine)), breaks):
            floor.plot(*feet[piece].T, color=colour, linewidth=1.3)
            time.plot(mine[piece, 0], np.full(len(piece), track_id), color=colour, linewidth=4)
        time.plot(mine[[0, -1], 0], [track_id, track_id], color=colour, linewidth=0.8, linestyle=":")
        floor.annotate(str(track_id), feet[-1], color=colour, fontsize=8, weight="bold")
    floor.set(xlim=(0, source["width"]), ylim=(source["height"], 0), aspect="equal", xticks=[], yticks=[])
    floor.set_title(f"{source['name']}: where each id walked")
    time.set(xlabel="frame", ylabel="id", title="when each id was in view (dotted: out of sight)")
    time.yaxis.set_major_locator(MaxNLocator(integer=True))
    time.invert_yaxis()
    figure.savefig(picture, dpi=80)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path, help="output folder of mot-reid track")
    parser.add_argument("picture", type=Path, help="the PNG to write")
    options = parser.parse_args()
    draw(options.run, options.picture)
