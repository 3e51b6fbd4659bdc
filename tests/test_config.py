from dataclasses import fields, is_dataclass

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
    for item in fields(Config):
        part = getattr(Config(), item.name)
        for entry in fields(part) if is_dataclass(part) else [item]:
            assert entry.metadata["help"], entry.name
