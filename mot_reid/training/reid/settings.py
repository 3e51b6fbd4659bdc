"""Settings of a training of the embedder: one frozen dataclass, to and from YAML as the tracker's."""

from __future__ import annotations

from dataclasses import dataclass, field

from mot_reid.settings import Settings, SettingsTree, setting

__all__ = [
    "ARCHITECTURES",
    "AugmentationSettings",
    "BatchSettings",
    "DataSettings",
    "DistillationSettings",
    "LossSettings",
    "NetworkSettings",
    "OptimiserSettings",
    "ScheduleSettings",
    "TrainingSettings",
]

ARCHITECTURES = ("mgn", "pcb", "plain", "aligned")


@dataclass(frozen=True)
class DataSettings(Settings):
    """Which crops are learnt from, and at which size."""

    height: int = setting(192, "height of the network's input, pixels", low=96, high=1536, step=96)
    width: int = setting(96, "width of the network's input, pixels", low=16, high=1024)
    held_out: int = setting(100, "identities kept for validation, chosen by the seed", low=0)
    pattern: str = setting(
        "",
        "regular expression with the groups identity and camera for file names, or with a slash in it for "
        "paths below the folder; empty for the known sets",
    )
    attributes: str = setting(
        "", "CSV file with the column identity and one for each attribute; empty for none"
    )


@dataclass(frozen=True)
class NetworkSettings(Settings):
    """What is trained."""

    architecture: str = setting(
        "mgn",
        "mgn (three branches, eight features), pcb (one branch, six strips), plain (one feature) or aligned "
        "(one feature of the whole, six of parts whose masks are learnt)",
        choices=ARCHITECTURES,
    )
    backbone: str = setting(
        "osnet_x0_25", "network below the features, such as osnet_x0_25, osnet_x1_0, resnet50"
    )
    reduced_dim: int = setting(64, "length of each feature; the embedding is all of them in a row", low=1)
    relu: bool = setting(False, "end each feature with a ReLU, as the MGN paper does")
    pooling: str = setting(
        "max", "max, avg or gem (a mean of learned power); of mgn", choices=("max", "avg", "gem")
    )
    global_stride: int = setting(
        2, "1 makes the global branch's map as fine as the others'; of mgn", low=1, high=2
    )
    bnneck: bool = setting(False, "another batch normalisation behind each feature; of mgn")
    wide_softmax: bool = setting(
        False, "classify by the unreduced global features, as the paper does; of mgn"
    )
    initial: str = setting(
        "",
        "weights to start from: .safetensors of ours, a backbone's .pth, an OSNet's .onnx; empty for random",
    )
    frozen: int = setting(0, "the stem's first layers that stay as they started", low=0)
    frozen_norms: bool = setting(False, "keep the statistics of the backbone's batch normalisations")


@dataclass(frozen=True)
class LossSettings(Settings):
    """What is minimised: a weighted sum; a loss of weight 0 is left out."""

    softmax: float = setting(1.0, "weight of the classification of identities (every feature)", low=0)
    triplet: float = setting(1.0, "weight of batch-hard triplets (features of the whole body)", low=0)
    contrastive: float = setting(
        0.0, "weight of the contrastive loss of pairs (features of the whole body)", low=0
    )
    attributes: float = setting(0.0, "weight of the classification of attributes (the embedding)", low=0)
    smoothing: float = setting(0.1, "share of a label that is spread over all identities", low=0, high=0.99)
    margin: float = setting(1.2, "margin of the triplets, a Euclidean distance", low=0)
    contrastive_margin: float = setting(
        1.0, "margin of the contrastive loss, a distance between unit vectors", low=0, high=2
    )


@dataclass(frozen=True)
class DistillationSettings(Settings):
    """Learning from a teacher, another embedder."""

    teachers: tuple[str, ...] = setting((), "embedders to learn from as well: .onnx, or OpenVINO's .xml")
    unlabelled: tuple[str, ...] = setting(
        (), "folders to learn from the teachers alone: crops, or pictures with person boxes in YOLO's layout"
    )
    made_up: int = setting(
        0,
        "people to make up from the labelled and unlabelled crops (other halves, other colours), "
        "to learn from the teachers as well",
        low=0,
    )
    fitted: int = setting(
        0,
        "crops on which heads that no initial weights have are fitted to the teachers; 0 for random ones",
        low=0,
    )
    weight: float = setting(5.0, "weight of the teachers' loss", low=0)
    relation: float = setting(
        5.0, "weight, in the teachers' loss, of likenesses between crops against the crops' own", low=0
    )


