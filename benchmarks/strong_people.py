"""Trains the strong embedder's last stages on, with people who are made up.

    MOT_REID_DATA=DIR python benchmarks/strong_people.py BEFORE.safetensors
    mot-reid export mgn_osnet_lct_x1_0.safetensors

BEFORE is what `strong_embedder.py` writes: 0277's backbone with heads that learn its embeddings. Here three
teachers are asked: 0277, 0267 and the default embedder, which is better than both across cameras that nobody
has seen; the first and the last about each crop's mirrored picture, too. The crops are Market-1501's without
the held-out identities, people of persondet and persondet2, and people made up from all of these
(`mot_reid.training.reid.made_up`). Stem and second stage stay as they are, so that OpenVINO passes the crops
through them; the three branches stay one, so that a crop takes no more time than before. In the end the mean
of the weights is taken with BEFORE's. About 20 minutes of two cores with bfloat16 for the teachers, 40 for
the training. Needs the extras train and openvino. How it went: docs/notes/2026-12-02-strong-people.md.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from itertools import repeat
from pathlib import Path

import cv2
import numpy as np
import torch
from made_up_people import (
    ASKED,
    BATCH,
    batches,
    inputs,
    made_up_blocks,
    mean,
    parse_training,
    read_crops,
    training_parser,
)
from torch import Tensor, nn

from mot_reid.appearance.checkpoints import load_checkpoint, save_checkpoint
from mot_reid.appearance.crops import IMAGENET_MEAN, IMAGENET_STD
from mot_reid.appearance.mgn import MGN
from mot_reid.files import atomic
from mot_reid.resources import find_weights
from mot_reid.training.reid.augmentation import augmented_batch, normalise
from mot_reid.training.reid.centring import centred
from mot_reid.training.reid.head_fit import fit_projection
from mot_reid.training.reid.losses import distillation_loss
from mot_reid.training.reid.settings import AugmentationSettings
from mot_reid.training.reid.teachers import open_teacher

SIZE = (288, 128)
"""Height and width of our crops."""
TEACHERS = {
    "person-reidentification-retail-0277.xml": 0.53,
    "person-reidentification-retail-0267.onnx": 0.13,
    "default": 0.34,
}
"""Their weights in the cosine that is learnt."""
UNMIRRORED = ("person-reidentification-retail-0267.onnx",)
"""Who takes too long to be asked about mirrored pictures, too."""
STEP, RELATION, EACH = 64, 5.0, 512
"""Crops of a step; weight of the cosines between crops; crops of each kind whose mean is taken off."""
VARIED = AugmentationSettings(zoom=0.15, shift=0.08, cover=0.4, gamma=1.6, cast=0.15, contrast=0.25)
"""How we see what the teachers saw undisturbed."""

Embed = Callable[[np.ndarray], np.ndarray]
Taught = tuple[np.ndarray, np.ndarray]
"""Crops in our size, and what the teachers say of them."""


def main() -> None:
    """Runs the command."""
    parser = training_parser(__doc__)
    parser.add_argument("--made-up", type=int, default=14400, metavar="COUNT", help="people")
    parser.add_argument("--seed", type=int, default=11, help="of the made-up people")
    parser.set_defaults(output=Path("mgn_osnet_lct_x1_0.safetensors"), run=Path("runs/strong-people"))
    parser.set_defaults(rate=6e-4, share=0.7)
    chosen = parse_training(parser)
    chosen.run.mkdir(parents=True, exist_ok=True)
    kinds = taught(chosen.data, chosen.weights, (chosen.seed, chosen.made_up), chosen.run)
    images, teacher = (np.concatenate(column) for column in zip(*kinds, strict=True))
    model = load_checkpoint(chosen.before).module
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.b2 = model.b3 = model.b1
    for epoch in train(model, images, teacher, chosen.epochs, chosen.rate):
        state = {name: value.clone() for name, value in model.state_dict().items()}
        torch.save(state, chosen.run / f"epoch{epoch}.pt")
    save_mean(before, state, chosen.share, [kind[0] for kind in kinds], chosen.output)
    print(f"written: {chosen.output}")


def taught(data: Path, weights: Path, made_up: tuple[int, int], run: Path) -> list[Taught]:
    """Market-1501's crops, people, and made-up people, with the teachers' answers, which `run` keeps."""
    kept = run / f"taught-{made_up[0]}-{made_up[1]}.npz"
    if not kept.is_file():
        market, _, people = read_crops(data)
        kinds = (batches(market), batches(people), made_up_blocks(people, market, *made_up))
        said = {}
        with ProcessPoolExecutor(2) as pool:
            for number, blocks in enumerate(kinds):
                answers = list(pool.map(answer, blocks, repeat(weights), chunksize=1))
                said |= {
                    f"{name}{number}": np.concatenate(a)
                    for name, a in zip("it", zip(*answers, strict=True), strict=True)
                }
        with atomic(kept) as part:
            np.savez(part, **said)
    with np.load(kept) as file:
        return [(file[f"i{number}"], file[f"t{number}"]) for number in range(3)]


def answer(crops: np.ndarray, weights: Path) -> Taught:
    """Up to `BATCH` crops (n, 256, 128, 3) in our size, and what the teachers say of them."""
    whole = np.concatenate((crops, np.repeat(crops[:1], BATCH - len(crops), axis=0)))
    parts = []
    for embed, (name, share) in zip(teachers(weights), TEACHERS.items(), strict=True):
        said = unit(embed(whole))
        if name not in UNMIRRORED:
            said = unit(said + unit(embed(np.ascontiguousarray(whole[:, :, ::-1]))))
        parts.append(math.sqrt(share) * said[: len(crops)])
    ours = np.stack([cv2.resize(crop, SIZE[::-1], interpolation=cv2.INTER_LINEAR) for crop in crops])
    return ours, np.concatenate(parts, axis=1).astype(np.float32)


def unit(rows: np.ndarray) -> np.ndarray:
    """Rows of length 1."""
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)


@cache
def teachers(weights: Path) -> list[Embed]:
    """What embeds `BATCH` RGB crops, for each of `TEACHERS`; all but 0267 in bfloat16."""
    import openvino

    cv2.setNumThreads(1)
    first, second, ours = TEACHERS
    core, hints = openvino.Core(), {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "bf16"}
    read = core.read_model(str(weights / first))
    read.reshape([BATCH, 3, *ASKED])
    large = core.compile_model(read, "CPU", hints)
    default = load_checkpoint(find_weights(ours, (".safetensors",)))
    height, width = default.input_size
    example = torch.zeros(BATCH, 3, height, width)
    read = openvino.convert_model(default.module.eval(), example_input=example)
    small = core.compile_model(read, "CPU", hints)

    def normal(crops: np.ndarray) -> np.ndarray:
        pixels = torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255
        return normalise(pixels, IMAGENET_MEAN, IMAGENET_STD).contiguous().numpy()

    def resized(crops: np.ndarray) -> np.ndarray:
        return np.stack([cv2.resize(crop, (width, height), interpolation=cv2.INTER_AREA) for crop in crops])

    def bgr(crops: np.ndarray) -> np.ndarray:
        return np.ascontiguousarray(crops.transpose(0, 3, 1, 2)[:, ::-1].astype(np.float32))

    return [
        lambda crops: np.array(large(bgr(crops))[0]),
        open_teacher(weights / second).embed,
        lambda crops: np.array(small(normal(resized(crops)))[0]),
    ]


def train(model: MGN, images: np.ndarray, teacher: np.ndarray, epochs: int, rate: float) -> Iterator[int]:
    """Trains the branch and the heads; yields the number of each epoch when it is over.

    Batch normalisations keep what they have measured. The next step's crops are varied, and passed through
    the stem, while this one's gradients are computed.
    """
    model.eval()
    stem, pixels = frozen_stem(model), torch.from_numpy(images)
    rng = np.random.default_rng(0)

    def prepared(rows: np.ndarray) -> Tensor:
        varied = augmented_batch(pixels, rows, VARIED, rng)
        return stem(normalise(varied, IMAGENET_MEAN, IMAGENET_STD))

    projection = nn.Linear(model.dim, teacher.shape[1], bias=False)
    lessons = [rng.permutation(len(images))[:STEP] for _ in range(16)]
    with torch.no_grad():
        plain = (inputs(images[rows])[0] for rows in lessons)
        pairs = ((crops, torch.from_numpy(teacher[rows])) for crops, rows in zip(plain, lessons, strict=True))
        projection.weight.copy_(fit_projection(model, pairs))
    learnt = [*model.b1.parameters(), *model.reductions.parameters(), *projection.parameters()]
    optimiser = torch.optim.AdamW(learnt, rate, weight_decay=2e-5)
    steps = len(images) // STEP
    for epoch in range(1, epochs + 1):
        order = rng.permutation(len(images))[: steps * STEP].reshape(steps, STEP)
        losses = []
        with ThreadPoolExecutor(1) as ahead:
            coming = ahead.submit(prepared, order[0])
            for step in range(steps):
                maps = coming.result()
                if step + 1 < steps:
                    coming = ahead.submit(prepared, order[step + 1])
                done = (epoch - 1) * steps + step
                share = min(1.0, (done + 1) / 50) * (0.5 + 0.5 * math.cos(math.pi * done / (epochs * steps)))
                optimiser.param_groups[0]["lr"] = rate * share
                with torch.autocast("cpu", torch.bfloat16):
                    embedding = model.embed_maps([model.b1(maps)] * 3)
                embedding = embedding.float()
                said = torch.from_numpy(teacher[order[step]])
                loss = distillation_loss(embedding, projection(embedding), said, RELATION)
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
                losses.append(loss.item())
                if step % 50 == 49:
                    print(
                        f"epoch {epoch}, step {step + 1} of {steps}: loss {np.mean(losses[-50:]):.4f}",
                        flush=True,
                    )
        yield epoch


def frozen_stem(model: MGN) -> Callable[[Tensor], Tensor]:
    """The stem of the network, in bfloat16 by OpenVINO."""
    import openvino

    example = torch.zeros(1, 3, *SIZE)
    hints = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": "bf16"}
    compiled = openvino.Core().compile_model(
        openvino.convert_model(model.stem, example_input=example), "CPU", hints
    )

    def stem(pixels: Tensor) -> Tensor:
        maps = torch.from_numpy(np.array(compiled(pixels.contiguous().numpy())[0]))
        return maps.contiguous(memory_format=torch.channels_last)

    return stem


@torch.no_grad()
def save_mean(
    before: dict[str, Tensor], trained: dict[str, Tensor], share: float, kinds: list[np.ndarray], output: Path
) -> None:
    """Writes the mean of both networks' weights, centred on crops of each kind."""
    model = mean((before, trained), (1 - share, share), "osnet_lct_x1_0", "avg")
    rng = np.random.default_rng(0)
    pool = np.concatenate([kind[rng.permutation(len(kind))[:EACH]] for kind in kinds])
    notes = {"made by": "benchmarks/strong_people.py", "share": share}
    save_checkpoint(output, centred(model, inputs(pool)), input_size=SIZE, notes=notes)


if __name__ == "__main__":
    main()
