import pytest

from mot_reid.rollback import KeepsAttributes, unchanged_on_failure


class Counter(KeepsAttributes):
    def __init__(self) -> None:
        self.count = 0


def test_a_failure_takes_everything_back_and_goes_on_to_the_caller() -> None:
    first, second = Counter(), Counter()

    def interrupted() -> None:
        with unchanged_on_failure(first, None, second):
            first.count, second.count, second.more = 1, 2, 3
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert (vars(first), vars(second)) == ({"count": 0}, {"count": 0})


def test_what_succeeds_stays() -> None:
    counter = Counter()
    with unchanged_on_failure(counter):
        counter.count = 5
    assert counter.count == 5
