"""Makes presets.npz: a small scene, and what the presets' peers make of it (see README.md)."""

import sys
from itertools import islice
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1] / "benchmarks"))

from peers import others, presets, scene  # noqa: E402
from peers.scene import Scene, SceneFrame  # noqa: E402

FRAMES, PEOPLE, SEED, DIMENSION = 120, 12, 3, 8


# Two views of one person at a cosine of 0.94: at 0.8, DeepSORT's gate, chance would decide, and a gallery of
# single views has more of it than a moving average.
scene._LOOK_NOISE = 0.25
# Boxes cover a tenth of the view: in a dense crowd one early swap is most of the difference.
scene._CROWDING = 0.1


def main() -> None:
    frames = [rounded(frame) for frame in islice(Scene(PEOPLE, SEED, DIMENSION), FRAMES)]
    arrays = {
        "counts": np.array([len(frame.scores) for frame in frames]),
        "affines": np.stack([frame.affine for frame in frames]),
    }
    for name in ("xyxy", "scores", "embeddings"):
        arrays[name] = np.concatenate([getattr(frame, name) for frame in frames])
    peers = {contender.name: contender for contender in (*others.CONTENDERS, *presets.CONTENDERS)}
    for preset, peer in presets.PAIRS.items():
        runner = peers[peer].make()
        rows = []
        for number, frame in enumerate(frames):
            ids, xyxy = runner.read(runner.step(runner.prepare(frame)))
            rows.append(np.column_stack([np.full(len(ids), number), ids, xyxy]))
        arrays[preset] = np.concatenate(rows).astype(np.float32)
    np.savez_compressed(HERE / "presets.npz", **arrays)


def rounded(frame: SceneFrame) -> SceneFrame:
    """The frame with numbers that take less room."""
    return SceneFrame(
        xyxy=np.round(frame.xyxy, 1).astype(np.float32),
        scores=np.round(frame.scores, 3).astype(np.float32),
        embeddings=frame.embeddings.astype(np.float16).astype(np.float32),
        affine=frame.affine,
        true_ids=frame.true_ids,
        true_xyxy=frame.true_xyxy,
    )


if __name__ == "__main__":
    main()
