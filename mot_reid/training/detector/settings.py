"""How a detector is fine-tuned; apart from the training, so that the command line need not load torch."""

from dataclasses import dataclass

from mot_reid.settings import Settings, setting

__all__ = ["FineTuning"]


@dataclass(frozen=True)
class FineTuning(Settings):
    """How the detector is fine-tuned."""

    epochs: int = setting(12, "passes over the pictures", low=1)
    image_size: int = setting(640, "side of the square training pictures, pixels", low=32, step=32)
    batch: int = setting(8, "pictures in a step", low=1)
    learning_rate: float = setting(2e-4, "AdamW's, at its height; it falls linearly to a tenth", low=0)
    freeze: int = setting(
        11, "first modules that stay as they are; 11: YOLO11's and YOLO26's backbone", low=0
    )
    mosaic: float = setting(0.7, "share of the training pictures pieced together from four", low=0, high=1)
    plain_epochs: int = setting(1, "last epochs, without mosaics", low=0)
    least_scale: float = setting(0.5, "training pictures are scaled by at least this factor", low=0.05)
    most_scale: float = setting(1.5, "and at most this one", low=0.05)
    tuned_share: float = setting(
        0.5,
        "weight of the fine-tuned weights in the mean with the start's; 1 keeps them alone",
        low=0,
        high=1,
    )
    seed: int = setting(0, "of shuffling and augmentation", low=0)
