"""Damaged text, YAML and weights for ``fuzz_readers.py``: how they are made, damaged and read.

Every mutant of a file ends in a result, in problems that are counted, or in an error of one line that names
the file. Text is damaged by its words and lines as well as by its bytes. Weights keep their first bytes, by
which their kind is told, and are damaged where their structure lies as often as anywhere; they are loaded and
run once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = [
    "FaultError",
    "Mutate",
    "mutant",
    "read_text",
    "read_weights",
    "read_yaml_files",
    "text_mutant",
    "weights_mutant",
    "whole_text",
    "whole_weights",
    "whole_yaml",
    "yaml_mutant",
]

MOST_SECONDS = 30.0  # of CPU, for one mutant
Mutate = Callable[[bytes, np.random.Generator], bytes]
Load = Callable[[Path], tuple[int, int]]

_WORDS = (
    *("nan", "inf", "-inf", "1e999", "-1", "0", "0.5", "9" * 30, "1_000", "0x10", "", "true", "null", "~"),
    *("٣", "1;2", "'", '"', "\x00", "2147483648", "-0.0", "1e-320", "frame", "[", "]", "{", "}", ": ", "- "),
)
_YAML_WORDS = (
    *(
        "&a [*a]",
        "*missing",
        "!!python/object/apply:os.system ['true']",
        "!!binary aGk=",
        "!!set {a}",
        "? : ?",
    ),
    *(
        "<<: {detector: 1}",
        "[" * 30,
        "{a: " * 30,
        "2001-99-99",
        "0o7",
        "!!float x",
        "|",
        ">",
        "%",
        "---",
        "...",
    ),
)
_HEAD = 16  # bytes of weights that stay: by them their kind is told
_STRUCTURE = 4096  # bytes at both ends of weights: headers, directories, metadata


class FaultError(AssertionError):
    """A mutant ended in none of the ways that are allowed."""


def mutant(content: bytes, rng: np.random.Generator) -> bytes:
    """The content, damaged in one to four ways."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        if not data:
            break
        begin = int(rng.integers(len(data)))
        length = int(min(len(data) - begin, 1 + rng.exponential(len(data) / 20)))
        piece = slice(begin, begin + length)
        match int(rng.integers(8)):
            case 0:
                data[piece] = rng.bytes(length)
            case 1:
                data[piece] = bytes(length)
            case 2:
                del data[piece]
            case 3:
                data[begin:begin] = data[piece]
            case 4:
                del data[begin:]
            case 5:
                for place in rng.integers(len(data), size=8):
                    data[place] ^= 1 << int(rng.integers(8))
            case 6:  # headers hold lengths and counts
                place = int(rng.integers(min(len(data), 400)))
                extreme = (b"\xff" * 4, bytes(4), b"\x7f" + b"\xff" * 3, b"\x80" + bytes(3), b"\0\0\0\1")
                data[place : place + 4] = extreme[int(rng.integers(5))]
            case _:
                target = int(rng.integers(len(data)))
                moved = bytes(data[piece])
                del data[piece]
                data[target:target] = moved
    return bytes(data)


def text_mutant(content: bytes, rng: np.random.Generator, words: tuple[str, ...] = _WORDS) -> bytes:
    """Text, damaged by its words and lines, or now and then by its bytes."""
    if rng.random() < 0.25:
        return mutant(content, rng)
    lines = content.decode().splitlines(keepends=True)
    for _ in range(rng.integers(1, 4)):
        if not lines:
            break
        place = int(rng.integers(len(lines)))
        line = lines[place]
        word = words[int(rng.integers(len(words)))]
        match int(rng.integers(7)):
            case 0 | 1:  # one column, one value
                separator = next((mark for mark in (",", ":", "=", " ") if mark in line), " ")
                parts = line.rstrip("\n").split(separator)
                parts[int(rng.integers(len(parts)))] = word
                lines[place] = separator.join(parts) + "\n"
            case 2:
                at = int(rng.integers(len(line) + 1))
                lines[place] = line[:at] + word + line[at:]
            case 3:
                del lines[place]
            case 4:
                lines.insert(int(rng.integers(len(lines))), line)
            case 5:
                lines[place] = line.replace("\n", "\r\n" if rng.random() < 0.5 else " ")
            case _:
                lines[place] = " " * int(rng.integers(1, 5)) + line
    return "".join(lines).encode()


def yaml_mutant(content: bytes, rng: np.random.Generator) -> bytes:
    """YAML, damaged as text with words of its own."""
    return text_mutant(content, rng, (*_WORDS, *_YAML_WORDS))


