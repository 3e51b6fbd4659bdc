"""Ultralytics, told to report nothing: it counts uses, and can stream whole trainings to services."""

from contextlib import suppress
from importlib import import_module

__all__ = ["silence_ultralytics"]

# What its settings turn on. In memory only: the file is the user's, whose other programs may read it.
_REPORTS = (
    *("sync", "hub", "clearml", "comet", "dvc", "mlflow", "neptune", "raytune", "tensorboard", "wandb"),
)
# Modules whose callbacks send what a training does, whatever the settings say.
_SENDERS = ("ultralytics.utils.callbacks.platform", "ultralytics.utils.callbacks.hub")


def silence_ultralytics() -> None:
    """Turns off what Ultralytics would send; call it once the package is imported, before it is used."""
    from ultralytics.utils import SETTINGS

    for name in (*_REPORTS, "api_key"):
        if name in SETTINGS:
            dict.__setitem__(SETTINGS, name, "" if name == "api_key" else False)
    for name in _SENDERS:
        with suppress(ImportError, AttributeError):
            import_module(name).callbacks.clear()
    for name in ("ultralytics.utils.events", "ultralytics.hub.utils"):
        with suppress(ImportError, AttributeError):
            import_module(name).events.enabled = False
