import colorsys
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.structures import Tracks
from mot_reid.video.overlay import Overlay, _draw_label, id_color

BLACK = np.zeros((360, 640, 3), np.uint8)


def one(x1: float, y1: float, x2: float, y2: float, track_id: int = 3, class_id: int = 0) -> Tracks:
    number = np.array([track_id])
    box = np.array([[x1, y1, x2, y2]], np.float32)
    return Tracks(number, box, np.ones(1, np.float32), np.array([class_id]), np.zeros(1, np.int64))


@given(st.integers(1, 2**40))
def test_colour_is_bright_and_stable(track_id: int) -> None:
    color = id_color(track_id)
    assert color == id_color(track_id)
    assert all(0 <= channel <= 255 for channel in color)
    assert max(color) == 255
    assert min(color) <= 110


@given(st.integers(1, 10_000))
def test_colours_of_neighbours_are_far_apart(first: int) -> None:
    hues = [colorsys.rgb_to_hsv(*id_color(first + step)[::-1])[0] for step in range(8)]
    for place, hue in enumerate(hues):
        for other in hues[:place]:
            assert min(abs(hue - other), 1 - abs(hue - other)) > 0.05


def test_box_in_its_colour_on_a_copy() -> None:
    drawn = Overlay(labels=False).draw(BLACK, one(100, 50, 200, 250))
    assert not BLACK.any()
    assert drawn.shape == BLACK.shape
    for y, x in [(50, 150), (250, 150), (150, 100), (150, 200)]:
        assert tuple(drawn[y, x]) == id_color(3)
    assert not drawn[150, 150].any()
    assert not drawn[300:].any()


def test_no_tracks_change_nothing() -> None:
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    assert np.array_equal(Overlay().draw(image, Tracks.empty()), image)


@given(st.integers(-100, 740), st.integers(-100, 460))
def test_label_stays_whole_and_inside(x: int, y: int) -> None:
    def label_at(x: int, y: int) -> tuple[np.ndarray, int, int]:
        canvas = BLACK.copy()
        _draw_label(canvas, "id 7", x, y, (0, 200, 255), line=1)
        rows, columns = np.nonzero(canvas.any(axis=2))
        return (
            canvas[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1],
            rows.min(),
            columns.min(),
        )

    expected, *_ = label_at(300, 200)
    label, top, left = label_at(x, y)
    assert np.array_equal(label, expected)
    if 0 <= x <= 560 and 60 <= y <= 300:
        assert (left, top) == (x, y - len(label))


def test_class_name_appears_with_the_second_class() -> None:
    overlay = Overlay(class_names={0: "person"})
    single, several = one(100, 100, 200, 300), one(100, 100, 200, 300, class_id=1)
    only_id = overlay.draw(BLACK, single)
    assert np.array_equal(only_id, Overlay().draw(BLACK, single))
    overlay.draw(BLACK, several)
    overlay_with_names = overlay.draw(BLACK, single)
    assert (overlay_with_names != only_id).any()
    overlay.reset()
    assert np.array_equal(overlay.draw(BLACK, single), only_id)


def test_trail_follows_the_foot_point_and_ends() -> None:
    overlay = Overlay(labels=False, trail=10)
    for step in range(30):
        drawn = overlay.draw(BLACK, one(10 * step, 100, 10 * step + 40, 200))
    beside = drawn[200, : 290 - 2].any(axis=1)  # the line through the feet, left of the box
    assert beside[220:].all()  # the last ten foot points, 200 to 310
    assert not beside[:215].any()
    without = Overlay(labels=False, trail=0)
    for step in range(30):
        drawn = without.draw(BLACK, one(10 * step, 100, 10 * step + 40, 200))
    assert not drawn[:, : 290 - 2].any()


def test_trail_thins_with_age() -> None:
    image = np.zeros((1080, 1920, 3), np.uint8)
    overlay = Overlay(labels=False, trail=40)
    for step in range(40):
        drawn = overlay.draw(image, one(20 * step, 100, 20 * step + 10, 500))
    height = drawn[400:600].any(axis=2).sum(axis=0)
    brightness = drawn[400:600].max(axis=(0, 2))
    assert height[30] < height[740]
    assert brightness[30] < brightness[740]


def test_memory_is_bounded_by_the_trail(tracks: Callable[..., Tracks]) -> None:
    overlay = Overlay(trail=5)
    for step in range(200):
        overlay.draw(BLACK[:40, :40], one(1, 1, 9, 9, track_id=step))
        assert len(overlay._paths) <= 5
    for _ in range(200):
        overlay.draw(BLACK[:40, :40], one(1, 1, 9, 9))
    assert [len(path) for path in overlay._paths.values()] == [5]
    overlay.reset()
    assert not overlay._paths


def test_negative_trail_is_refused() -> None:
    with pytest.raises(ValueError, match="trail: expected 0 or more, got -1"):
        Overlay(trail=-1)


@pytest.mark.parametrize("size", [(1, 1), (20, 2000), (2000, 20)])
def test_odd_pictures(size: tuple[int, int]) -> None:
    overlay = Overlay(class_names={0: "person"})
    for step in range(3):
        drawn = overlay.draw(np.zeros((*size, 3), np.uint8), one(step, 0, step + 500, 1e6))
    assert drawn.shape == (*size, 3)
