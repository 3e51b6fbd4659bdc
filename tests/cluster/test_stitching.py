"""Cutting and stitching, on scenes checked by hand and on cut-up tracks of any kind."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.association.looks import Looks
from mot_reid.association.reentry import Neighbours
from mot_reid.cluster.stitching import Piece, Rows, cut, match_tracks, stitched


def rows(*entries: tuple[int, int, float]) -> Rows:
    """Rows of frame, id and left edge; all boxes are 10 wide and 20 high."""
    ordered = sorted(entries)
    frames, ids, left = (
        (np.array(column) for column in zip(*ordered, strict=True)) if entries else ([], [], [])
    )
    left = np.asarray(left, np.float32)
    count = len(left)
    xyxy = np.stack([left, np.zeros(count), left + 10, np.full(count, 20.0)], axis=1).astype(np.float32)
    return Rows(
        np.asarray(frames, np.int64),
        np.asarray(frames, np.float64) / 10,
        np.asarray(ids, np.int64),
        xyxy.reshape(-1, 4),
        np.full(count, 0.9, np.float32),
        np.zeros(count, np.int64),
        np.arange(count),
        np.ones(count, np.float32),
    )


def looks(**embeddings: list[float]) -> Looks:
    """Of tracks ``t1``, ``t2`` and so on."""
    ids = np.array([int(name[1:]) for name in embeddings], np.int64)
    vectors = np.array(list(embeddings.values()), np.float32).reshape(len(ids), 8)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return Looks(ids, vectors, Neighbours())


NOBODY = looks()


def walk(track: int, frames: range, start: float, step: float = 1.0) -> list[tuple[int, int, float]]:
    return [(frame, track, start + step * frame) for frame in frames]


@given(
    frames=st.integers(1, 100_000),
    fps=st.floats(1, 60),
    seconds=st.floats(0, 500),
    overlap=st.floats(0, 60),
)
def test_pieces_cover_every_frame_once(frames: int, fps: float, seconds: float, overlap: float) -> None:
    if seconds and frames / (seconds * fps) > 5000:
        return
    pieces = cut(frames, fps, seconds, overlap)
    firsts = [piece.first for piece in pieces]
    assert firsts[0] == 1
    assert pieces[-1].last is None
    assert [piece.last for piece in pieces[:-1]] == [first - 1 for first in firsts[1:]]
    assert all(piece.first <= (piece.last or frames) for piece in pieces)
    assert all(1 <= piece.warm_up <= piece.first for piece in pieces)
    if len(pieces) > 1:
        assert max(np.diff([*firsts, frames + 1])) <= 1.5 * seconds * fps + 1


def test_length_zero_is_never_cut() -> None:
    assert cut(10_000, 25, 0, 25) == [Piece(0, 1, 1, None)]


def test_the_same_boxes_are_the_same_tracks() -> None:
    frames = range(5, 11)
    earlier = rows(*walk(3, frames, 0), *walk(7, frames, 100))
    later = rows(*walk(2, frames, 100), *walk(1, frames, 0.5))
    assert match_tracks(earlier, later) == {2: 7, 1: 3}


def test_who_swapped_in_the_overlap_goes_by_the_last_frames() -> None:
    # In the piece before, 3 and 7 change places in the middle of the overlap; in the one behind nobody does.
    earlier = rows(
        *walk(3, range(1, 6), 0, 0), *walk(3, range(6, 11), 100, 0),
        *walk(7, range(1, 6), 100, 0), *walk(7, range(6, 11), 0, 0),
    )  # fmt: skip
    later = rows(*walk(1, range(1, 11), 0, 0), *walk(2, range(1, 11), 100, 0))
    assert match_tracks(earlier, later) == {1: 7, 2: 3}


def test_two_that_only_touch_once_are_not_one() -> None:
    earlier, later = rows(*walk(3, range(1, 11), 0, 0)), rows(*walk(1, range(1, 11), -90, 10))
    assert match_tracks(earlier, later) == {}


def test_nobody_in_the_overlap() -> None:
    assert match_tracks(rows(), rows(*walk(1, range(1, 3), 0))) == {}
    assert match_tracks(rows(*walk(1, range(1, 3), 0)), rows()) == {}


def test_ids_go_on_and_nothing_counts_twice() -> None:
    first = rows(*walk(1, range(1, 11), 0), *walk(2, range(3, 9), 200))
    second = rows(*walk(1, range(8, 21), 300), *walk(2, range(8, 21), 0))  # 300 is new, 0 goes on
    pieces = [Piece(0, 1, 1, 10), Piece(1, 8, 11, None)]
    whole = list(stitched(iter(zip(pieces, [first, second], [NOBODY, NOBODY], strict=True))))
    assert [int(part.frames.min()) for part in whole] == [1, 11]
    ids = {
        (int(frame), float(left)): int(track)
        for part in whole
        for frame, left, track in zip(part.frames, part.xyxy[:, 0], part.ids, strict=True)
    }
    assert {ids[frame, float(frame)] for frame in range(1, 21)} == {1}
    assert {ids[frame, float(300 + frame)] for frame in range(11, 21)} == {3}
    assert len(ids) == sum(map(len, whole)) == 10 + 6 + 10 + 10


RED, BLUE, GREEN = np.eye(8, dtype=np.float32)[:3].tolist()


@pytest.mark.parametrize(
    ("left", "began", "look", "longest", "same"),
    [
        (90, 130, RED, 180.0, True),  # who left before the seam comes back behind it
        (90, 130, BLUE, 180.0, False),  # somebody else
        (90, 130, RED, 0.0, False),  # who returns is new
        (90, 130, RED, 3.0, False),  # after 4 seconds, too late
    ],
)
def test_who_returns_behind_a_seam_is_known_by_looks(
    left: int, began: int, look: list[float], longest: float, same: bool
) -> None:
    first = rows(*walk(1, range(1, left + 1), 0), *walk(2, range(1, 101), 500))
    second = rows(*walk(1, range(81, 201), 500), *walk(2, range(began, 201), 2000))
    pieces = [Piece(0, 1, 1, 100), Piece(1, 81, 101, None)]
    seen = [looks(t1=RED, t2=GREEN), looks(t1=GREEN, t2=look)]
    _, behind = stitched(iter(zip(pieces, [first, second], seen, strict=True)), longest)
    assert set(behind.ids[behind.xyxy[:, 0] > 1500].tolist()) == {1 if same else 3}
    assert set(behind.ids[behind.xyxy[:, 0] < 1500].tolist()) == {2}


def test_two_who_look_like_one_who_left_are_both_new() -> None:
    first = rows(*walk(1, range(1, 91), 0))
    second = rows(*walk(1, range(120, 201), 500), *walk(2, range(130, 201), 2000))
    pieces = [Piece(0, 1, 1, 100), Piece(1, 95, 101, None)]
    seen = [looks(t1=RED), looks(t1=RED, t2=RED)]
    _, behind = stitched(iter(zip(pieces, [first, second], seen, strict=True)), 180.0)
    assert set(behind.ids.tolist()) == {2, 3}


@given(
    starts=st.lists(st.integers(0, 40), min_size=1, max_size=8),
    lengths=st.lists(st.integers(1, 60), min_size=8, max_size=8),
    first=st.integers(20, 50),
)
def test_cut_tracks_come_out_whole(starts: list[int], lengths: list[int], first: int) -> None:
    """Whatever is cut in two with an overlap, and renumbered, is the same tracks again."""
    tracks = [
        walk(number + 1, range(start + 1, start + 1 + length), 1000 * number, 0)
        for number, (start, length) in enumerate(zip(starts, lengths, strict=False))
    ]
    rows_all = [entry for track in tracks for entry in track]
    before = [entry for entry in rows_all if entry[0] < first]
    behind = [(frame, 50 - track, left) for frame, track, left in rows_all if frame >= first - 10]
    pieces = [Piece(0, 1, 1, first - 1), Piece(1, first - 10, first, None)]
    both = [rows(*before), rows(*behind)]
    parts = list(stitched(iter(zip(pieces, both, [NOBODY, NOBODY], strict=True))))
    pairs = {(float(x), int(i)) for part in parts for x, i in zip(part.xyxy[:, 0], part.ids, strict=True)}
    assert len(pairs) == len({left for left, _ in pairs}) == len({track for _, track in pairs})
    assert sum(map(len, parts)) == len(rows_all)


def test_rows_by_frame() -> None:
    got = [
        (frame, part.ids.tolist()) for frame, part in rows((1, 4, 0.0), (1, 5, 50.0), (3, 4, 0.0)).by_frame()
    ]
    assert got == [(1, [4, 5]), (3, [4])]
    assert list(rows().by_frame()) == []


@pytest.mark.parametrize("frames", [1, 2, 7])
def test_fewer_frames_than_a_piece(frames: int) -> None:
    assert cut(frames, 25, 10, 5) == [Piece(0, 1, 1, None)]
