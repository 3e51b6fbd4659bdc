"""How a detector is fine-tuned; apart from the training, so that the command line need not load torch."""

from dataclasses import dataclass

from mot_reid.settings import Settings, setting

__all__ = ["DetectorTraining", "FineTuning"]


@dataclass(frozen=True)
class FineTuning(Settings):
    """How the detector is fine-tuned."""

    epochs: int = setting(8, "times that --pictures are learnt from", low=1)
    runs: int = setting(
        2, "trainings, each with crops and pictures of its own, whose weights are averaged", low=1
    )
    pictures: int = setting(1600, "training pictures made up for an epoch", low=1)
    image_size: int = setting(640, "width of the training pictures, pixels", low=32, step=32)
    image_height: int = setting(384, "height of the training pictures, pixels", low=32, step=32)
    batch: int = setting(8, "pictures in a step", low=1)
    learning_rate: float = setting(
        2e-4, "highest learning rate, AdamW's; it falls linearly to a twentieth", low=0
    )
    backbone_rate: float = setting(
        0.25, "learning rate of the backbone against that of the rest; 0 leaves it as it is", low=0
    )
    bf16: bool = setting(
        False, "compute in bfloat16: faster on a CPU that has it (AVX512-BF16, AMX), very slow on others"
    )
    cutouts: int = setting(3000, "crops of --people that a run takes, at most", low=1)
    crowds: float = setting(
        0.5, "share of the training pictures that are filled with people of --people", low=0, high=1
    )
    kept_share: float = setting(
        0.375,
        "share of the training pictures, of --yolo alone, on which the start's answers count as well",
        low=0,
        high=1,
    )
    keep_weight: float = setting(1.0, "weight of the start's answers", low=0)
    tuned_share: float = setting(
        0.9,
        "weight of the fine-tuned network in its mean with the start; 1 keeps it alone",
        low=0,
        high=1,
    )
    seed: int = setting(0, "seed of the first run; each later run has the next number", low=0)


@dataclass(frozen=True)
class DetectorTraining(Settings):
    """How the detector is trained."""

    epochs: int = setting(10, "times that --pictures are learnt from", low=1)
    pictures: int = setting(1200, "training pictures of 640x384, or as many pixels, in an epoch", low=1)
    batch: int = setting(8, "training pictures in a step", low=1)
    learning_rate: float = setting(1.5e-4, "highest learning rate, AdamW's; it falls to a twentieth", low=0)
    backbone_rate: float = setting(0.5, "learning rate of the backbone against that of the rest", low=0)
    frozen: int = setting(
        5, "parts of the backbone that stay as they are, of five: stem and four stages", low=0, high=5
    )
    reuse: int = setting(
        6,
        "times that each picture is learnt from; more than once where all of the backbone is frozen, whose "
        "maps are kept in memory",
        low=1,
    )
    depthwise: bool = setting(False, "train the depthwise convolutions, too: a twentieth of the weights")
    bf16: bool = setting(
        False, "compute in bfloat16: faster on a CPU that has it (AVX512-BF16, AMX), very slow on others"
    )
    crowds: float = setting(
        0.4, "share of the training pictures that are filled with people cut out of others", low=0, high=1
    )
    kept_share: float = setting(
        0.3, "share of the training pictures on which the start's answers count as well", low=0, high=1
    )
    keep_weight: float = setting(1.0, "weight of the start's answers", low=0)
    average: float = setting(0.996, "decay of the moving average of the weights, a step", low=0, high=1)
    tuned_share: float = setting(
        0.5, "weight of the trained network in its mean with the start; 1 keeps it alone", low=0, high=1
    )
    seed: int = setting(0, "seed of everything that is drawn", low=0)
