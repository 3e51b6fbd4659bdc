from collections import Counter

import numpy as np
import pytest

from mot_reid.training.reid.sampling import balanced_batches


def test_batches_are_balanced_and_everybody_comes_about_equally_often() -> None:
    identities = np.repeat(np.arange(10), np.arange(2, 12))  # 65 images, 2 to 11 of each
    seen: Counter[int] = Counter()
    for rows in balanced_batches(identities, 4, 3, np.random.default_rng(0)):
        people = identities[rows].reshape(4, 3)
        assert (people == people[:, :1]).all()
        assert len(set(people[:, 0])) == 4
        for person, images in zip(people[:, 0], rows.reshape(4, 3), strict=True):
            assert len(set(images)) == min(3, person + 2)
        seen.update(people[:, 0].tolist())
    assert sum(seen.values()) == 65 // 12 * 4
    assert max(seen.values()) - min(seen.values()) <= 2


def test_batches_need_enough_people() -> None:
    with pytest.raises(ValueError, match="2 to 3, the identities; got 4"):
        next(balanced_batches(np.array([0, 1, 2]), 4, 2, np.random.default_rng(0)))
