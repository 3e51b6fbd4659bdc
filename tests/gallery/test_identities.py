"""How links are made of evidence."""

import numpy as np
import pytest

from mot_reid.gallery.calibration import Calibration
from mot_reid.gallery.identities import Evidence, IdentifySettings, identify, pair_evidence

NONE = np.zeros((0, 2), np.intp)


def test_what_is_said_of_many_holds_however_different_they_are() -> None:
    """A chain of forty records that were said to be one person; what is not said stays apart."""
    count = 42
    rows, columns = np.triu_indices(count, 1)
    for complete in (True, False):
        evidence = Evidence(rows, columns, np.full(len(rows), -20.0), 0.01, complete)
        chain = np.column_stack([np.arange(39), np.arange(1, 40)])
        settings = IdentifySettings(reassign=False)
        assert identify(evidence, count, NONE, chain, settings).labels.tolist() == [0] * 40 + [1, 2]


@pytest.mark.parametrize("complete", [True, False])
def test_links_of_glimpses_count_beside_those_made_before(complete: bool) -> None:
    """20 sure links; each of 20 glimpses is as likely as not his who is before him, or somebody else."""
    rows, columns = np.triu_indices(60, 1)
    values = np.full(len(rows), -30.0)
    values[(columns - rows == 20) & (rows < 20)] = 9.0
    values[(columns - rows == 20) & (rows >= 20)] = values[(columns - rows == 40)] = 0.5
    evidence = Evidence(rows, columns, values, 0.5, complete)
    late = np.arange(60) >= 40
    links = {}
    for asked in (0.01, 0.1, 0.3):
        settings = IdentifySettings(false_links=asked, reassign=False)
        found = identify(evidence, 60, NONE, NONE, settings, glimpses=late)
        links[asked] = 60 - len(np.unique(found.labels))
    # A glimpse is wrong with expit(-0.5) = 0.38: 20 + n links have 0.38 n wrong ones.
    assert links == {0.01: 20, 0.1: 27, 0.3: 40}


def test_neighbours_in_common_say_more_in_a_larger_gallery() -> None:
    """Four records a person; the calibration is of 100, 400 or more tracklets, the gallery has 400."""
    random = np.random.default_rng(0)
    looks = random.normal(size=(100, 32))[np.repeat(np.arange(100), 4)] + 0.5 * random.normal(size=(400, 32))
    looks = (looks / np.linalg.norm(looks, axis=1, keepdims=True)).astype(np.float32)
    cameras = np.array(["a", "b", "c", "d"] * 100, object)

    def values(tracklets: int) -> np.ndarray:
        calibration = Calibration("made", "x", (20.0, -8.0), (8.0, 1.0, 9.0, -6.0), tracklets=tracklets)
        return pair_evidence(looks, cameras, NONE, calibration, IdentifySettings()).values

    more = values(100) - values(400)
    rows, columns = np.triu_indices(400, 1)
    same = rows // 4 == columns // 4
    np.testing.assert_allclose(more[same], np.log(4))
    assert set(np.round(more, 9)) == {0.0, round(float(np.log(4)), 9)}
    for nothing_said in (values(0), values(10_000)):
        np.testing.assert_array_equal(nothing_said, values(400))
