"""What options, settings and columns of other trackers are called here, for errors that say so.

The names are those of Ultralytics, BoxMOT, supervision, roboflow's trackers, DeepSORT, norfair and Frigate.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, ParamSpec, TypeVar

__all__ = [
    "DETECTIONS",
    "METHODS",
    "SETTINGS",
    "TRACK",
    "TRACKER",
    "TRACKS",
    "TRACK_ROW",
    "Elsewhere",
    "arguments_told",
    "called_elsewhere",
    "missing",
    "names_told",
]

_LOST = "--set association.lifecycle.lost_time=SECONDS"
_OVERLAP = "--set association.confident.min_iou=1-THRESHOLD"

OPTIONS = {
    "source": "SOURCE",
    "input": "SOURCE",
    "tracker": "--preset",
    "tracker_type": "--preset",
    "tracking_method": "--preset",
    "model": "--detector",
    "weights": "--detector",
    "yolo_model": "--detector",
    "yolo_weights": "--detector",
    "reid": "--embedder",
    "reid_model": "--embedder",
    "reid_weights": "--embedder",
    "model_weights": "--embedder",
    "with_reid": "--embedder, which none turns off",
    "conf": "--score",
    "conf_thres": "--score",
    "conf_threshold": "--score",
    "confidence": "--score",
    "iou": "--set detector.nms_iou",
    "iou_thres": "--set detector.nms_iou",
    "match_thresh": _OVERLAP,
    "max_iou_dist": _OVERLAP,
    "max_iou_distance": _OVERLAP,
    "distance_threshold": _OVERLAP,
    "iou_threshold": "--set association.confident.min_iou",
    "minimum_iou_threshold": "--set association.confident.min_iou",
    "minimum_matching_threshold": _OVERLAP,
    "track_thresh": "--set association.confident.score_share=SHARE",
    "track_high_thresh": "--set association.confident.score_share=SHARE",
    "high_conf_det_threshold": "--set association.confident.score_share=SHARE",
    "det_thresh": "--set association.confident.score_share=SHARE",
    "track_low_thresh": "--set association.low_score",
    "min_conf": "--set association.low_score",
    "min_score": "--score",
    "new_track_thresh": "--set association.tentative.activation_share=SHARE",
    "track_activation_threshold": "--set association.tentative.activation_share=SHARE",
    "appearance_thresh": "--set association.confident.appearance_gate",
    "max_cos_dist": "--set association.revive.gate",
    "max_cosine_distance": "--set association.revive.gate",
    "reid_distance_threshold": "--set association.revive.gate",
    "reid_hit_counter_max": "--set association.revive.lost_time=SECONDS",
    "track_buffer": _LOST,
    "lost_track_buffer": _LOST,
    "max_age": _LOST,
    "hit_counter_max": _LOST,
    "max_disappeared": _LOST,
    "min_hits": "--set association.tentative.min_hits",
    "n_init": "--set association.tentative.min_hits",
    "initialization_delay": "--set association.tentative.min_hits",
    "minimum_consecutive_frames": "--set association.tentative.min_hits",
    "gmc_method": "--camera-motion",
    "cmc_method": "--camera-motion",
    "cmc_off": "--camera-motion, which none turns off",
    "classes": "--classes",
    "imgsz": "--image-size",
    "img_size": "--image-size",
    "vid_stride": "--stride",
    "frame_rate": "--fps",
    "format": "--formats",
    "project": "--output",
    "name": "--output",
    "output_dir": "--output",
    "save": "--video",
    "save_vid": "--video",
    "save_video": "--video",
    "save_txt": "--formats",
    "display": "--show",
    "view_img": "--show",
    "show_trajectories": "--trail",
}
"""What options of other trackers are called on the command line; SOURCE is no option."""

_ARGUMENTS = {
    "--preset": "config, such as config='bytetrack'",
    "--score": "--set detector.score",
    "--image-size": "--set detector.image_size",
    "--classes": "--set detector.classes",
    "--trail": "--set output.trail",
    "--video": "formats",
}
"""What those of our options are in Python that are no arguments."""


def _setting(option: str) -> str:
    """The setting behind an option, such as ``detector.score``, with what it takes; or nothing."""
    name, _, rest = _ARGUMENTS.get(option, option).partition(" ")
    return rest if name == "--set" else ""


def _argument(option: str) -> str:
    """What an option of our command line is in Python, such as ``embedder``."""
    if setting := _setting(option):
        value = "" if "=" in setting else "=..."
        return f"config=mot_reid.load_config(None, ['{setting}{value}'])"
    name, _, rest = _ARGUMENTS.get(option, option).partition(" ")
    return f"{name.removeprefix('--').replace('-', '_')} {rest}".strip()


_OF_TRACK = ("--stride", "--formats", "--output", "--video")
_NOWHERE = ("SOURCE", "--show")
TRACK = {name: _argument(here) for name, here in OPTIONS.items() if here not in _NOWHERE}
TRACKER = {name: here for name, here in TRACK.items() if OPTIONS[name] not in _OF_TRACK}
"""What arguments of other trackers are called in Python: of `mot_reid.track`, and of `Tracker`."""

SETTINGS = {name: setting for name, here in OPTIONS.items() if (setting := _setting(here))}
"""What settings of other trackers are called in a file."""

_TLWH = "xyxy; mot_reid.boxes has tlwh_to_xyxy and xyxy_to_tlwh"
_COLUMNS = {
    **dict.fromkeys(("tlwh", "ltwh"), _TLWH),
    "xywh": "xyxy; mot_reid.boxes has cxcywh_to_xyxy, tlwh_to_xyxy and their like",
    **dict.fromkeys(("confidence", "conf", "score"), "scores"),
    **dict.fromkeys(("class_id", "cls", "labels"), "classes"),
    **dict.fromkeys(("boxes", "bbox", "tlbr"), "xyxy"),
    **dict.fromkeys(("mask", "masks", "keypoints"), "the detector's, by Tracks.detection_index"),
}
_IDS = ("tracker_id", "track_id", "id")
DETECTIONS = _COLUMNS | dict.fromkeys(_IDS, "Tracks.ids, for detections have none")
TRACKS = _COLUMNS | dict.fromkeys(_IDS, "ids")
_IN_ROWS = {"scores": "score", "classes": "class_id", "ids": "id"}
TRACK_ROW = {name: _IN_ROWS.get(here, here) for name, here in TRACKS.items()} | _IN_ROWS
TRACK_ROW |= dict.fromkeys(("to_ltrb", "to_tlbr", "estimate"), "xyxy") | dict.fromkeys(
    ("to_ltwh", "to_tlwh"), "xyxy; mot_reid.boxes.xyxy_to_tlwh turns all of Tracks.xyxy"
)
TRACK_ROW |= {"is_confirmed": "every row: tracks are given once they are confirmed", "get_det_conf": "score"}
TRACK_ROW |= {"get_det_class": "class_id", "time_since_update": "detection_index, -1 where not seen now"}
METHODS = dict.fromkeys(("update_with_detections", "update_tracks"), "update(frame, detections)")
"""Likewise the columns of `Detections` and `Tracks`, what a `TrackRow` has, and a tracker's methods."""


