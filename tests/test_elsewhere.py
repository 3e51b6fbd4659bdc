import copy
import inspect
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mot_reid
from mot_reid import Config, Detections, Tracker, Tracks, load_config
from mot_reid.elsewhere import DETECTIONS, METHODS, OPTIONS, SETTINGS, TRACK, TRACKER, TRACKS
from mot_reid.settings import changed_settings
from mot_reid.structures import TrackRow

BOX = [[10, 20, 30, 60]]
ROW: Any = TrackRow(1, (10, 20, 30, 60), 0.9, 0, 0, 1.0, (0, 0), 0)


def tracker(**arguments: Any) -> Tracker:
    return Tracker("none", "none", "none", **arguments)


@pytest.mark.parametrize(
    ("wrong", "error", "message"),
    [
        (lambda: Detections(BOX, confidence=[0.9]), TypeError, "confidence: not known; here it is scores"),
        (lambda: Detections(BOX, class_id=[0]), TypeError, "class_id: not known; here it is classes"),
        (lambda: Detections(BOX).confidence, AttributeError, "'confidence'; here it is scores"),
        (
            lambda: Detections(BOX).tracker_id,
            AttributeError,
            "here it is Tracks.ids, for detections have none",
        ),
        (lambda: Tracks.empty().tracker_id, AttributeError, "'tracker_id'; here it is ids"),
        (lambda: Tracks.empty().boxes, AttributeError, "'boxes'; here it is xyxy"),
        (lambda: ROW.track_id, AttributeError, "'track_id'; here it is id"),
        (lambda: ROW.conf, AttributeError, "'conf'; here it is score"),
        (lambda: ROW.to_ltrb(), AttributeError, "'to_ltrb'; here it is xyxy$"),
        (lambda: ROW.is_confirmed(), AttributeError, "here it is every row: tracks are given once they"),
        (
            lambda: Detections(ltwh=BOX),
            TypeError,
            "ltwh: not known; here it is xyxy; mot_reid.boxes has tlwh_",
        ),  # type: ignore[call-arg]
        (
            lambda: Tracks.empty().xywh,
            AttributeError,
            "'xywh'; here it is xyxy; mot_reid.boxes has cxcywh",
        ),
        (lambda: tracker(hit_counter_max=30), TypeError, "hit_counter_max: .*lifecycle.lost_time=SECONDS"),
        (lambda: tracker(initialization_delay=3), TypeError, "initialization_delay: .*tentative.min_hits"),
        (
            lambda: load_config(None, ["max_disappeared=9"]),
            ValueError,
            "here it is association.lifecycle.lost",
        ),
        (lambda: ROW.ids, AttributeError, "'ids'; here it is id"),
        (
            lambda: tracker(track_buffer=30),
            TypeError,
            "track_buffer: not known; here .*lifecycle.lost_time=SECONDS",
        ),
        (
            lambda: tracker(track_thresh=0.5),
            TypeError,
            "track_thresh: not known; here .*confident.score_share=SHARE",
        ),
        (
            lambda: tracker(with_reid=True),
            TypeError,
            "with_reid: not known; here it is embedder, which none turns off",
        ),
        (lambda: tracker().update_with_detections(BOX), AttributeError, r"here it is update\(frame, det"),
        (
            lambda: mot_reid.track("a.mp4", conf=0.3),
            TypeError,
            r"conf: not known; here .*detector.score=\.\.\.",
        ),
        (
            lambda: mot_reid.track("a.mp4", vid_stride=2),
            TypeError,
            "vid_stride: not known; here it is stride",
        ),
        (lambda: load_config(None, ["track_buffer=30"]), ValueError, "here it is association.lifecycle.lost"),
    ],
)
def test_names_of_others_are_told_by_ours(
    wrong: Callable[[], object], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        wrong()


@pytest.mark.parametrize("thing", [Detections(BOX), Tracks.empty(), Tracker("none", "none", "none")])
def test_what_nobody_has_is_missing_as_ever(thing: Any) -> None:
    assert not hasattr(thing, "tracker_id")
    assert getattr(thing, "nonsense", 5) == 5
    with pytest.raises(AttributeError, match=r"no attribute 'nonsense'$"):
        thing.nonsense  # noqa: B018
    for twin in (copy.copy(thing), copy.deepcopy(thing), pickle.loads(pickle.dumps(thing))):
        assert type(twin) is type(thing)
        assert vars(twin).keys() == vars(thing).keys()


def test_a_row_of_tracks_is_a_tuple_as_ever() -> None:
    assert not hasattr(ROW, "nonsense")
    for twin in (copy.copy(ROW), copy.deepcopy(ROW), pickle.loads(pickle.dumps(ROW))):
        assert twin == ROW
        assert type(twin) is type(ROW)


def test_a_wrong_argument_that_nobody_has_is_python_s_error() -> None:
    with pytest.raises(TypeError, match="unexpected keyword argument 'nonsense'"):
        tracker(nonsense=1)


def test_what_is_told_exists() -> None:
    for name in SETTINGS.values():
        with pytest.raises((TypeError, ValueError), match=r"expected|between"):
            load_config(None, [f"{name.partition('=')[0]}=[{{}}]"])
    assert changed_settings(Config()) == {}
    arguments = {*inspect.signature(mot_reid.track).parameters, *inspect.signature(Tracker).parameters}
    for told in TRACK.values():
        assert told.replace("=", " ").replace(",", " ").split()[0] in arguments
    detections = inspect.signature(Detections).parameters
    for names, ours in ((TRACKER, inspect.signature(Tracker).parameters), (DETECTIONS, detections)):
        assert not names.keys() & ours.keys()
    assert not TRACKS.keys() & vars(Tracks.empty()).keys()
    assert not METHODS.keys() & {*dir(Tracker)}
    assert all("-" not in name for name in OPTIONS)


def test_embeddings_are_added_to_detections() -> None:
    found = Detections(BOX, [0.5], [3]).beside({"car": 2})
    added = found.with_embeddings(np.array([[3.0, 4.0]]))
    assert added.embeddings is not None
    np.testing.assert_allclose(added.embeddings, [[0.6, 0.8]])
    assert (added.scores[0], added.classes[0], added.other_classes) == (0.5, 3, {"car": 2})
    assert len(Detections.empty().with_embeddings(np.zeros((0, 2)))) == 0


def test_settings_of_others_in_a_file_are_told(tmp_path: Path) -> None:
    (tmp_path / "my.yaml").write_text("max_age: 30\n")
    with pytest.raises(
        ValueError, match=r"my.yaml: setting max_age .*here it is association.lifecycle.lost_time"
    ):
        load_config(tmp_path / "my.yaml")
