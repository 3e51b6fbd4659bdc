"""Frames and what is known of their source."""

from typing import Any

import numpy as np
import pytest

from mot_reid.video.frames import Frame, SourceInfo

IMAGE = np.zeros((20, 30, 3), np.uint8)


@pytest.mark.parametrize(("given", "seconds"), [({}, 0.4), ({"time": None}, 0.4), ({"time": 7.5}, 7.5)])
def test_a_time_that_a_source_leaves_out_is_counted(given: dict[str, Any], seconds: float) -> None:
    info = SourceInfo("own", "video", 30, 20, fps=10, frame_count=None)
    assert info.time_of(Frame(5, IMAGE, **given)) == pytest.approx(seconds)


def test_a_printed_frame_has_no_pixels() -> None:
    assert repr(Frame(5, IMAGE, 0.4)) == "Frame(number=5, time=0.4, wall_clock=None)"
