"""The words of messages."""

from __future__ import annotations

import pytest

from mot_reid.wording import counted


@pytest.mark.parametrize(
    ("count", "noun", "told"),
    [
        (1, "frame", "1 frame"),
        (0, "frame", "0 frames"),
        (2, "box", "2 boxes"),
        (2, "switch", "2 switches"),
        (1, "person", "1 person"),
        (0, "person", "0 people"),
        (3, "identity", "3 identities"),
        (2, "CUDA device", "2 CUDA devices"),
    ],
)
def test_one_thing_is_said_in_the_singular(count: int, noun: str, told: str) -> None:
    assert counted(count, noun) == told
