from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from mot_reid.appearance.attributes import AttributeHead, load_attributes, save_attributes


@pytest.fixture
def head() -> AttributeHead:
    """Reads a backpack in the first number, and the colour of the top in the other two."""
    weight = np.array([[0, 0, 0], [4, 0, 0], [0, 3, 0], [0, 0, 3]], np.float32)
    bias = np.array([0, -2, 0, 0], np.float32)
    return AttributeHead(("backpack", "top"), (("no", "yes"), ("blue", "red")), weight, bias, "abc")


def test_probabilities_by_hand(head: AttributeHead) -> None:
    assert head.labels == ("backpack=no", "backpack=yes", "top=blue", "top=red")
    found = head.predict(np.array([[2, 0, 0], [0, 0, 0.5]], np.float32))  # lengths do not matter
    yes, red = 1 / (1 + np.exp(-2)), 1 / (1 + np.exp(-3))
    expected = [[1 - yes, yes, 0.5, 0.5], [yes, 1 - yes, 1 - red, red]]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_descriptions_are_mappings(head: AttributeHead) -> None:
    (described,) = head.describe(np.array([[1, 0, 0]], np.float32))
    assert described["backpack=yes"] == pytest.approx(0.8808, abs=1e-4)
    assert list(described) == list(head.labels)
    assert head.predict(np.empty((0, 3), np.float32)).shape == (0, 4)


def test_embeddings_of_another_embedder_are_refused(head: AttributeHead) -> None:
    with pytest.raises(ValueError, match=r"embeddings must be \(N, 3\); got \(2, 5\)"):
        head.predict(np.zeros((2, 5), np.float32))


def test_a_head_is_written_and_read(head: AttributeHead, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    save_attributes(path, head)
    found = load_attributes(path)
    assert (found.names, found.values, found.origin) == (head.names, head.values, "abc")
    np.testing.assert_array_equal(found.weight, head.weight)
    with pytest.raises(FileNotFoundError, match="no such attributes"):
        load_attributes(tmp_path / "none.safetensors")
    path.write_bytes(b"nonsense")
    with pytest.raises(ValueError, match=r"head\.safetensors: no head for attributes"):
        load_attributes(path)
    save_attributes(path, head._replace(values=(("no", "yes"), ("blue", "green", "red"))))
    with pytest.raises(ValueError, match="5 values of 2 attributes"):
        load_attributes(path)


@pytest.mark.parametrize(
    ("names", "values"),
    [
        ("null", "null"),
        ('["a"]', "[1]"),
        ('["a"]', '["xy"]'),
        ('["a"]', "[[1, 2]]"),
        ('{"a": 1}', '[["x", "y"]]'),
        ("[", "]"),
    ],
)
def test_names_that_are_none_are_refused(tmp_path: Path, names: str, values: str) -> None:
    path = tmp_path / "head.safetensors"
    layer = {"weight": np.zeros((2, 3), np.float32), "bias": np.zeros(2, np.float32)}
    save_file(layer, str(path), {"names": names, "values": values})
    with pytest.raises(ValueError, match=r"head\.safetensors: no head for attributes: "):
        load_attributes(path)


def test_a_layer_that_is_not_finite_is_refused(head: AttributeHead, tmp_path: Path) -> None:
    path = tmp_path / "head.safetensors"
    save_attributes(path, head._replace(bias=np.array([0, np.nan, 0, 0], np.float32)))
    with pytest.raises(ValueError, match=r"head\.safetensors: its layer holds values that are not finite"):
        load_attributes(path)
