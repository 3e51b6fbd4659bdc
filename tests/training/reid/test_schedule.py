import numpy as np
import pytest

from mot_reid.training.reid.schedule import learning_rate
from mot_reid.training.reid.settings import ScheduleSettings


def rates(settings: ScheduleSettings, total: int = 100) -> list[float]:
    return [learning_rate(step, total, 1e-2, settings) for step in range(total)]


def test_cosine_rises_then_falls_to_nothing() -> None:
    found = rates(ScheduleSettings(warmup=0.2))
    assert int(np.argmax(found)) == 19
    assert found[19:21] == pytest.approx([1e-2, 1e-2])
    assert found[0] == pytest.approx(1e-2 / 20)
    assert (np.diff(found[:20]) > 0).all()
    assert (np.diff(found[20:]) < 0).all()
    assert found[60] == pytest.approx(1e-2 / 2)
    assert found[-1] < 1e-5


def test_steps_divide_at_the_milestones() -> None:
    found = rates(ScheduleSettings(shape="step", warmup=0.0, milestones=(0.4, 0.7), divisor=10))
    assert found == pytest.approx([1e-2] * 40 + [1e-3] * 30 + [1e-4] * 30)
