from dataclasses import fields, is_dataclass
from typing import Any

import pytest

from mot_reid.config import Config, load_config
from mot_reid.resources import shipped
from mot_reid.settings import dump_settings


def test_default_yaml_equals_the_defaults() -> None:
    path = shipped("configs") / "default.yaml"
    assert load_config(path) == Config()
    assert path.read_text() == dump_settings(Config()), "run: mot-reid config > configs/default.yaml"


def test_every_shipped_configuration_loads() -> None:
    for path in shipped("configs").glob("*.yaml"):
        load_config(path)


def test_every_setting_has_help() -> None:
    def check(part: Any) -> None:
        for item in fields(part):
            below = getattr(part, item.name)
            if is_dataclass(below):
                check(below)
            else:
                assert item.metadata["help"], item.name

    check(Config())


def test_overrides_are_a_list_and_a_configuration_a_file() -> None:
    with pytest.raises(TypeError, match=r"overrides: expected a list .* got 'detector\.score=0\.3'"):
        load_config(None, "detector.score=0.3")
    with pytest.raises(TypeError, match="config: expected a YAML file or a known method, got dict"):
        load_config({"device": "cpu"})  # type: ignore[arg-type]