@dataclass(frozen=True)
class BatchSettings(Settings):
    """What a step sees."""

    people: int = setting(16, "identities in a batch", low=2)
    images: int = setting(4, "crops of each identity in a batch", low=1)
    unlabelled: int = setting(
        16, "unlabelled crops in a batch beside the labelled ones, if there are any", low=1
    )


@dataclass(frozen=True)
class OptimiserSettings(Settings):
    """How weights are changed."""

    name: str = setting("adam", "adam, adamw or sgd (momentum 0.9)", choices=("adam", "adamw", "sgd"))
    learning_rate: float = setting(1e-3, "highest learning rate, after the warm-up", low=0)
    backbone_rate: float = setting(1.0, "learning rate of stem and branches against that of the heads", low=0)
    weight_decay: float = setting(5e-4, "L2 penalty; adamw's is decoupled", low=0)
    clip: float = setting(10.0, "largest norm of the gradient; 0 for no limit", low=0)
    ema: float = setting(
        0.995,
        "decay of the moving average of the weights, which is evaluated and saved; 0 for none",
        low=0,
        high=1,
    )
    keep: float = setting(
        0.0, "share of the initial backbone in what is evaluated and saved (WiSE-FT)", low=0, high=1
    )


@dataclass(frozen=True)
class ScheduleSettings(Settings):
    """How long, and how the learning rate changes."""

    epochs: int = setting(8, "times through the labelled crops", low=0)
    warmup: float = setting(0.07, "share of the steps in which the learning rate rises from 0", low=0, high=1)
    shape: str = setting(
        "cosine",
        "how the learning rate falls: cosine (down to 0) or step (at the milestones)",
        choices=("cosine", "step"),
    )
    milestones: tuple[float, ...] = setting(
        (0.8, 0.95), "shares of the steps at which a schedule of steps divides the learning rate"
    )
    divisor: float = setting(10.0, "number by which a schedule of steps divides the learning rate", low=1)
    keep_all: bool = setting(False, "keep the embedder of every epoch, not only of the last")


@dataclass(frozen=True)
class AugmentationSettings(Settings):
    """How crops vary."""

    flip: float = setting(0.5, "probability of a horizontal flip", low=0, high=1)
    shift: float = setting(
        0.06, "largest shift (pad and crop), a share of the size; edges repeat", low=0, high=1
    )
    zoom: float = setting(
        0.0,
        "largest relative change of the box's size, height and width by themselves; edges repeat",
        low=0,
        high=1,
    )
    cover: float = setting(
        0.0, "probability that 10 to 45 % are hidden by another crop or a flat patch", low=0, high=1
    )
    brightness: float = setting(0.2, "largest relative change of the intensity", low=0, high=1)
    contrast: float = setting(0.2, "largest relative change of the contrast", low=0, high=1)
    saturation: float = setting(0.25, "largest relative change of the saturation", low=0, high=1)
    gamma: float = setting(1.25, "largest exponent of the intensity, and the inverse of the smallest", low=1)
    cast: float = setting(0.0, "largest relative change of each colour channel by itself", low=0, high=1)
    coarse: float = setting(0.25, "probability of losing resolution, by 1.5 to 4", low=0, high=1)
    erase: float = setting(
        0.0, "probability of random erasing: helps on the set trained on, hurts on others", low=0, high=1
    )


@dataclass(frozen=True)
class TrainingSettings(SettingsTree):
    """All settings of a training."""

    device: str = setting("auto", "cpu, cuda, cuda:1, mps, or auto for the best there is")
    precision: str = setting(
        "auto",
        "fp32, bf16 or fp16 (mixed), or auto: mixed on CUDA (bf16 where it has that), else fp32",
        choices=("auto", "fp32", "bf16", "fp16"),
    )
    seed: int = setting(0, "decides the split, the batches, the augmentation and the initial heads", low=0)
    data: DataSettings = field(default_factory=DataSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    losses: LossSettings = field(default_factory=LossSettings)
    distillation: DistillationSettings = field(default_factory=DistillationSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
    optimiser: OptimiserSettings = field(default_factory=OptimiserSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    augmentation: AugmentationSettings = field(default_factory=AugmentationSettings)
