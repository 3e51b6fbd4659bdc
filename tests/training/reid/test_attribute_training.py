"""``mot-reid train-attributes``, from pictures of people with clothes of two colours to a search for one."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from mot_reid.appearance.attributes import load_attributes
from mot_reid.gallery.fingerprint import weights_fingerprint
from mot_reid.resources import find_weights
from mot_reid.training.reid.attribute_head import read_attribute_table
from mot_reid.training.reid.attribute_training import read_attributes_of_people, tracklet_means

EMBEDDER = "mgn_osnet_lct_x0_5.safetensors"
COLOURS = {"red": (40, 40, 200), "blue": (200, 60, 30)}


@pytest.fixture(scope="module")
def people(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """24 made-up people of three crops in two cameras each; every second one wears blue."""
    folder = tmp_path_factory.mktemp("people")
    pictures = folder / "bounding_box_train"
    pictures.mkdir()
    rng = np.random.default_rng(0)
    for person in range(1, 25):
        top = np.array(COLOURS[("red", "blue")[person % 2]]) + rng.integers(-25, 25, 3)
        legs, ground = rng.integers(20, 90, 3), rng.integers(60, 200, 3)
        for number in range(3):
            crop = np.full((128, 64, 3), ground, np.int64)
            crop[24:70, 16:48], crop[70:124, 18:46] = top, legs
            cv2.ellipse(picture := crop.astype(np.float32), (32, 14), (8, 10), 0, 0, 360, (120, 150, 190), -1)
            noisy = np.clip(picture + rng.normal(0, 12, picture.shape), 0, 255).astype(np.uint8)
            name = f"{person:04}_c{1 + number % 2}s1_{100 + 40 * number:06}_01.jpg"
            cv2.imwrite(str(pictures / name), noisy)
    (folder / "attributes.csv").write_text(
        "identity,upper_colour\n" + "".join(f"{p},{('red', 'blue')[p % 2]}\n" for p in range(1, 25))
    )
    return folder


def test_a_head_reads_the_clothes_of_people_it_never_saw(people: Path, run, tmp_path: Path) -> None:
    out = tmp_path / "head.safetensors"
    table = people / "attributes.csv"
    options = ("--attributes", table, "--held-out", 8, "--tables", tmp_path / "tables", "-o", out, "--quiet")
    done = run("train-attributes", people, EMBEDDER, *options)
    assert done.code == 0, done.err
    assert f"written: {out}" in done.out
    head = load_attributes(out)
    assert head.labels == ("upper_colour=blue", "upper_colour=red")
    assert head.origin == weights_fingerprint(find_weights(EMBEDDER, (".safetensors", ".onnx")))
    (row,) = json.loads((tmp_path / "tables/mgn_osnet_lct_x0_5_attributes.json").read_text())["rows"]
    assert row["attribute"] == "upper_colour"
    assert row["accuracy"] > 85
    assert row["tracklets"] == 16  # eight people, once in each camera


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--attributes", "nowhere.csv"), "no such attributes: nowhere.csv"),
        (("--held-out", 23, "--attributes", "{table}"), "held_out must be 0 to 22 of 24 identities; got 23"),
        (("-o", "{table}", "--attributes", "{table}"), "attributes.csv: that is what is read"),
        (("-o", "x.txt", "--attributes", "{table}"), "x.txt: expected a name that ends in .safetensors"),
        (
            ("-o", "{table}/x.safetensors", "--attributes", "{table}"),
            "attributes.csv: cannot write to output",
        ),
    ],
)
def test_what_cannot_be_learnt_is_told(people: Path, run, arguments: tuple, message: str) -> None:
    table = people / "attributes.csv"
    given = [str(part).format(table=table) for part in arguments]
    done = run("train-attributes", people, EMBEDDER, *given, "--quiet")
    assert done.code == 2
    assert message in done.err


def test_an_embedder_is_not_written_over(people: Path, run, tmp_path: Path) -> None:
    own = tmp_path / "own.safetensors"
    content = find_weights(EMBEDDER, ()).read_bytes()
    own.write_bytes(content)
    done = run("train-attributes", people, own, "--attributes", people / "attributes.csv", "-o", own, "-q")
    assert done.code == 2
    assert "own.safetensors: that is what is read" in done.err
    assert own.read_bytes() == content


def test_another_layout_is_told_before_the_work(people: Path) -> None:
    table = read_attribute_table(people / "attributes.csv")

    def embed(images: np.ndarray) -> np.ndarray:
        raise AssertionError("the work began")

    with pytest.raises(ValueError, match="expected PERSON/CAMERA_NUMBER"):
        read_attributes_of_people(embed, (96, 48), people / "bounding_box_train", table, held_out=8)


def test_means_of_tracklets_by_hand() -> None:
    means, first = tracklet_means(np.array([[1, 0], [0, 2], [3, 0]], np.float32), np.array([1, 0, 1]))
    np.testing.assert_allclose(means, [[0, 2], [2, 0]])
    assert first.tolist() == [1, 0]
