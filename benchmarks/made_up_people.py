"""Trains the default embedder on with people who are made up, and takes the mean with what was before.

    MOT_REID_DATA=DIR python benchmarks/made_up_people.py BEFORE.safetensors
    mot-reid export mgn_osnet_lct_x0_5.safetensors

BEFORE, such as the shipped file, goes on learning from the two teachers alone: 16 crops of Market-1501's
identities that are not held out and 64 others a step, people of persondet and persondet2 and for the most
part people who are made up from all of these (`mot_reid.training.reid.made_up`), of whom the teachers have
an opinion as well. What came of three such trainings: docs/notes/2026-12-01-made-up-people.md. About 20
minutes of one core with bfloat16 for the teachers, 42 for the training. Needs the extras train and openvino.
"""

import argparse
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from mot_reid.appearance.checkpoints import load_checkpoint, save_checkpoint
from mot_reid.appearance.crops import IMAGENET_MEAN, IMAGENET_STD
from mot_reid.appearance.mgn import MGN, Pooling
from mot_reid.training.reid.augmentation import normalise
from mot_reid.training.reid.centring import centred
from mot_reid.training.reid.crops import hold_out
from mot_reid.training.reid.data import TrainingData
from mot_reid.training.reid.datasets import list_crops, read_pictures
from mot_reid.training.reid.made_up import make_up
from mot_reid.training.reid.settings import (
    AugmentationSettings,
    BatchSettings,
    DataSettings,
    DistillationSettings,
    LossSettings,
    NetworkSettings,
    OptimiserSettings,
    ScheduleSettings,
    TrainingSettings,
)
from mot_reid.training.reid.trainer import Trainer
from mot_reid.training.reid.unlabelled import box_source

TEACHERS = {"person-reidentification-retail-0277.xml": 0.6, "person-reidentification-retail-0267.onnx": 0.4}
"""Their weights in the cosine that is learnt."""
ASKED, HEIGHT = (256, 128), 192
"""Height and width of the teachers' crops, height of ours."""
SMALLEST, BATCH = 48, 16
EACH = 512
"""Crops of each kind whose mean embedding is taken off."""

Ask = Callable[[np.ndarray], np.ndarray]


def main() -> None:
    """Runs the command."""
    parser = training_parser(__doc__)
    parser.add_argument("--made-up", nargs="+", default=["2:27200"], metavar="SEED:COUNT", help="people")
    parser.add_argument("--width", type=int, default=80, help="of our crops")
    parser.set_defaults(output=Path("mgn_osnet_lct_x0_5.safetensors"), run=Path("runs/made-up-people"))
    parser.set_defaults(rate=1e-3, share=0.5)
    chosen = parse_training(parser)
    market, classes, people = read_crops(chosen.data)
    ask = open_teachers(chosen.weights)
    made = [made_up_blocks(people, market, *map(int, text.split(":"))) for text in chosen.made_up]
    parts = [asked(ask, blocks, chosen.width) for blocks in (batches(market), batches(people), *made)]
    images, teacher = (np.concatenate(column) for column in zip(*parts, strict=True))
    data = TrainingData(images, classes, teacher=teacher)
    learnt = settings(chosen.before, chosen.width, chosen.epochs, chosen.rate)
    trained = Trainer(data, chosen.run, learnt).run().embedder
    save_mean(chosen.before, trained, chosen.share, [part[0] for part in parts[:3]], chosen.output)
    print(f"written: {chosen.output}")


def training_parser(description: str | None) -> argparse.ArgumentParser:
    """The options of a training with made-up people; defaults of its own are the caller's."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("before", type=Path, help="checkpoint that goes on learning")
    parser.add_argument("-o", "--output", type=Path)
    parser.add_argument("--data", type=Path, default=os.environ.get("MOT_REID_DATA"))
    parser.add_argument("--weights", type=Path, help="folder of the teachers; default: DATA/../weights")
    parser.add_argument("--run", type=Path, help="folder of the training")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rate", type=float, help="highest learning rate")
    parser.add_argument("--share", type=float, help="of the trained weights in the mean")
    return parser


def parse_training(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """What was chosen; one thread for each process from here on."""
    chosen = parser.parse_args()
    if chosen.data is None:
        parser.error("give --data, or set MOT_REID_DATA")
    chosen.weights = chosen.weights or chosen.data / ".." / "weights"
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    return chosen


def read_crops(data: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Market-1501's crops without the held-out identities, their classes, and all people of both others."""
    files = list_crops(data / "market1501")
    learnt = ~hold_out(files.identities, 100, 0)
    market = read_pictures([path for path, kept in zip(files.paths, learnt, strict=True) if kept], ASKED)
    classes = np.unique(files.identities[learnt], return_inverse=True)[1].astype(np.int64)
    folders = (data / name / "train" for name in ("persondet", "persondet2"))
    return market, classes, np.concatenate([box_source(f, smallest=SMALLEST).read(ASKED) for f in folders])


