import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mot_reid.config import AssociationConfig, Config, DetectorConfig, TentativeConfig, load_config
from mot_reid.settings import changed_settings, dump_settings, with_settings


def test_overrides_come_last(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("association:\n  tentative:\n    min_hits: 5\n    activation_share: 0.4\ndevice: cpu\n")
    config = load_config(path, ["association.tentative.activation_share=0.6", "detector.classes=[person, 3]"])
    tentative = TentativeConfig(min_hits=5, activation_share=0.6)
    assert config.association == AssociationConfig(tentative=tentative)
    assert config.device == "cpu"
    assert config.detector.classes == ("person", "3")
    assert load_config(None, ["association.low_score=0.3"], base=config).association.tentative.min_hits == 5


def test_changed_settings_are_those_that_are_not_at_their_default() -> None:
    assert changed_settings(Config()) == {}
    settings = ["association.tentative.activation_share=0.6", "detector.classes=[person, car]", "device=cpu"]
    config = load_config(None, [*settings, "association.tentative.min_hits=2"])
    changed = changed_settings(config)
    assert changed == {
        "association.tentative.activation_share": 0.6,
        "detector.classes": ("person", "car"),
        "device": "cpu",
    }


def test_an_empty_file_leaves_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_config(tmp_path / "empty.yaml") == Config()


@pytest.mark.parametrize(
    ("override", "error", "message"),
    [
        (
            "association.tentative.min_hit=3",
            ValueError,
            "association.tentative.min_hit does not exist; did you mean association.tentative.min_hits",
        ),
        ("low_score=3", ValueError, "low_score does not exist; did you mean association.low_score?"),
        (
            "association.lost_time=3",
            ValueError,
            "did you mean association.weak.lost_time or association.revive.lost_time or association.life",
        ),
        ("associations.low_score=3", ValueError, "associations does not exist; did you mean association"),
        ("xyz=3", ValueError, "xyz does not exist; known: device, detector"),
        ("association=3", ValueError, "association: expected settings below it"),
        (
            "association.revive=3",
            ValueError,
            r"association.revive: expected settings below it, such as revive\.",
        ),
        ("association.max_age=3", ValueError, "max_age has gone; association.lifecycle.lost_time, in s"),
        ("association.revive_gate=0.5", ValueError, "has gone; it is association.revive.gate now"),
        (
            "association.tentative.min_iou=0.4",
            ValueError,
            "tentative.min_iou has gone; association.confident.min_iou holds for tentative tracks, too",
        ),
        ("association.smoothing=0", ValueError, "smoothing has gone; the mean of the detection's and"),
        (
            "pipeline.queue=-1",
            ValueError,
            "pipeline.queue: expected a value at least 1, got -1",
        ),
        ("detector.score=1.5", ValueError, "detector.score: expected a value between 0 and 1, got 1.5"),
        ("detector.score=.nan", ValueError, "detector.score: expected a finite number"),
        ("detector.image_size=100", ValueError, "image_size: expected a multiple of 32, got 100"),
        (
            "pipeline.queue=abc",
            TypeError,
            "pipeline.queue: expected int, got str 'abc'",
        ),
        (
            "pipeline.queue=1.5",
            TypeError,
            "pipeline.queue: expected int, got float",
        ),
        (
            "pipeline.queue=true",
            TypeError,
            "pipeline.queue: expected int, got bool",
        ),
        ("output.labels=3", TypeError, "output.labels: expected bool"),
        (
            "output.video=no",
            ValueError,
            r"video has gone; output.formats is .* \[mot, video\]",
        ),
        ("detector.classes=person", TypeError, r"expected a list such as \[person, 3\]"),
        ("device=3", TypeError, "device: expected str, got int 3; here it is cuda:3"),
        ("association.tentative.min_hits", ValueError, "expected NAME=VALUE"),
    ],
)
def test_wrong_settings_are_named(override: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        load_config(None, [override])


def test_former_names_lead_to_settings_that_there_are() -> None:
    """Each is a setting's name, or a sentence; the settings that it names exist, and itself does not."""
    for old, new in Config.renamed.items():
        with pytest.raises(ValueError, match="has gone"):
            load_config(None, [f"{old}=1"])
        for name in re.findall(r"(?:association|output)(?:\.\w+)+", new):
            assert has_setting(name), f"{old}: {name}"
        assert not has_setting(old)


def has_setting(name: str) -> bool:
    part: object = Config()
    for step in name.split("."):
        if not hasattr(part, step):
            return False
        part = getattr(part, step)
    return True


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("association: [1, 2", "not a YAML file"),
        ("- 1\n- 2\n", "expected settings such as 'association:', got list"),
        (
            "association:\n  tentative: {min_hits: x}\n",
            "association.tentative.min_hits: expected int",
        ),
        (
            "association:\n  new_share: 0.7\n",
            "my.yaml: setting association.new_share has gone",
        ),
        ("\x00\x01", "not a YAML file"),
        ("tracker_type: bytetrack\ntrack_buffer: 30\n", "of a tracker of Ultralytics; --preset"),
    ],
)
def test_wrong_files_are_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "my.yaml"
    path.write_text(content)
    with pytest.raises((ValueError, TypeError), match=message):
        load_config(path)
    with pytest.raises(FileNotFoundError, match=r"configuration file not found: .*nowhere\.yaml"):
        load_config(tmp_path / "nowhere.yaml")


@given(
    st.floats(0, 1),
    st.integers(1, 10**6),
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1), max_size=3),
)
def test_settings_survive_the_way_through_yaml(score: float, hits: int, classes: list[str]) -> None:
    config = Config(
        detector=DetectorConfig(score=score, classes=tuple(classes)),
        association=AssociationConfig(tentative=TentativeConfig(min_hits=hits)),
    )
    assert with_settings(Config(), yaml.safe_load(dump_settings(config))) == config


def test_a_known_method_given_as_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"bytetrack\.yaml; the known method is bytetrack"):
        load_config(tmp_path / "bytetrack.yaml")
