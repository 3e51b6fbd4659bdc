from dataclasses import fields, is_dataclass
from typing import Any

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
