import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.training.perturbations import PERTURBATIONS, cover, perturb, shift_boxes


@pytest.fixture
def crops() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (40, 20, 10, 3), np.uint8)


@pytest.mark.parametrize("kind", PERTURBATIONS)
def test_a_seed_decides_and_the_input_stays(crops: np.ndarray, kind: str) -> None:
    before = crops.copy()
    first, again, other = perturb(crops, kind, 1), perturb(crops, kind, 1), perturb(crops, kind, 2)
    assert np.array_equal(crops, before)
    assert first.dtype == np.uint8
    assert first.shape == crops.shape
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert (first != crops).any(axis=(1, 2, 3)).all()  # each crop


def test_gamma_keeps_black_and_white_and_the_order(crops: np.ndarray) -> None:
    ramp = np.broadcast_to(np.arange(256, dtype=np.uint8)[None, :, None, None], (9, 256, 1, 3))
    found = perturb(ramp, "gamma")[:, :, 0, 0].astype(int)
    assert (found[:, 0] == 0).all()
    assert (found[:, -1] == 255).all()
    assert (np.diff(found, axis=1) >= 0).all()
    expected = np.log(found[:, 100] / 255) / np.log(100 / 255)
    assert ((expected > 1.25) & (expected < 1.85) | (expected > 0.54) & (expected < 0.8)).all()


def test_colour_scales_channels() -> None:
    found = perturb(np.full((30, 2, 2, 3), 100, np.uint8), "colour")
    assert (found == found[:, :1, :1]).all()
    assert found.min() >= 75
    assert found.max() <= 125
    assert found[:, 0, 0].std(axis=1).mean() > 3  # not one factor for all


def test_covers_hide_a_band_at_an_edge(crops: np.ndarray) -> None:
    changed = (cover(crops, np.random.default_rng(3)) != crops).any(axis=3)
    shares = changed.mean(axis=(1, 2))
    assert (shares > 0.2).all()
    assert (shares < 0.45).all()
    columns, rows = changed.mean(axis=1) > 0.5, changed.mean(axis=2) > 0.5
    for across, down in zip(columns, rows, strict=True):
        # a band of whole columns from one side, or of whole rows from below, never from above
        assert (across[0] != across[-1] and np.abs(np.diff(across.astype(int))).sum() == 1) or (
            down[-1] and not down[0]
        )
    assert np.array_equal(cover(crops, np.random.default_rng(3), probability=0), crops)


def test_unknown_kind(crops: np.ndarray) -> None:
    with pytest.raises(ValueError, match="gamma, colour, cover, all; got 'rain'"):
        perturb(crops, "rain")


@given(st.integers(0, 99), st.floats(0, 0.3), st.floats(0, 0.5))
def test_shifted_boxes_stay_in_reach(seed: int, shift: float, scale: float) -> None:
    boxes = np.array([[10, 20, 30, 60], [0, 0, 5, 8], [-4, 7, 100, 50]], np.float64)
    found = shift_boxes(boxes, np.random.default_rng(seed), shift, scale)
    centres, sizes = boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]
    moved = np.abs(found[:, :2] + found[:, 2:] / 2 - centres) / sizes
    assert (moved <= shift + 1e-9).all()
    factors = found[:, 2:] / sizes
    assert (factors <= 1 + scale + 1e-9).all()
    assert (factors >= 1 / (1 + scale) - 1e-9).all()
