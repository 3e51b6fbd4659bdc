"""``mot-reid demo``: the whole program on real photographs."""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mot_reid.cli.demo import camera_views, ids_of, with_blinds

demo = sys.modules["mot_reid.cli.demo"]


@pytest.mark.long
def test_everybody_is_hidden_or_leaves_and_keeps_the_identity(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    result = run("demo", "-o", tmp_path / "demo")
    assert result.code == 0, result.err
    assert re.findall(r"(\d+) of (\d+) people kept one id", result.out) == [("3", "3")]
    written = {path.name for path in (tmp_path / "demo").iterdir()}
    assert written == {"clip.mp4", "tracks.mp4", "tracks.txt", "tracks.csv", "summary.json"}
    summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
    assert summary["complete"] is True
    assert demo._is_of_demo(tmp_path / "demo" / "clip.mp4")
    assert summary["frames"] == 250
    rows = np.loadtxt(tmp_path / "demo" / "tracks.txt", delimiter=",")
    for track_id in (1, 2, 3):
        frames = rows[rows[:, 1] == track_id, 0]
        assert np.diff(frames).max() > 10  # out of sight in between


def test_a_clip_of_the_users_own_stays(run: Callable[..., Any], tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    clip.write_bytes(b"holidays")
    for summary in ("{}", json.dumps({"source": {"name": "clip", "location": str(clip), "width": 640}})):
        (tmp_path / "summary.json").write_text(summary)
        refused = run("demo", "-o", tmp_path)
        assert (refused.code, clip.read_bytes()) == (2, b"holidays")
        assert "clip.mp4: would be overwritten" in refused.err


def test_the_camera_stays_on_the_wall_and_leaves_the_astronaut() -> None:
    width = demo._edges()[-1][1] + demo._GAP
    left, top, height = camera_views(width / demo._WALL_HEIGHT).T
    assert (left >= 0).all()
    assert (top >= 0).all()
    assert (top + height <= 1 + 1e-9).all()
    assert (left + height * 4 / 3 <= width / demo._WALL_HEIGHT + 1e-9).all()
    away = left > demo._edges()[0][1] / demo._WALL_HEIGHT
    assert away.sum() > 50
    assert not away[0]
    assert not away[-1]


def test_blinds_fall_and_rise() -> None:
    wall = np.zeros((demo._WALL_HEIGHT, demo._edges()[-1][1] + demo._GAP, 3), np.uint8)
    (left, right), (photograph, start, end) = demo._edges()[1], demo._BLINDS[0]
    assert photograph == 1
    assert not with_blinds(wall, start).any()
    down = with_blinds(wall, (start + end) / 2)
    assert down[:, left:right].all()
    assert not down[:, :left].any()
    half = with_blinds(wall, end - demo._FALL / 2)
    assert half[: len(wall) // 2, left:right].all()
    assert not half[len(wall) // 2 :, left:right].any()


def test_who_kept_one_id_by_hand() -> None:
    """A view of the whole wall in two frames; one person keeps id 4, the other changes from 5 to 6."""
    views = np.array([[0.0, 0, 1], [0, 0, 1]])
    scale = 480 / 840
    people = np.array([[0, 0, 200, 600], [600, 0, 900, 700], [1430, 0, 1700, 700]], float)
    tlwh = np.array([[0, 0, 200, 600], [600, 0, 300, 700]]) * scale
    rows = [[1, 4, *tlwh[0]], [1, 5, *tlwh[1]], [2, 4, *tlwh[0]], [2, 6, *tlwh[1]]]
    assert ids_of(people, views, np.array(rows)) == [({4}, 2), ({5, 6}, 2)]
