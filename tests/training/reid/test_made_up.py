import numpy as np
import pytest

from mot_reid.training.reid.made_up import make_up

RED, BLUE = (250, 0, 0), (0, 0, 250)


def plain(colour: tuple[int, int, int], count: int = 3, size: tuple[int, int] = (256, 16)) -> np.ndarray:
    return np.full((count, *size, 3), colour, np.uint8)


def made(pools: list[np.ndarray], count: int = 400) -> np.ndarray:
    rng = np.random.default_rng(0)
    return np.stack([make_up(pools, rng) for _ in range(count)])


def test_a_seed_decides_and_the_crops_stay_as_they_are() -> None:
    crops = np.random.default_rng(1).integers(0, 256, (5, 64, 32, 3), dtype=np.uint8)
    before = crops.copy()
    first, second = made([crops], 30), made([crops], 30)
    assert np.array_equal(first, second)
    assert first.dtype == np.uint8
    assert np.array_equal(crops, before)


def test_some_stay_as_they_are_or_are_mirrored() -> None:
    crops = np.random.default_rng(1).integers(0, 256, (5, 64, 32, 3), dtype=np.uint8)
    known = {crop.tobytes() for crop in crops} | {crop[:, ::-1].tobytes() for crop in crops}
    share = np.mean([image.tobytes() in known for image in made([crops])])
    assert 0.05 < share < 0.2  # 0.4 * 0.55 ** 2 * 0.85 is 0.10


def near(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    return (np.abs(pixels.astype(int) - colour) <= 2).all(axis=-1)


def test_pools_are_drawn_from_alike_whatever_they_hold() -> None:
    heads = made([plain(RED, 2), plain(BLUE, 500)])[:, 2, 8]  # above the colours that change
    red, blue = near(heads, RED), near(heads, BLUE)
    assert 0.4 < red.sum() / (red.sum() + blue.sum()) < 0.6
    assert 0.02 < 1 - (red | blue).mean() < 0.15  # half of those who have somebody shining through


def test_halves_of_two_people_and_other_colours_below_the_head() -> None:
    images = made([plain(RED), plain(BLUE)])
    whole = images[near(images[:, 2, 8], RED)]
    legs = whole[:, 250, 8]
    assert near(legs, BLUE).mean() > 0.1
    assert near(legs, RED).mean() > 0.2
    assert len({tuple(colour) for colour in legs.tolist()}) > 40
    assert near(whole[:, :10], RED).all(axis=(1, 2)).all()


@pytest.mark.parametrize("pools", [[], [np.zeros((0, 8, 4, 3), np.uint8)]])
def test_nobody_to_draw_from(pools: list[np.ndarray]) -> None:
    with pytest.raises(ValueError, match="none of them empty"):
        make_up(pools, np.random.default_rng(0))


def test_crops_of_different_sizes() -> None:
    with pytest.raises(ValueError, match=r"one size; got \[\(96, 32\), \(256, 16\)\]"):
        make_up([plain((0, 0, 0)), plain((0, 0, 0), size=(96, 32))], np.random.default_rng(0))