def batches(crops: np.ndarray) -> Iterator[np.ndarray]:
    """Batches of the teachers' size."""
    yield from (crops[start : start + BATCH] for start in range(0, len(crops), BATCH))


def made_up_blocks(people: np.ndarray, market: np.ndarray, seed: int, count: int) -> Iterator[np.ndarray]:
    """Batches of people who do not exist."""
    rng = np.random.default_rng(seed)
    for _ in range(count // BATCH):
        yield np.stack([make_up((people, market), rng) for _ in range(BATCH)])


def open_teachers(folder: Path) -> Ask:
    """What the teachers say of up to `BATCH` crops (n, 256, 128, 3), L2-normalised."""
    import openvino

    hints = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "bf16"}
    core, models = openvino.Core(), []
    for name in TEACHERS:
        model = core.read_model(str(folder / name))
        model.reshape([BATCH, 3, *ASKED])
        models.append(core.compile_model(model, "CPU", hints))
    mean, std = (np.array(values, np.float32).reshape(3, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))

    def ask(crops: np.ndarray) -> np.ndarray:
        whole = np.concatenate((crops, np.repeat(crops[:1], BATCH - len(crops), axis=0)))
        pixels = whole.transpose(0, 3, 1, 2).astype(np.float32)
        inputs = (np.ascontiguousarray(pixels[:, ::-1]), (pixels / 255 - mean) / std)  # BGR; RGB
        said = [np.array(model(value)[0])[: len(crops)] for model, value in zip(models, inputs, strict=True)]
        unit = [part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12) for part in said]
        shares = np.sqrt(list(TEACHERS.values()))
        parts = [share * part for share, part in zip(shares, unit, strict=True)]
        return np.concatenate(parts, axis=1).astype(np.float32)

    return ask


def asked(ask: Ask, blocks: Iterator[np.ndarray], width: int) -> tuple[np.ndarray, np.ndarray]:
    """The crops in our size, and what the teachers say of them."""
    images, said = [], []
    for block in blocks:
        said.append(ask(block))
        images.append(shrunk(block, width))
    return np.concatenate(images), np.concatenate(said)


def shrunk(crops: np.ndarray, width: int) -> np.ndarray:
    """Crops in our size."""
    return np.stack([cv2.resize(crop, (width, HEIGHT), interpolation=cv2.INTER_AREA) for crop in crops])


def inputs(crops: np.ndarray) -> list[Tensor]:
    """Normalised crops, 64 at a time."""
    pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
    return [normalise(part, IMAGENET_MEAN, IMAGENET_STD) for part in torch.split(pixels, 64)]


def mean(
    states: Sequence[Mapping[str, Tensor]],
    shares: Sequence[float],
    backbone: str = "osnet_lct_x0_5",
    pooling: Pooling = "max",
) -> MGN:
    """A network whose weights are the mean of others', each with its share of all."""
    model = MGN(backbone, 64, relu=False, pooling=pooling).eval()
    weights = np.array(shares) / sum(shares)
    model.load_state_dict(
        {
            name: sum(share * state[name] for share, state in zip(weights.tolist(), states, strict=True))
            if first.is_floating_point()
            else first
            for name, first in states[0].items()
        }
    )
    return model


def settings(before: Path, width: int, epochs: int, rate: float) -> TrainingSettings:
    """Of the training."""
    return TrainingSettings(
        device="cpu",
        precision="bf16",
        data=DataSettings(width=width),
        network=NetworkSettings(backbone="osnet_lct_x0_5", initial=str(before), frozen=4, frozen_norms=True),
        losses=LossSettings(softmax=0, triplet=0),
        distillation=DistillationSettings(teachers=tuple(TEACHERS), fitted=2000, weight=20),
        batch=BatchSettings(people=4, images=4, unlabelled=64),
        optimiser=OptimiserSettings(learning_rate=rate, backbone_rate=1.0, weight_decay=2e-5),
        schedule=ScheduleSettings(epochs=epochs),
        augmentation=AugmentationSettings(
            zoom=0.15, shift=0.08, cover=0.4, gamma=1.6, cast=0.15, contrast=0.25
        ),
    )


@torch.no_grad()
def save_mean(before: Path, trained: Path, share: float, kinds: list[np.ndarray], output: Path) -> None:
    """Writes the mean of two embedders' weights, centred on crops of each kind."""
    states = [load_checkpoint(path).module.state_dict() for path in (before, trained)]
    model = mean(states, (1 - share, share))
    rng = np.random.default_rng(0)
    pool = np.concatenate([kind[rng.permutation(len(kind))[:EACH]] for kind in kinds])
    notes = {"made by": "benchmarks/made_up_people.py"}
    save_checkpoint(output, centred(model, inputs(pool)), input_size=(HEIGHT, pool.shape[2]), notes=notes)


if __name__ == "__main__":
    main()