def weights_mutant(content: bytes, rng: np.random.Generator) -> bytes:
    """Weights, damaged behind their first bytes: at one of their ends, or anywhere."""
    head, body = content[:_HEAD], content[_HEAD:]
    match int(rng.integers(3)):
        case 0:
            return head + mutant(body[:_STRUCTURE], rng) + body[_STRUCTURE:]
        case 1:
            return head + body[:-_STRUCTURE] + mutant(body[-_STRUCTURE:], rng)
        case _:
            return head + mutant(body, rng)


def _ending(path: Path, load: Load) -> tuple[int, int]:
    """How the reading of a file ends: what came, and how many problems were counted.

    Raises:
        FaultError: it ended in a way that is not allowed.
    """
    begin = time.process_time()
    try:
        count, damaged = load(path)
    except (ValueError, TypeError, ImportError, FileNotFoundError) as error:
        if path.name not in str(error) or "\n" in str(error) or len(str(error)) > 1000:
            text = f"{type(error).__name__} that does not name {path.name} in one line: {str(error)[:300]!r}"
            raise FaultError(text) from error
        count, damaged = 0, 1
    if (taken := time.process_time() - begin) > MOST_SECONDS:
        raise FaultError(f"took {taken:.0f} s of CPU")
    return count, damaged


def _reader(folder: Path, loads: Mapping[str, Load]) -> Callable[[bytes, str], tuple[int, int]]:
    """Reads mutants: each as a file of its name, such as ``det.txt``, by what loads that."""

    def reader(content: bytes, name: str) -> tuple[int, int]:
        path = folder / name
        path.write_bytes(content)
        return _ending(path, loads[name])

    return reader


def whole_text() -> dict[str, bytes]:
    """A small file of each kind of text, by its name."""
    rows = [(f, i, 10.5 * i + f, 20 + f, 30, 60) for f in range(1, 13) for i in (1, 2, 3)]
    mot = "".join(f"{f},{i},{x},{y},{w},{h},{{}}\n" for f, i, x, y, w, h in rows)
    boxes = [(f, i, x, y, x + w, y + h) for f, i, x, y, w, h in rows]
    names = ("frame", "id", "x1", "y1", "x2", "y2")
    table = "frame,id,x1,y1,x2,y2,score,class_id,class_name,time\n"
    table += "".join(f"{f},{i},{a},{b},{c},{d},0.9,0,person,{f / 25}\n" for f, i, a, b, c, d in boxes)
    lines = ""
    for box in boxes:
        entries = ", ".join(f'"{name}": {value}' for name, value in zip(names, box, strict=True))
        lines += (
            f'{{{entries}, "score": 0.9, "class_id": 0, "class_name": "person", "time": {box[0] / 25}}}\n'
        )
    files = {
        "det.txt": mot.replace("{}", "0.9"),
        "gt.txt": mot.replace("{}", "1,1,0.8"),
        "results.txt": mot.replace("{}", "0.9,-1,-1,-1"),
        "tracks.txt": mot.replace("{}", "0.9,-1,-1,-1"),
        "tracks.csv": table,
        "tracks.jsonl": lines,
        "gmc.txt": "".join(f"{n}\t1.0\t0.0\t{n / 3}\t0.0\t1.0\t-0.5\n" for n in range(12)),
        "seqinfo.ini": "[Sequence]\nname=A\nimDir=img1\nframeRate=25\nseqLength=12\nimExt=.jpg\n",
    }
    return {name: text.encode() for name, text in files.items()}


def read_text(folder: Path) -> Callable[[bytes, str], tuple[int, int]]:
    """Reads a mutant of `whole_text`."""
    from mot_reid.detection.motchallenge import read_detections
    from mot_reid.evaluation.motchallenge import Problems, read_ground_truth, read_results
    from mot_reid.motion.camera import MotionFile
    from mot_reid.pipeline.finished_tracks import read_finished
    from mot_reid.video.seqinfo import frame_rate, picture_folder, read_seqinfo, sequence_name
    from mot_reid.video.track_files import read_tracks

    def lenient(read: Callable[..., Any]) -> Load:
        def load(path: Path) -> tuple[int, int]:
            problems = Problems(lenient=True)
            kept = read(path, 12, problems)
            if not problems.found:
                read(path, 12)  # nothing wrong: the strict reading must agree
            return len(kept), len(problems.found)

        return load

    def tracks(path: Path) -> tuple[int, int]:
        read_finished(path, fps=25)
        return sum(map(len, read_tracks(path).tracks.values())), 0

    def sequence(path: Path) -> tuple[int, int]:
        info = read_seqinfo(path.parent)
        picture_folder(path.parent, info)
        return len(sequence_name(path.parent, info)) + round(frame_rate(path.parent, info) > 0), 0

    return _reader(
        folder,
        {
            "det.txt": lambda path: (sum(map(len, read_detections(path).values())), 0),
            "gt.txt": lenient(read_ground_truth),
            "results.txt": lenient(read_results),
            "tracks.txt": tracks,
            "tracks.csv": tracks,
            "tracks.jsonl": tracks,
            "gmc.txt": lambda path: (len(MotionFile(path)._affines), 0),
            "seqinfo.ini": sequence,
        },
    )


