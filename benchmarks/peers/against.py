"""This project's associator of two checkouts, timed in turn on the same scenes.

Each run has a process of its own, in which ``mot_reid`` and ``peers`` are those of its checkout; so commits
can be compared whose classes and settings have other names. Run as a script it is that process.
"""

import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["KERNELS", "KINDS", "Run", "checkouts_in_turn", "timed"]

KINDS = ("appearance", "no appearance")
"""With the embeddings of all detections, and without."""
KERNELS = {"NumPy": "0", "numba": "1"}
"""What the arithmetic is done by, and the ``MOT_REID_NUMBA`` that says so."""

Run = dict[str, Any]
"""Seconds ``(F,)`` of the processor, and ids and boxes of each frame, by kind."""


def checkouts_in_turn(
    checkouts: Sequence[Path], scene: Path, folder: Path, rounds: int, kernels: str
) -> list[dict[str, list[Run]]]:
    """Times checkouts on a scene in turn; who comes first changes from round to round.

    Args:
        checkouts: folders of repositories.
        scene: file of the frames.
        folder: for what the processes write.
        rounds: how many each has.
        kernels: a key of `KERNELS`.

    Returns:
        For each checkout the runs of each of `KINDS`.

    Raises:
        RuntimeError: a process failed; the message is the end of what it said.
    """
    found: list[dict[str, list[Run]]] = [{kind: [] for kind in KINDS} for _ in checkouts]
    for turn in range(rounds):
        order = range(len(checkouts)) if turn % 2 else reversed(range(len(checkouts)))
        for place in order:
            for kind, run in timed(checkouts[place], scene, folder / "run.npz", kernels).items():
                found[place][kind].append(run)
    return found


def timed(checkout: Path, scene: Path, written: Path, kernels: str) -> dict[str, Run]:
    """Times the associator of one checkout in a process of its own: a run of each of `KINDS`."""
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join([str(checkout), str(checkout / "benchmarks")]),
        "MOT_REID_NUMBA": KERNELS[kernels],
    }
    command = [sys.executable, "-P", str(Path(__file__).resolve()), str(checkout), str(scene), str(written)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{checkout}: {done.stderr.strip()[-500:]}")
    with np.load(written) as arrays:
        return {
            kind: {
                "seconds": arrays[f"{kind} seconds"],
                "ids": _by_frame(arrays, kind, "ids"),
                "xyxy": _by_frame(arrays, kind, "xyxy"),
            }
            for kind in KINDS
        }


def _by_frame(arrays: Any, kind: str, column: str) -> list[NDArray[Any]]:
    return np.split(arrays[f"{kind} {column}"], np.cumsum(arrays[f"{kind} counts"])[:-1])


def _main(checkout: Path, scene: Path, written: Path) -> None:
    """Times the associator that is imported here, which must be the checkout's."""
    import mot_reid
    from peers.ours import CONTENDERS
    from peers.scene import load_frames

    if not Path(mot_reid.__file__).resolve().is_relative_to(checkout.resolve()):
        sys.exit(f"mot_reid comes from {mot_reid.__file__}, expected {checkout}")
    columns: dict[str, NDArray[Any]] = {}
    for kind, contender in zip(KINDS, CONTENDERS, strict=True):
        runner = contender.make()
        given = [runner.prepare(frame) for frame in load_frames(scene)]
        seconds, answers = [], []
        for each in given:
            start = time.process_time()
            answer = runner.step(each)
            seconds.append(time.process_time() - start)
            answers.append(runner.read(answer))
        columns[f"{kind} seconds"] = np.array(seconds)
        columns[f"{kind} counts"] = np.array([len(ids) for ids, _ in answers])
        columns[f"{kind} ids"] = np.concatenate([ids for ids, _ in answers])
        columns[f"{kind} xyxy"] = np.concatenate([xyxy for _, xyxy in answers])
    np.savez(written, **columns)


if __name__ == "__main__":
    _main(*map(Path, sys.argv[1:]))