class Elsewhere:
    """Base of what is looked into by another library's names: the error says what they are here."""

    _elsewhere: ClassVar[Mapping[str, str]] = {}

    if not TYPE_CHECKING:  # else every name would pass for one that is there

        def __getattr__(self, name: str) -> Any:
            raise missing(self, name, self._elsewhere)


def missing(owner: object, name: str, names: Mapping[str, str]) -> AttributeError:
    """The error of an attribute that ``owner`` does not have, with what it is here if ``names`` has it."""
    told = f"{type(owner).__name__!r} object has no attribute {name!r}"
    if name in names:
        told += f"; here it is {names[name]}"
    return AttributeError(told, name=name, obj=owner)


Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def arguments_told(
    names: Mapping[str, str],
) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Decorates a function: what ``names`` has is none of its arguments, and the error says what is."""

    def decorated(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @functools.wraps(function)
        def checked(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            if kwargs and (told := names_told(kwargs, names)):
                raise TypeError(told)
            return function(*args, **kwargs)

        return checked

    return decorated


def names_told(given: Iterable[str], names: Mapping[str, str]) -> str:
    """Those of the names that are another library's, each with what it is here; empty if none is."""
    return ". ".join(f"{name}: not known; here it is {names[name]}" for name in given if name in names)


def called_elsewhere(option: str, known: Collection[str]) -> str | None:
    """Says what an option of another tracker's command is called here.

    Args:
        option: that was given, such as ``--conf``, and that the command does not know.
        known: the options and arguments of the command.

    Returns:
        One line; None where nothing is known of it.
    """
    here = OPTIONS.get(option.removeprefix("--").replace("-", "_"))
    if here is None or here.partition(" ")[0].rstrip(",") not in known:
        return None
    if here == "SOURCE":
        return f"No such option: {option}; sources are given by themselves, as in mot-reid track street.mp4"
    return f"No such option: {option}; here it is {here}"
