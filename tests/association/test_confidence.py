import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.association.confidence import revival_confidence


def confidence(distance: float, margin: float) -> float:
    return float(revival_confidence(np.float32([distance]), np.float32([margin]))[0])


def test_by_hand() -> None:
    assert confidence(0, 0) == pytest.approx(1 / (1 + np.exp(-0.9)))
    assert confidence(0.5, 0.4) == pytest.approx(1 / (1 + np.exp(-(0.9 - 0.95 + 0.8))))
    assert confidence(0.3, np.inf) == confidence(0.3, 1)


@given(st.floats(0, 2), st.floats(0, 2), st.floats(0, 2))
def test_unlike_looks_and_close_rivals_make_it_less(distance: float, margin: float, more: float) -> None:
    here = confidence(distance, margin)
    assert 0 < here < 1
    assert confidence(distance + more, margin) <= here <= confidence(distance, margin + more)
