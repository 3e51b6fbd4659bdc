"""``mot-reid demo``: the whole program on real photographs."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from mot_reid.cli.demo import camera_views, ids_of


def test_most_people_keep_their_identity(run: Callable[..., Any], tmp_path: Path) -> None:
    result = run("demo", "-o", tmp_path / "demo")
    assert result.code == 0, result.err
    kept, people = map(int, re.findall(r"(\d+) of (\d+) people kept one id", result.out)[0])
    assert people >= 5
    assert kept >= people - 1
    written = {path.name for path in (tmp_path / "demo").iterdir()}
    assert written == {"clip.mp4", "tracks.mp4", "tracks.txt", "tracks.csv", "summary.json"}
    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert summary["complete"] is True
    assert summary["frames"] == 250


def test_the_camera_stays_on_the_wall_and_leaves_the_bus() -> None:
    views = camera_views(2730 / 1080)
    left, top, height = views.T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (top + height <= 1 + 1e-9).all()
    assert (left + height * 4 / 3 <= 2730 / 1080 + 1e-9).all()
    away = left > 0.75  # the bus picture is three quarters as wide as high
    assert away.sum() > 50
    assert not away[0]
    assert not away[-1]


def test_who_kept_one_id_by_hand() -> None:
    """A view of the whole wall in two frames; one person keeps id 4, the other changes from 5 to 6."""
    views = np.array([[0.0, 0, 1], [0, 0, 1]])
    scale = 480 / 1080
    people = np.array([[0, 0, 200, 600], [600, 0, 900, 700], [1430, 0, 1700, 700]], float)
    tlwh = np.array([[0, 0, 200, 600], [600, 0, 300, 700]]) * scale
    rows = [[1, 4, *tlwh[0]], [1, 5, *tlwh[1]], [2, 4, *tlwh[0]], [2, 6, *tlwh[1]]]
    assert ids_of(people, views, np.array(rows)) == [({4}, 2), ({5, 6}, 2)]