def whole_yaml() -> dict[str, bytes]:
    """A file of each kind of YAML, by its name."""
    from mot_reid.config import Config
    from mot_reid.settings import dump_settings

    scene = """\
units: pixels
size: [640, 480]
lines:
  door: {from: [10, 200], to: [600, 210], point: foot, margin: 4}
zones:
  till: {polygon: [[0, 0], [300, 0], [300, 400], [0, 400]], classes: [person], patience: 2}
queues:
  wait: {zone: till, served_by: door, min_wait: 3, within: 5}
ground:
  pixels: [[100, 400], [540, 400], [400, 200], [240, 200]]
  metres: [[0, 0], [4, 0], [4, 10], [0, 10]]
interval: 60
events:
  stdout: false
"""
    search = "association:\n  confident:\n    min_iou: [0.1, 0.2]\n  revive:\n    gate: [0.3, 0.4]\n"
    return {
        "config.yaml": dump_settings(Config()).encode(),
        "scene.yaml": scene.encode(),
        "search.yaml": search.encode(),
    }


def read_yaml_files(folder: Path) -> Callable[[bytes, str], tuple[int, int]]:
    """Reads a mutant of `whole_yaml`."""
    from mot_reid import load_config
    from mot_reid.evaluation.sweep import read_search
    from mot_reid.pipeline.counting import read_scene

    def config(path: Path) -> tuple[int, int]:
        load_config(path)
        return 1, 0

    def scene(path: Path) -> tuple[int, int]:
        read_scene(path, {"person": 0})
        return 1, 0

    return _reader(
        folder,
        {
            "config.yaml": config,
            "scene.yaml": scene,
            "search.yaml": lambda path: (len(read_search(path)), 0),
        },
    )


def whole_weights(folder: Path) -> dict[str, bytes]:
    """Weights of each kind that loads, by their names: embedders, and the shipped detectors."""
    import torch

    from mot_reid.appearance.checkpoints import save_checkpoint
    from mot_reid.appearance.osnet import OSNet
    from mot_reid.resources import shipped

    network = OSNet(0.25)
    torch.save({"state_dict": network.state_dict(), "epoch": 60}, folder / "embedder-zip.pth")
    torch.save(network.state_dict(), folder / "embedder-old.pth", _use_new_zipfile_serialization=False)
    save_checkpoint(folder / "embedder.safetensors", network, input_size=(64, 32))
    files = {path.name: path.read_bytes() for path in sorted(folder.glob("embedder*"))}
    ours = {
        "embedder.onnx": "mgn_osnet_lct_x0_5.onnx",
        "detector-yolo.pt": "person_yolo11n.pt",
        "detector-yolo.onnx": "person_yolo11n.onnx",
        "detector-rtmdet.safetensors": "person_rtmdet_nano.safetensors",
        "detector-rtmdet.onnx": "person_rtmdet_nano.onnx",
    }
    return files | {name: (shipped("weights") / file).read_bytes() for name, file in ours.items()}


def read_weights(folder: Path) -> Callable[[bytes, str], tuple[int, int]]:
    """Loads a mutant of `whole_weights`, as what its name says, and runs it once."""
    from mot_reid.appearance.backends import load_backend
    from mot_reid.config import DetectorConfig
    from mot_reid.detection.yolo import YoloDetector

    def embedder(path: Path) -> tuple[int, int]:
        backend = load_backend(path, "cpu", threads=1)
        return len(backend(np.zeros((1, *backend.input_size, 3), np.uint8))), 0

    def detector(path: Path) -> tuple[int, int]:
        YoloDetector(DetectorConfig(weights=str(path), classes=(), image_size=64), threads=1)
        return 1, 0

    names = ("embedder-zip.pth", "embedder-old.pth", "embedder.safetensors", "embedder.onnx")
    detectors = ("yolo.pt", "yolo.onnx", "rtmdet.safetensors", "rtmdet.onnx")
    loads: dict[str, Load] = dict.fromkeys(names, embedder)
    return _reader(folder, loads | {f"detector-{name}": detector for name in detectors})
