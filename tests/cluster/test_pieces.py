"""Pieces: where they lie, what is found in them, and when it is asked for."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid import Detections
from mot_reid.cluster import pieces as module
from mot_reid.cluster.pieces import Piece, PieceReader, Progress, cut, read_found, write_found


@given(frames=st.integers(1, 100_000), fps=st.floats(1, 60), seconds=st.floats(0, 500))
def test_pieces_cover_every_frame_once(frames: int, fps: float, seconds: float) -> None:
    if seconds and frames / (seconds * fps) > 5000:
        return
    pieces = cut(frames, fps, seconds)
    firsts = [piece.first for piece in pieces]
    assert firsts[0] == 1
    assert pieces[-1].last is None
    assert [piece.last for piece in pieces[:-1]] == [first - 1 for first in firsts[1:]]
    assert all(piece.first <= (piece.last or frames) for piece in pieces)
    if len(pieces) > 1:
        assert max(np.diff([*firsts, frames + 1])) <= 1.5 * seconds * fps + 1


def test_length_zero_is_never_cut() -> None:
    assert cut(10_000, 25, 0) == [Piece(0, 1, None)]


@pytest.mark.parametrize("dimension", [0, 8])
def test_what_is_found_comes_back_bit_for_bit(tmp_path: Path, dimension: int) -> None:
    random = np.random.default_rng(1)
    found = {}
    for number, count in ((5, 3), (6, 0), (9, 2)):
        corner = random.uniform(0, 500, (count, 2))
        boxes = np.hstack([corner, corner + random.uniform(1, 99, (count, 2))]).astype(np.float32)
        looks = random.normal(size=(count, dimension)) if dimension and count else None
        scores = random.random(count).astype(np.float32)
        found[number] = Detections(boxes, scores, np.arange(count) % 2, looks).beside({"dog": count})
    write_found(tmp_path / "found.npz", found)
    again = read_found(tmp_path / "found.npz")
    assert list(again) == list(found)
    for number, one in found.items():
        other = again[number]
        for name in ("xyxy", "scores", "classes"):
            column = getattr(other, name)
            assert column.dtype == getattr(one, name).dtype
            assert column.tobytes() == getattr(one, name).tobytes()
        assert dict(other.other_classes) == dict(one.other_classes)
        assert other.invalid_rows == one.invalid_rows
        if one.embeddings is not None:
            assert other.embeddings is not None
            assert other.embeddings.tobytes() == one.embeddings.tobytes()


def test_nothing_found_at_all(tmp_path: Path) -> None:
    write_found(tmp_path / "found.npz", {})
    assert read_found(tmp_path / "found.npz") == {}


def test_a_piece_is_asked_for_once_and_again_only_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    clock, asked = [0.0], list[int]()
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    somebody = Detections([[0, 0, 10, 20]])
    there = {0: {1: somebody}, 2: {21: somebody}}

    def read(piece: Piece) -> dict[int, Detections] | None:
        asked.append(piece.number)
        return there.get(piece.number)

    told = list[Progress]()
    ahead = PieceReader([Piece(0, 1, 10), Piece(1, 11, 20), Piece(2, 21, None)], read, told.append)
    assert ahead(1) is somebody
    assert ahead(2) is None  # not looked at there
    assert [ahead(number) for number in (11, 12, 13)] == [None] * 3
    assert asked == [0, 1]
    clock[0] = 3.0
    there[1] = {14: somebody}  # it has come meanwhile
    assert ahead(14) is somebody
    assert ahead(21) is somebody
    assert ahead(500) is None
    assert asked == [0, 1, 1, 2]
    # The second one came in the middle, which tells neither time.
    assert told == [Progress(0), Progress(1, None, 0.0), Progress(2, None, 0.0)]
