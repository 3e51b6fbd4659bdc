from pathlib import Path

import numpy as np
import pytest

from mot_reid.training.reid.attribute_head import fit_attributes, read_attribute_table, score_attributes

TABLE = "identity,backpack,top\n" + "".join(
    f"{person},{'yes' if person % 4 == 0 else 'no'},{('red', 'blue', 'other')[person % 3]}\n"
    for person in range(1, 61)
)


@pytest.fixture
def table(tmp_path: Path):
    path = tmp_path / "attributes.csv"
    path.write_text(TABLE)
    return read_attribute_table(path)


def crops(table, people, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Three crops of each, of which two numbers show the attributes and the others who it is."""
    identities = np.repeat(np.array(people), 3)
    labels = table.of(identities)
    x = rng.normal(0, 0.35, (len(identities), 8))
    x[:, 0] += np.where(labels[:, 0] == 1, 1, -1)
    x[:, 1] += np.select([labels[:, 1] == 0, labels[:, 1] == 1], [1, -1])
    return x.astype(np.float32), identities


def test_words_become_numbers(table) -> None:
    assert table.names == ("backpack", "top")
    assert table.values == (("no", "yes"), ("blue", "red"))
    assert table.of(np.array([1, 3, 4, 2, 99])).tolist() == [[0, 0], [0, 1], [1, 0], [0, -1], [-1, -1]]


def test_attributes_of_other_people_are_read(table) -> None:
    rng = np.random.default_rng(0)
    head = fit_attributes(*crops(table, range(1, 41), rng), table, "abc")
    assert head.origin == "abc"
    x, identities = crops(table, range(41, 61), rng)
    backpack, top = score_attributes(head.predict(x), head, table.of(identities))
    assert backpack.balanced > 0.9
    assert top.accuracy > 0.95
    assert top.entries < backpack.entries == 60  # of every third person nobody knows the colour
    assert backpack.commonest == pytest.approx(0.75)
    assert max(backpack.calibration, top.calibration) < 0.1


def test_noise_is_not_read(table) -> None:
    rng = np.random.default_rng(1)
    _, identities = crops(table, range(1, 41), rng)
    head = fit_attributes(rng.normal(size=(120, 8)).astype(np.float32), identities, table)
    said = head.predict(rng.normal(size=(200, 8)).astype(np.float32))
    assert said[:, 1].mean() == pytest.approx(0.25, abs=0.06)  # as often as it is so
    assert said[:, 1].std() < 0.1


def test_scores_by_hand(table) -> None:
    rng = np.random.default_rng(0)
    head = fit_attributes(*crops(table, range(1, 41), rng), table)
    said = np.array([[0.9, 0.1, 0.5, 0.5], [0.9, 0.1, 0.5, 0.5], [0.9, 0.1, 0.2, 0.8]], np.float32)
    backpack, top = score_attributes(said, head, np.array([[0, -1], [0, -1], [1, 1]]))
    assert backpack.accuracy == pytest.approx(2 / 3)
    assert backpack.balanced == pytest.approx(1 / 2)
    assert backpack.calibration == pytest.approx(0.9 - 2 / 3)
    assert (top.accuracy, top.entries) == (1, 1)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("backpack\nyes\n", "expected a column identity"),
        ("identity,backpack\nx,yes\n", r"attributes\.csv:2: expected an identity"),
        ("identity,backpack\n1,yes\n2,yes\n", "backpack has fewer than two values"),
    ],
)
def test_broken_tables(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "attributes.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_attribute_table(path)
    with pytest.raises(FileNotFoundError, match="no such attributes"):
        read_attribute_table(tmp_path / "none.csv")


def test_an_attribute_that_nobody_scored_has_leaves_the_others(table) -> None:
    rng = np.random.default_rng(0)
    head = fit_attributes(*crops(table, range(1, 41), rng), table)
    x, people = crops(table, range(41, 61), rng)
    truth = table.of(people)
    truth[:, 0] = -1
    backpack, top = score_attributes(head.predict(x), head, truth)
    assert backpack.entries == 0
    assert np.isnan([backpack.accuracy, backpack.balanced, backpack.commonest, backpack.calibration]).all()
    assert top == score_attributes(head.predict(x), head, table.of(people))[1]
