"""The settings of a run: one frozen dataclass for each part. How they work is in `mot_reid.settings`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from mot_reid.former_settings import FORMER
from mot_reid.resources import shipped
from mot_reid.settings import Settings, SettingsTree, load_settings, setting

__all__ = [
    "CASCADES",
    "PRESETS",
    "AssociationConfig",
    "CameraConfig",
    "ConfidentConfig",
    "Config",
    "DetectorConfig",
    "EmbedderConfig",
    "EmbeddingConfig",
    "LifecycleConfig",
    "MotionConfig",
    "OfflineConfig",
    "OutputConfig",
    "PipelineConfig",
    "ReportConfig",
    "ReviveConfig",
    "TentativeConfig",
    "WeakConfig",
    "load_config",
]


CASCADES = ("default", "bytetrack", "botsort", "deepsort")
"""The stages of matching that `mot_reid.association.presets` knows by name."""
PRESETS = ("bytetrack", "botsort", "deepsort")
"""The configurations that ship under a name: ``configs/NAME.yaml``."""


@dataclass(frozen=True)
class DetectorConfig(Settings):
    """Settings of the person detector."""

    weights: str = setting(
        "person_yolo11n.pt",
        "the detector: weights that ship, a file of your own (ONNX, a YOLO's .pt), a name of "
        "Ultralytics', or none",
    )
    runtime: str = setting(
        "auto",
        "torch, onnxruntime, openvino, or auto: onnxruntime on a CPU with the export there, else torch",
    )
    image_size: int = setting(640, "longer side of the network's input, pixels", low=32, high=4096, step=32)
    score: float = setting(0.1, "lowest score of a detection that reaches the tracker", low=0, high=1)
    nms_iou: float = setting(
        0.7, "IoU above which non-maximum suppression drops the weaker of two boxes", low=0, high=1
    )
    classes: tuple[str, ...] = setting(("person",), "classes to track, by name or number; empty for all")
    max_detections: int = setting(300, "most detections kept in a frame, best first", low=1)
    every: int | str = setting(
        1,
        "the detector looks at every n-th frame; auto: at as many frames of a live source as it "
        "can keep up with",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        every = int(self.every) if str(self.every).isdecimal() else self.every
        if every != "auto" and not (isinstance(every, int) and 1 <= every < 2**31):
            raise ValueError(f"every: expected a whole number from 1 on, or auto, got {self.every!r}")
        object.__setattr__(self, "every", every)

    def looks_at(self, place: int) -> bool:
        """Whether the detector looks at a frame, by its place in the run, from 0 on; with auto at each."""
        return isinstance(self.every, str) or place % self.every == 0


@dataclass(frozen=True)
class EmbedderConfig(Settings):
    """Settings of the appearance embedder."""

    weights: str = setting(
        "mgn_osnet_lct_x0_5.safetensors", "the appearance embedder: a checkpoint, an ONNX export, or none"
    )
    runtime: str = setting(
        "auto",
        "torch, onnxruntime, openvino, or auto: onnxruntime on a CPU with the export there, else torch",
    )
    batch_size: int = setting(64, "most crops in one forward pass; bounds memory", low=1)


@dataclass(frozen=True)
class CameraConfig(Settings):
    """Settings of camera motion estimation."""

    motion: str = setting(
        "flow",
        "where camera motion comes from: flow (sparse optical flow), none (the shift that all "
        "boxes share), still (the camera never moves), or a file in BoT-SORT's format",
    )
    width: int = setting(480, "frames are reduced to at most this width for the flow, pixels", low=64)
    corners: int = setting(200, "most corners followed from frame to frame", low=20)


@dataclass(frozen=True)
class MotionConfig(Settings):
    """Settings of the Kalman filter. Standard deviations are fractions of the box's width and height."""

    position_std: float = setting(
        0.05,
        "standard deviation of a position after one frame, a share of the box's sides; a measured "
        "one has twice that at 30 frames a second",
        low=1e-6,
    )
    velocity_std: float = setting(
        0.005,
        "standard deviation by which the velocity changes in one frame, a share of the box's "
        "sides, at 30 frames a second",
        low=1e-6,
    )


