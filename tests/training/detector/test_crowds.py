import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.training.detector import crowds
from mot_reid.training.detector.crowds import Scene, add_crowd, mirrored, piece_together, place, spoilt

SIZE = (96, 160)


def scene(*people: tuple[float, ...], height: int = 100, width: int = 200, grey: int = 50) -> Scene:
    picture = np.full((height, width, 3), grey, np.uint8)
    boxes = np.array(people, np.float64).reshape(-1, 4)
    for x1, y1, x2, y2 in boxes.astype(int):
        picture[y1:y2, x1:x2] = 250
    return Scene(picture, boxes)


def cutout(colour: int = 200, height: int = 60, width: int = 24) -> np.ndarray:
    return np.dstack((np.full((height, width, 3), colour, np.uint8), np.full((height, width), 255, np.uint8)))


def test_boxes_go_where_the_picture_goes() -> None:
    there = scene((40, 20, 80, 80))
    for seed in range(20):
        placed = place(there, SIZE, np.random.default_rng(seed), (0.4, 0.9))
        assert placed.picture.shape == (*SIZE, 3)
        ((x1, y1, x2, y2),) = placed.people
        bright = np.argwhere(placed.picture[..., 0] > 180)
        np.testing.assert_allclose(bright.min(axis=0), (y1, x1), atol=1.5)
        np.testing.assert_allclose(bright.max(axis=0) + 1, (y2, x2), atol=1.5)


def test_a_filling_picture_leaves_no_border() -> None:
    placed = place(scene(), SIZE, np.random.default_rng(0))
    assert (placed.picture == 50).all()


def test_four_pictures_are_pieced_together() -> None:
    shades = iter((10, 60, 170, 240))

    def pick() -> Scene:
        return scene((0, 0, 199, 99), grey=next(shades))

    together = piece_together(pick, SIZE, np.random.default_rng(1))
    assert next(shades, None) is None
    assert len(together.people) == 4
    assert (together.people >= 0).all()
    assert (together.people <= [160, 96, 160, 96]).all()


@given(st.integers(0, 2**32), st.booleans())
def test_a_crowd_lies_inside_and_everybody_learnt_is_seen(seed: int, obstacles: bool) -> None:
    textures = [np.full((200, 200, 3), 128, np.uint8)] if obstacles else []
    before = scene((10, 10, 40, 90), height=SIZE[0], width=SIZE[1], grey=0)
    crowded = add_crowd(before, [cutout()], textures, np.random.default_rng(seed))
    boxes = crowded.people
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2:] <= [160, 96]).all()
    assert ((boxes[:, 2:] - boxes[:, :2]) >= (3, 6)).all()
    for x1, y1, x2, y2 in np.rint(boxes).astype(int):
        assert crowded.picture[y1:y2, x1:x2].any(), "a box over nothing but the black ground"


def test_who_stands_in_front_hides(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two people side by side hide the one behind them; then somebody far to the right.
    spots = [(50.0, 80.0), (45.0, 86.0), (55.0, 86.0), (120.0, 88.0)]
    monkeypatch.setattr(crowds, "_standing", lambda *_: (spots, 0.0, 0.5))
    rng = np.random.default_rng(0)
    crowded = add_crowd(scene(height=96, width=160), [cutout()], [], rng)
    assert crowded.people[:, 3].tolist() == [86, 86, 88], "the one behind is hidden, so not learnt"
    # A person who was there and stands behind the crowd is not learnt either.
    hidden = add_crowd(
        scene((42, 45, 58, 80), height=96, width=160), [cutout()], [], np.random.default_rng(0)
    )
    assert hidden.people[:, 3].tolist() == [86, 86, 88]


def test_obstacles_hide_and_are_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowds, "_standing", lambda *_: ([(50, 80), (50, 82)], 0.0, 0.5))
    monkeypatch.setattr(crowds, "_OBSTACLES", 1.0)
    texture = np.full((200, 200, 3), 128, np.uint8)
    crowded = add_crowd(scene(height=96, width=160), [cutout()], [texture], np.random.default_rng(0))
    assert len(crowded.people) == 0
    assert (crowded.picture != 50).any()


def test_spoilt_and_mirrored_pictures_keep_their_shape() -> None:
    there = scene((10, 20, 30, 60))
    for seed in range(10):
        spoiled = spoilt(there.picture, np.random.default_rng(seed))
        assert spoiled.shape == there.picture.shape
        assert spoiled.dtype == np.uint8
    flipped = mirrored(there)
    np.testing.assert_array_equal(flipped.people, [[170, 20, 190, 60]])
    assert (flipped.picture[20:60, 170:190] == 250).all()
