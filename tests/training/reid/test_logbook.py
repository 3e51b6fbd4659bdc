import csv
import importlib.util
from pathlib import Path

import pytest

from mot_reid.training.reid.logbook import EpochMetrics, Logbook


def test_csv_grows_with_every_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    book = Logbook(tmp_path)
    book.add(EpochMetrics(0))
    book.add(EpochMetrics(1, loss=2.5))
    assert not book.tensorboard
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]
    again = Logbook(tmp_path, book.history)
    again.add(EpochMetrics(2, loss=1.5))
    with (tmp_path / "metrics.csv").open() as file:
        assert [(row["epoch"], row["loss"]) for row in csv.DictReader(file)] == [
            ("0", "nan"),
            ("1", "2.5"),
            ("2", "1.5"),
        ]


def test_nothing_is_written_for_those_who_do_not_lead(tmp_path: Path) -> None:
    book = Logbook(tmp_path)
    book.add(EpochMetrics(0), write=False)
    assert len(book.history) == 1
    assert not list(tmp_path.iterdir())


def test_tensorboard_reads_the_events(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    book = Logbook(tmp_path)
    book.add(EpochMetrics(1, loss=2.5))
    book.close()
    book = Logbook(tmp_path, book.history)
    book.add(EpochMetrics(2, loss=1.5))
    book.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert "mean_average_precision" not in events.Tags()["scalars"]  # not a number yet
    assert [(entry.step, entry.value) for entry in events.Scalars("loss")] == [(1, 2.5), (2, 1.5)]
