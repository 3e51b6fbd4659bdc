"""The pieces and stand-ins of benchmarks/pipeline.py, and that the memory of a run stays flat; no timings."""

import os
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid import Tracker
from mot_reid.pipeline.run import track_source
from mot_reid.pipeline.summary import Summary


@pytest.fixture(autouse=True)
def benchmarks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).parents[1] / "benchmarks")


def test_a_sequence_is_cut_into_pieces_of_its_own_pictures(tmp_path: Path) -> None:
    from pipeline import cut

    sequence = tmp_path / "MOT-01"
    (sequence / "img1").mkdir(parents=True)
    for number in range(1, 31):
        cv2.imwrite(str(sequence / "img1" / f"{number:06d}.png"), np.full((8, 8, 3), number, np.uint8))
    (sequence / "seqinfo.ini").write_text("[Sequence]\nname=MOT-01\nimExt=.png\nframeRate=10\n")
    pieces = list(cut(sequence, 6, 3, tmp_path / "pieces"))
    numbers = [[int(path.stem) for path in sorted(piece.iterdir())] for piece in pieces]
    assert numbers == [[1, 2, 3, 4, 5], [*range(1, 7)], [*range(12, 18)], [*range(24, 30)]]
    first = next(iter(sorted(pieces[2].iterdir())))
    assert cv2.imread(str(first))[0, 0, 0] == 12


def test_the_crowd_is_found_where_it_is() -> None:
    from memory import Crowd, StandIn, people

    frames = list(islice(iter(Crowd(400)), 300, 320))
    for frame, found in zip(frames, StandIn().detect([frame.image for frame in frames]), strict=True):
        assert found.xyxy.astype(int).tolist() == [list(box) for box in people(frame.number)]
        for x1, y1, x2, y2 in people(frame.number):
            assert (frame.image[max(y1, 1) : y2, x1:x2, 2] == 150).all()


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs Linux's count of memory")
def test_the_memory_of_a_run_stays_flat(tmp_path: Path) -> None:
    from memory import Crowd, StandIn, resident_memory

    held = {}

    def look(summary: Summary) -> None:
        if summary.frames in (150, 500):
            held[summary.frames] = resident_memory()

    stand_in = StandIn()
    summary = track_source(Crowd(500), Tracker(stand_in, stand_in), tmp_path, on_frame=look)
    assert summary.tracks > 15
    assert held[500] - held[150] < 8
    assert os.path.getsize(tmp_path / "tracks.mp4") > 0


def test_ratios_need_no_contender_but_ours(tmp_path: Path) -> None:
    import argparse

    from pipeline import OFF, SELECTIVE, Contender, speed_table

    team = [Contender(name, "ours.py", {}, version="1") for name in (OFF, SELECTIVE)]
    for contender, milliseconds in zip(team, (20, 23), strict=True):
        contender.answers["PETS09-S2L1"] = [
            {"frames": 10, "rows": 50, "seconds": milliseconds * scale / 100, "cpu": 0.4 * scale}
            for scale in (1, 2, 3)
        ]
    chosen = argparse.Namespace(pieces=3, frames=10, osnet=None)
    off, selective = speed_table(chosen, team, {}, []).rows
    assert off["frames/s"] == pytest.approx(25)
    assert selective["/ off"] == pytest.approx(1.15)
    assert selective["cpu / off"] == pytest.approx(1)
    assert off["boxes"] == 5
    assert "/ forward" not in off
