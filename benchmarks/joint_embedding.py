"""Appearance out of the detector's own maps (joint detection and embedding, JDE) beside MGN's and none.

    MOT_REID_DATA=DIR python benchmarks/joint_embedding.py [--epochs 30] [-o FOLDER]

A small head on maps that `person_yolo11n` makes anyway (two of its backbone, two of its neck, pooled at each
box) learns the embeddings of the shipped MGN network, on the people of ``persondet/train`` and
``persondet2/train``, at several sizes, mirrored, and with boxes a little off. So both lie in one space. Then
PETS09-S2L1 and ADL-Rundle-6, which the head has not seen, are tracked from the same detections with no
appearance, with the head's embedding of each box, with MGN's of those boxes that the budget asks for, with
both (MGN's where it is asked, the head's everywhere else), and with MGN's of every box. Times are of one
thread: the pooling and the head, beyond the detector's pass; MGN's crops.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import roi_align

from mot_reid.appearance.loading import load_embedder
from mot_reid.association.associator import Associator
from mot_reid.config import Config, load_config
from mot_reid.detection.yolo import find_detector, load_ultralytics
from mot_reid.evaluation.benchmark import track_inputs
from mot_reid.evaluation.cache import ArrayCache
from mot_reid.evaluation.inputs import SequenceInputs, prepare_inputs
from mot_reid.evaluation.motchallenge import BoxRows
from mot_reid.evaluation.scoring import score_rows
from mot_reid.evaluation.sequence_frames import find_frames
from mot_reid.evaluation.sequences import Sequence, find_sequences
from mot_reid.evaluation.tables import Column, Table
from mot_reid.provenance import provenance
from mot_reid.resources import cache_folder
from mot_reid.settings import with_settings
from mot_reid.structures import Detections
from mot_reid.training.detector.pictures import labelled_pictures
from mot_reid.video.pictures import read_picture

DETECTOR = "person_yolo11n.pt"
LAYERS = {2: 4, 4: 8, 16: 8, 19: 16}  # of YOLO11's, and how many pixels a place of theirs is wide
GRID = (12, 4)
LONGER = 640  # pixels of the detector's input
SEQUENCES = ("pets09-s2l1", "adl-rundle-6")
SIZES = (640, 480, 320)  # longer side in training: people of all heights

Boxes = NDArray[np.float32]


class Maps:
    """The detector's maps at boxes: ``(N, C, 12, 4)``."""

    def __init__(self) -> None:
        self.model = load_ultralytics(find_detector(DETECTOR)).model.eval()
        self._found: dict[int, Tensor] = {}
        for layer in LAYERS:
            self.model.model[layer].register_forward_hook(self._keep(layer))

    def _keep(self, layer: int) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: Any, output: Tensor) -> None:
            self._found[layer] = output

        return hook

    def __call__(self, image: NDArray[np.uint8], boxes: Boxes, longer: int = LONGER) -> Tensor:
        """Of a BGR picture, made smaller until its longer side has so many pixels, at boxes ``(N, 4)``."""
        scale = longer / max(image.shape[:2])
        size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        padded = np.full((-(-size[1] // 32) * 32, -(-size[0] // 32) * 32, 3), 114, np.uint8)
        padded[: size[1], : size[0]] = small[..., ::-1]
        with torch.inference_mode():
            self.model(torch.from_numpy(padded).permute(2, 0, 1)[None].float() / 255)
        return self.pooled(torch.from_numpy(boxes * np.float32(scale)))

    def pooled(self, boxes: Tensor) -> Tensor:
        """Of the picture that went through last; boxes in its network's pixels."""
        with torch.inference_mode():
            parts = [roi_align(self._found[layer], [boxes], GRID, 1 / stride, 2, True)
                     for layer, stride in LAYERS.items()]  # fmt: skip
        return torch.cat(parts, 1)


class Head(nn.Module):
    """From pooled maps to an embedding of unit length."""

    def __init__(self, channels: int, numbers: int) -> None:
        super().__init__()
        first = nn.BatchNorm2d(channels), nn.Conv2d(channels, 128, 1), nn.SiLU()
        self.reduce = nn.Sequential(*first, nn.Conv2d(128, 64, 3, padding=1), nn.BatchNorm2d(64), nn.SiLU())
        cells = 64 * GRID[0] * GRID[1]
        self.project = nn.Sequential(nn.Flatten(), nn.Dropout(0.1), nn.Linear(cells, numbers))

    def forward(self, pooled: Tensor) -> Tensor:
        """From ``(N, C, 12, 4)`` to ``(N, D)``."""
        return functional.normalize(self.project(self.reduce(pooled.float())))


def examples(folders: list[Path], maps: Maps, config: Config, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Pooled maps (half precision), MGN's embeddings, and which person each is."""
    embedder = load_embedder(config)
    drawn = np.random.default_rng(seed)
    pooled, targets, people, count = [], [], [], 0
    for folder in folders:
        for path, relative, _ in labelled_pictures(folder):
            plain = read_picture(path)
            height, width = plain.shape[:2]
            boxes = relative * np.array([width, height, width, height], np.float32)
            boxes = boxes[(boxes[:, 3] - boxes[:, 1] >= 40) & (boxes[:, 2] - boxes[:, 0] >= 12)]
            if not len(boxes):
                continue
            for mirrored in (False, True):
                image = np.ascontiguousarray(plain[:, ::-1]) if mirrored else plain
                own = boxes.copy()
                if mirrored:
                    own[:, [0, 2]] = width - boxes[:, [2, 0]]
                target = torch.from_numpy(embedder.embed(image, own))
                for size in SIZES if not mirrored else SIZES[:1]:
                    sides = np.tile(own[:, 2:] - own[:, :2], 2)
                    off = own + (0.04 * sides * drawn.standard_normal(own.shape)).astype(np.float32)
                    pooled.append(maps(image, off, size).half())
                    targets.append(target)
                    people.append(torch.arange(count, count + len(own)))
            count += len(boxes)
    return torch.cat(pooled), torch.cat(targets), torch.cat(people)


def learn(pooled: Tensor, targets: Tensor, people: Tensor, epochs: int) -> Head:
    """Distils the embeddings: likeness to one's own, and which of a batch it is."""
    torch.manual_seed(0)
    head = Head(pooled.shape[1], targets.shape[1])
    steps = epochs * (len(pooled) // 256)
    optimiser = torch.optim.AdamW(head.parameters(), 1e-3, weight_decay=0.02)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 2e-3, max(steps, 1), pct_start=0.1)
    for epoch in range(epochs):
        total = 0.0
        for rows in torch.randperm(len(pooled)).split(256):
            if len(rows) < 256:
                continue
            made = head(pooled[rows])
            alike = made @ targets[rows].T
            same = people[rows, None] == people[None, rows]
            logits = (10 * alike).masked_fill(same & ~torch.eye(256, dtype=torch.bool), -100.0)
            own = (1 - alike.diagonal()).mean()
            loss = 4 * own + functional.cross_entropy(logits, torch.arange(256))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            total += float(own)
        told = total / max(len(pooled) // 256, 1)
        print(f"epoch {epoch + 1}: cosine to MGN's {1 - told:.3f}", file=sys.stderr, flush=True)
    return head.eval()


def found_again(embeddings: Tensor, targets: Tensor, people: Tensor) -> dict[str, float]:
    """How near the head's embeddings are to MGN's on people it has not seen, and whose is the nearest."""
    own = (embeddings * targets).sum(1).mean()
    first = {int(person): row for row, person in reversed(list(enumerate(people)))}
    rows = torch.tensor(list(first.values()))
    nearest = people[rows][(embeddings @ targets[rows].T).argmax(1)]
    return {"cosine": float(own), "nearest %": 100 * float((nearest == people).float().mean())}


def of_frames(sequence: Sequence, inputs: SequenceInputs, maps: Maps, head: Head) -> tuple[list[Any], float]:
    """The head's embeddings of each frame's boxes, and milliseconds a frame beyond the detector's pass."""
    found, spent = [], 0.0
    frames: Iterator[Any] = find_frames(sequence).read()
    for detections, frame in zip(inputs.detections, frames, strict=True):
        image = frame.image
        pooled = maps(image, detections.xyxy)
        start = time.perf_counter()
        boxes = torch.from_numpy(detections.xyxy * np.float32(LONGER / max(image.shape[:2])))
        pooled = maps.pooled(boxes)
        with torch.inference_mode():
            found.append(head(pooled).numpy() if len(boxes) else np.zeros((0, 512), np.float32))
        spent += time.perf_counter() - start
    return found, 1000 * spent / len(found)


def asked_rows(sequence: Sequence, inputs: SequenceInputs, config: Config) -> list[list[int]]:
    """Which detections the budget asks MGN for, by frame."""
    associator = Associator(config.association, config.motion, sequence.fps)
    asked: list[list[int]] = []
    for detections, affine in zip(inputs.detections, inputs.affines, strict=True):
        rows: list[int] = []

        def embed(chosen: Any, rows: list[int] = rows, known: Any = detections.embeddings) -> Any:
            rows += np.asarray(chosen).tolist()
            return known[chosen]

        associator.step(detections.without_embeddings(), affine, embed)
        asked.append(rows)
    return asked


def with_embeddings(inputs: SequenceInputs, embeddings: list[Any]) -> SequenceInputs:
    pairs = zip(inputs.detections, embeddings, strict=True)
    return replace(inputs, detections=[Detections(d.xyxy, d.scores, d.classes, e) for d, e in pairs])


def compare(sequence: Sequence, maps: Maps, head: Head, config: Config) -> list[dict[str, Any]]:
    """A row for each way to have appearance."""
    inputs = prepare_inputs(sequence, config, ArrayCache(cache_folder() / "benchmark"))
    every = with_settings(config, {"association": {"embedding": {"share": 1.0}}})
    none = with_settings(config, {"association": {"embedding": {"share": 0.0}}})
    heads, milliseconds = of_frames(sequence, inputs, maps, head)
    asked = asked_rows(sequence, inputs, config)
    both = [own.copy() for own in heads]
    for own, rows, detections in zip(both, asked, inputs.detections, strict=True):
        assert detections.embeddings is not None
        own[rows] = detections.embeddings[rows]
    crop, frames = inputs.milliseconds["embed"], len(inputs.detections)
    rows_asked = sum(map(len, asked))
    ways = {
        "none": (inputs, none, 0, 0.0),
        "JDE, every box": (with_embeddings(inputs, heads), every, 0, milliseconds),
        "MGN, what is asked for": (inputs, config, rows_asked, 0.0),
        "MGN where asked, else JDE": (with_embeddings(inputs, both), every, rows_asked, milliseconds),
        "MGN, every box": (inputs, every, None, 0.0),
    }
    found = []
    for name, (given, settings, crops, extra) in ways.items():
        tracks, embedded = track_inputs(sequence, given, settings)
        crops = embedded if crops is None else crops
        scores = score_rows(sequence, BoxRows.from_tracks(tracks)).values()
        found.append({"sequence": sequence.name, "appearance": name, "crops a frame": crops / frames,
                      "ms a frame": crops / frames * crop + extra,
                      **{key: scores[key] for key in ("HOTA", "MOTA", "IDF1", "IDs")}})  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", default=os.environ.get("MOT_REID_DATA"), help="folder of the data sets")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("-o", "--output", type=Path, help="folder for the table")
    chosen = parser.parse_args()
    if not chosen.data:
        sys.exit("error: MOT_REID_DATA or --data must name the folder of the data sets")
    torch.set_num_threads(1)
    data = Path(chosen.data)
    config = load_config(overrides=["association.reentry=new"])
    maps = Maps()
    pooled, targets, people = examples([data / f"{name}/train" for name in ("persondet", "persondet2")],
                                       maps, config, 0)  # fmt: skip
    print(f"{len(pooled)} examples of {int(people.max()) + 1} people", file=sys.stderr)
    head = learn(pooled, targets, people, chosen.epochs)
    del pooled
    pooled, targets, people = examples([data / "persondet2/check"], maps, config, 1)
    with torch.inference_mode():
        known = found_again(head(pooled), targets, people)
    rows = []
    for name in SEQUENCES:
        for sequence in find_sequences(name, data):
            rows += compare(sequence, maps, head, config)
    columns = [Column("sequence"), Column("appearance"), Column("crops a frame", 2), Column("ms a frame", 1)]
    columns += [*(Column(name, 2) for name in ("HOTA", "MOTA", "IDF1")), Column("IDs")]
    told = ", ".join(f"{name} {value:.3g}" for name, value in known.items())
    notes = [f"The head on persondet2/check, {int(people.max()) + 1} people: {told}."]
    table = Table("Appearance from the detector's maps (online)", columns, rows, provenance(), notes)
    table.show(Console(width=160))
    if chosen.output is not None:
        table.save(chosen.output, "joint-embedding")


if __name__ == "__main__":
    main()
