import numpy as np
import pytest
import torch

from mot_reid.detection.rtmdet import RtmDet
from mot_reid.training.detector.calibration import Line, calibrated, calibration_error, fit_line, hits
from mot_reid.training.detector.scores import PictureResult


def test_the_line_that_made_the_scores_is_found() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 1, 40_000)
    right = rng.random(len(logits)) < 1 / (1 + np.exp(-(2.5 * logits - 1)))
    scores = 1 / (1 + np.exp(-logits))
    line = fit_line(scores, right)
    assert line == pytest.approx((2.5, -1), abs=0.1)
    better = 1 / (1 + np.exp(-(line.slope * logits + line.offset)))
    assert calibration_error(better, right) < 0.01 < 0.1 < calibration_error(scores, right)


def test_scores_that_are_rounded_to_0_or_1_are_fitted_too() -> None:
    scores = np.array([0, 0.1, 0.2, 0.4, 0.9, 0.95, 1, 1])
    right = np.array([False, False, True, False, True, True, True, False])
    line = fit_line(scores, right)
    assert np.isfinite(line).all()
    assert line == pytest.approx(fit_line(scores.clip(1e-6, 1 - 1e-6), right))
    assert line.slope < 0.9  # a sure one is wrong


def test_the_error_by_hand() -> None:
    scores = np.array([0.25, 0.25, 0.85, 0.05])  # the last is too low to count
    right = np.array([True, False, True, True])
    assert calibration_error(scores, right) == pytest.approx((abs(1 - 0.5) + abs(1 - 0.85)) / 3)


def test_scores_that_say_nothing_are_told() -> None:
    with pytest.raises(ValueError, match="detections of both kinds"):
        fit_line(np.array([0.2, 0.8]), np.array([True, True]))
    with pytest.raises(ValueError, match="higher scores are no better ones"):
        fit_line(np.array([0.2, 0.3, 0.7, 0.8]), np.array([True, False, True, False])[[0, 0, 1, 1]])


def test_who_is_found_counts_once_and_ignored_areas_do_not() -> None:
    person = np.array([[0, 0, 10, 20]], np.float32)
    ignored = np.array([[50, 0, 60, 20]], np.float32)
    boxes = np.array([[1, 0, 11, 20], [0, 0, 10, 20], [50, 0, 60, 20], [80, 0, 90, 20]], np.float32)
    scores, right = hits([PictureResult(person, ignored, boxes, np.array([0.5, 0.9, 0.7, 0.6], np.float32))])
    np.testing.assert_allclose(scores, [0.9, 0.6, 0.5])
    assert right.tolist() == [True, False, False]


def test_a_networks_logits_lie_on_the_line() -> None:
    torch.manual_seed(0)
    network = RtmDet().eval()
    changed = calibrated(network, Line(3.0, -0.5))
    pictures = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        before, after = network(pictures), changed(pictures)
    torch.testing.assert_close(after.logits, 3 * before.logits - 0.5)
    torch.testing.assert_close(after.distances, before.distances)
