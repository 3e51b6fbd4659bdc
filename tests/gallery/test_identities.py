"""How links are made of evidence."""

import numpy as np
import pytest

from mot_reid.gallery.identities import Evidence, IdentifySettings, identify

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