@dataclass(frozen=True)
class ConfidentConfig(Settings):
    """Settings of the stage that matches confident detections, by overlap and appearance together."""

    score_share: float = setting(
        0.75,
        "share of the detector's usual score from which on a detection is confident, else weak",
        low=0,
    )
    min_iou: float = setting(
        0.2,
        "least overlap of a confident detection with its track: IoU times the squared IoU of heights",
        low=0,
        high=1,
    )
    appearance_weight: float = setting(
        0.7, "weight of appearance in the cost of a match; the rest is overlap", low=0, high=1
    )
    appearance_gate: float = setting(
        0.88,
        "distance of appearance from which on a pair looks like strangers, who are about 1 apart: "
        "it costs the most, and boxes that overlap loosely are not matched",
        low=0,
        high=2,
    )
    stranger_iou: float = setting(
        0.6, "overlap below which boxes overlap loosely, so that appearance may refuse a match", low=0, high=1
    )
    lost_cost: float = setting(
        0.4,
        "what is added to the cost of a match with a lost track at the end of "
        "lifecycle.lost_time, and in proportion before",
        low=0,
    )


@dataclass(frozen=True)
class WeakConfig(Settings):
    """Settings of the stage that bridges a dip of the score by overlap."""

    min_iou: float = setting(0.5, "least overlap of a weak detection with its track", low=0, high=1)
    lost_min_iou: float = setting(0.6, "least overlap of a weak detection with a lost track", low=0, high=1)
    lost_time: float = setting(0.5, "seconds for which a weak detection can bring a lost track back", low=0)


@dataclass(frozen=True)
class ReviveConfig(Settings):
    """Settings of the stage that brings lost tracks back by appearance."""

    lost_time: float = setting(
        20.0,
        "seconds for which a lost track can come back by appearance; nine times as long where "
        "association.reentry is same",
        low=0,
    )
    gate: float = setting(
        0.7,
        "largest distance of appearance that brings a lost track back; strangers are about 1 apart",
        low=0,
        high=2,
    )
    reach: float = setting(
        2.5, "how far from the expected place a lost track may turn up, in heights of its box", low=0
    )


@dataclass(frozen=True)
class TentativeConfig(Settings):
    """Settings of the stage that follows tracks until they are confirmed."""

    min_hits: int = setting(2, "detections in a row that confirm a new track", low=1)
    activation_share: float = setting(
        0.8,
        "share of the detector's usual score that a new track must reach once, or 30 detections "
        "in a row confirm it",
        low=0,
    )
    activation_share_inside: float = setting(
        0.9,
        "activation_share of a track that begins away from the picture's edges, where appearance is known",
        low=0,
    )


@dataclass(frozen=True)
class EmbeddingConfig(Settings):
    """Settings of which embeddings are asked for, and how a track remembers its appearance."""

    share: float = setting(
        0.2,
        "most embeddings asked for, a share of the confident detections; 1 for all, 0 for none",
        low=0,
        high=1,
    )
    momentum: float = setting(0.95, "share of the old embedding in a track's moving average", low=0, high=1)
    max_occlusion: float = setting(
        0.3, "covered share of a box from which on its embedding is not averaged in", low=0, high=1
    )


@dataclass(frozen=True)
class LifecycleConfig(Settings):
    """Settings of when tracks start and end."""

    lost_time: float = setting(2.0, "seconds for which a lost track can come back by overlap", low=0)


@dataclass(frozen=True)
class ReportConfig(Settings):
    """Settings of what is reported of the tracks."""

    hidden_time: float = setting(
        0.27, "seconds for which a track hidden behind another one is still reported; 0 for never", low=0
    )


@dataclass(frozen=True)
class AssociationConfig(Settings):
    """Settings of the association of detections with tracks, by stage of the cascade."""

    cascade: str = setting(
        "default",
        "the stages of matching: default, bytetrack, botsort, deepsort; in all but the first "
        "shares of scores are plain scores",
        choices=CASCADES,
    )
    low_score: float = setting(0.1, "detections below this score are left out", low=0, high=1)
    edge_margin: float = setting(
        0.25, "how near to the picture's edge a box counts as cut off by it, in widths of the box", low=0
    )
    reentry: str = setting(
        "same",
        "whoever leaves the picture and returns has the same id, or a new one, as MOTChallenge counts",
        choices=("same", "new"),
    )
    confident: ConfidentConfig = field(default_factory=ConfidentConfig)
    weak: WeakConfig = field(default_factory=WeakConfig)
    revive: ReviveConfig = field(default_factory=ReviveConfig)
    tentative: TentativeConfig = field(default_factory=TentativeConfig)
    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    lifecycle: LifecycleConfig = field(default_factory=LifecycleConfig)
    report: ReportConfig = field(default_factory=ReportConfig)


