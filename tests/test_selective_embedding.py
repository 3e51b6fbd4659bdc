"""Frames left out and motions joined in `benchmarks/selective_embedding.py`, by hand."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from mot_reid import Detections
from mot_reid.evaluation.inputs import SequenceInputs
from mot_reid.evaluation.sequences import find_sequences

_PATH = Path(__file__).parents[1] / "benchmarks" / "selective_embedding.py"
_SPEC = importlib.util.spec_from_file_location("selective_embedding", _PATH)
assert _SPEC is not None
assert _SPEC.loader is not None
selective_embedding = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(selective_embedding)

_INI = "[Sequence]\nname=WALK\nframeRate=30\nseqLength=7\nimWidth=640\nimHeight=480\nimExt=.jpg\n"


def shift(x: float, y: float) -> np.ndarray:
    return np.array([[1.0, 0, x], [0, 1, y]])


def test_motions_one_after_the_other() -> None:
    twice, along = np.array([[2.0, 0, 0], [0, 2, 0]]), shift(3, 5)
    np.testing.assert_array_equal(selective_embedding.composed([along, twice]), [[2, 0, 6], [0, 2, 10]])
    np.testing.assert_array_equal(selective_embedding.composed([twice, along]), [[2, 0, 3], [0, 2, 5]])
    np.testing.assert_array_equal(selective_embedding.composed([None, along, None]), along)
    assert selective_embedding.composed([None, None]) is None


@pytest.mark.parametrize("stride", [1, 3])
def test_every_nth_frame_keeps_what_belongs_to_it(tmp_path: Path, stride: int) -> None:
    folder = tmp_path / "WALK"
    (folder / "gt").mkdir(parents=True)
    (folder / "seqinfo.ini").write_text(_INI)
    lines = [f"{frame},1,{10 * frame},0,40,100,1,1,1" for frame in range(1, 8)]
    (folder / "gt" / "gt.txt").write_text("\n".join(lines) + "\n")
    (sequence,) = find_sequences("WALK", tmp_path)
    detections = [Detections([[10 * k, 0, 10 * k + 40, 100]]) for k in range(1, 8)]
    affines = [None, *(shift(k, 0) for k in range(2, 8))]
    inputs = SequenceInputs(detections, affines, {}, (), {})
    thinned, kept = selective_embedding.every_nth(sequence, inputs, stride, tmp_path)
    if stride == 1:
        assert thinned is sequence
        assert kept is inputs
        return
    assert (thinned.length, thinned.fps, list(thinned.frames)) == (3, 10, [1, 2, 3])
    truth = thinned.ground_truth.read_text().splitlines()
    assert [line.split(",")[:3] for line in truth] == [["1", "1", "10"], ["2", "1", "40"], ["3", "1", "70"]]
    assert [found.xyxy[0, 0] for found in kept.detections] == [10, 40, 70]
    assert kept.affines[0] is None
    np.testing.assert_array_equal(kept.affines[1], shift(2 + 3 + 4, 0))
    np.testing.assert_array_equal(kept.affines[2], shift(5 + 6 + 7, 0))