@dataclass(frozen=True)
class OfflineConfig(Settings):
    """Settings of what is done to finished tracks. Times are in seconds: they fit any frame rate."""

    grow_score: float = setting(
        0.4,
        "lowest score of the unused detections through which a track is followed back to its "
        "start; 1 for none",
        low=0,
        high=1,
    )
    link_time: float = setting(
        3.0, "longest time out of sight that tracks are linked over, seconds; 0 for none", low=0
    )
    link_cost: float = setting(
        1.25,
        "cost from which on two tracks are not linked: squared misses of place and height, in "
        "standard deviations, and the time between",
        low=0,
    )
    prune_share: float = setting(
        0.82,
        "share of the usual score that a track must reach, halfway between its mean and its best, "
        "or it is taken out; 0 keeps all",
        low=0,
    )
    fill_time: float = setting(1.5, "longest time out of sight that is interpolated, seconds", low=0)
    smooth_time: float = setting(
        0.15, "standard deviation of the window in which boxes are smoothed, seconds; 0 for none", low=0
    )


@dataclass(frozen=True)
class PipelineConfig(Settings):
    """Settings of how a run over a source uses the machine. Results do not depend on them."""

    overlap: bool = setting(True, "decode, detect, track, draw and write at the same time, each in a thread")
    queue: int = setting(2, "most frames that wait between two of the threads of pipeline.overlap", low=1)
    threads: int = setting(
        0,
        "CPU threads of one pass through a network; 0: one where passes can run side by side, else all",
        low=0,
    )


@dataclass(frozen=True)
class OutputConfig(Settings):
    """Settings of what is written and drawn."""

    formats: tuple[str, ...] = setting(
        ("mot", "video"),
        "what is written: some of mot, jsonl, csv, parquet, coco, cvat, labelstudio, yolo, kitti, video",
    )
    lag: float = setting(
        0.0,
        "seconds by which results come later, and better: ids put right, gaps filled, boxes "
        "smoothed; 0 for at once",
        low=0,
    )
    offline: bool = setting(
        False,
        "write tracks_offline.txt at the end: the tracks linked, pruned, filled and smoothed with "
        "hindsight; memory grows with the video",
    )
    labels: bool = setting(True, "draw the id at each box")
    trail: int = setting(30, "draw where each track was in so many earlier frames; 0 for none", low=0)
    analytics: str = setting("", "YAML file with lines and zones: writes events.jsonl and analytics.json")
    crf: int = setting(
        23, "quality of the video, H.264's constant rate factor, lower is better", low=0, high=51
    )


@dataclass(frozen=True)
class Config(SettingsTree):
    """All settings of a run."""

    device: str = setting("auto", "cpu, cuda, cuda:1, mps, or auto for the best there is")
    detector: DetectorConfig = field(default_factory=DetectorConfig)
    embedder: EmbedderConfig = field(default_factory=EmbedderConfig)
    camera: CameraConfig = field(default_factory=CameraConfig)
    motion: MotionConfig = field(default_factory=MotionConfig)
    association: AssociationConfig = field(default_factory=AssociationConfig)
    offline: OfflineConfig = field(default_factory=OfflineConfig)
    pipeline: PipelineConfig = field(default_factory=PipelineConfig)
    output: OutputConfig = field(default_factory=OutputConfig)

    renamed: ClassVar[Mapping[str, str]] = FORMER

    @property
    def embeds(self) -> bool:
        """Whether its embedder is ever asked for anything."""
        return self.embedder.weights != "none" and self.association.embedding.share > 0


def load_config(
    path: str | Path | None = None, overrides: Iterable[str] = (), base: Config | None = None
) -> Config:
    """Reads a configuration; what it leaves out keeps its default.

    Args:
        path: a YAML file laid out as ``configs/default.yaml``, or None for the defaults; or a known method
            with published defaults: ``"bytetrack"``, ``"botsort"``, ``"deepsort"``, not ``"./bytetrack"``.
        overrides: single settings such as ``"association.tentative.min_hits=3"``, applied last.
        base: what the file and the overrides change, instead of the defaults.

    Raises:
        FileNotFoundError: there is no such file, or no method of this name.
        ValueError: the file is not YAML, a setting does not exist, or a value is out of range.
        TypeError: a value has the wrong type.
    """
    if not isinstance(path, str | Path | None):
        raise TypeError(f"config: expected a YAML file or a known method, got {type(path).__name__}")
    name = str(path)
    if name in PRESETS:
        path = shipped("configs") / f"{name}.yaml"
    elif path is not None and not Path(path).suffix and not Path(path).exists():
        raise FileNotFoundError(f"configuration not found: {path} (known by name: {', '.join(PRESETS)})")
    elif path is not None and not Path(path).exists() and Path(path).stem in PRESETS:
        raise FileNotFoundError(
            f"configuration file not found: {path}; the known method is {Path(path).stem}"
        )
    return load_settings(base or Config(), path, overrides)
