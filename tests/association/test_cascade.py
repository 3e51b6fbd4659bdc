"""The cascade as data: terms of a user's own, and what is said when they are wrong."""

import runpy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mot_reid import Detections, Tracker
from mot_reid.association.associator import Associator
from mot_reid.association.candidates import confident, overlapping, tentative
from mot_reid.association.cascade import CASCADE, Stage, checked_cascade, with_terms
from mot_reid.association.costs import iou_cost
from mot_reid.association.state import FrameState, Pairs
from mot_reid.config import AssociationConfig, load_config

SIZE = np.array([40, 100])
RED, GREEN = np.eye(2, 8, dtype=np.float32)
EXAMPLE = Path(__file__).parents[2] / "examples" / "own_cost_term.py"


def configured(*settings: str) -> AssociationConfig:
    """The settings of association with some changed, such as ``"tentative.min_hits=3"``."""
    return load_config(None, [f"association.{setting}" for setting in settings]).association


def boxes(*positions: tuple[float, float]) -> Detections:
    corners = np.array(positions, float).reshape(-1, 2)
    return Detections(np.hstack([corners, corners + SIZE]))


def nothing(frame: FrameState, pairs: Pairs) -> np.ndarray:
    return np.zeros(len(pairs), bool)


def test_the_stages_and_their_order() -> None:
    assert [stage.name for stage in CASCADE] == [
        *("confident", "weak", "near", "revive", "tentative", "tentative near")
    ]
    assert [stage.name for stage in CASCADE if stage.asks] == ["confident"]
    assert [stage.name for stage in CASCADE if stage.revives] == ["revive"]


def test_a_gate_of_ones_own_keeps_pairs_apart() -> None:
    tracker = Associator(cascade=with_terms(CASCADE, "confident", gates=[nothing]))
    assert tracker.step(boxes((0, 0))).ids.tolist() == [1]
    assert tracker.step(boxes((0, 0))).ids.tolist() == []  # it starts again instead
    assert tracker.step(boxes((0, 0))).ids.tolist() == [2]


def test_a_cost_term_of_ones_own_decides_between_candidates() -> None:
    """One track between two detections: overlap takes the nearer, the term prefers the further."""

    def prefer_right(frame: FrameState, pairs: Pairs) -> np.ndarray:
        return np.where(frame.measured[pairs.detections, 0] > 20, 0.0, 0.5)

    still = np.eye(2, 3)
    seen = {}
    for name, cascade in (("own", with_terms(CASCADE, "confident", costs=[prefer_right])), ("none", CASCADE)):
        tracker = Associator(cascade=cascade)
        for _ in range(4):
            tracker.step(boxes((0, 0)), still)
        seen[name] = tracker.step(boxes((-4, 0), (8, 0)), still).detection_index.tolist()
    assert seen == {"own": [1], "none": [0]}


def test_stages_can_be_left_out_and_added() -> None:
    early = Stage("early", tentative, confident, gates=(), costs=(iou_cost,), candidates=overlapping)
    tracker = Associator(cascade=(early, *CASCADE[:1]))
    tracker.step(boxes((0, 0)))
    tracker.step(boxes((0, 0), (300, 0)))
    assert tracker.step(boxes((0, 0), (300, 0))).ids.tolist() == [1, 2]
    blind = Associator(cascade=CASCADE[:1])  # no second sight: nothing new is ever confirmed
    blind.step(boxes((0, 0)))
    for _ in range(5):
        assert blind.step(boxes((0, 0), (300, 0))).ids.tolist() == [1]


def test_two_stages_may_bring_tracks_back() -> None:
    """What the first one brought back was forgotten for what the second one did."""

    def first_track(frame: FrameState, pairs: Pairs) -> np.ndarray:
        return np.asarray(frame.tracklets.rows["id"][pairs.tracks] == 1)

    def found(*positions: tuple[float, float]) -> Detections:
        looks = np.array([RED, GREEN])[: len(positions)]
        return Detections(boxes(*positions).xyxy, embeddings=looks.reshape(-1, 8))

    revive = next(stage for stage in CASCADE if stage.revives)
    one = replace(revive, name="revive the first", gates=(*revive.gates, first_track))
    place = CASCADE.index(revive)
    tracker = Associator(cascade=(*CASCADE[:place], one, *CASCADE[place:]))
    for number in range(20):
        tracker.step(found((100 + 4 * number, 100), (100 + 4 * number, 400)))
    for _ in range(5):
        tracker.step(found())
    tracks = tracker.step(found((100, 100), (100, 400)))
    assert tracks.ids.tolist() == [1, 2]
    assert (tracks.id_confidence < 1).all()
    assert (tracks.velocity == 0).all()


@pytest.mark.parametrize(
    ("gates", "costs", "message"),
    [
        (
            [lambda frame, pairs: pairs.overlaps],
            [],
            r"gate <lambda> of stage 'confident': .* bool, got \(1,\) f",
        ),
        ([lambda frame, pairs: True], [], "expected an array .*, got bool"),
        ([lambda frame, pairs: np.ones(7, bool)], [], r"expected an array \(1,\) bool, got \(7,\) bool"),
        ([], [lambda frame, pairs: 0.5], r"cost <lambda> of stage 'confident': .* \(1,\) float, got float"),
        ([], [lambda frame, pairs: np.ones(len(pairs), int)], "float, got .* int64"),
        (
            [],
            [lambda frame, pairs: np.full(len(pairs), np.nan)],
            "cost of a pair in stage 'confident' is nan",
        ),
    ],
)
def test_what_is_wrong_with_a_term_is_said_and_leaves_no_trace(
    gates: list, costs: list, message: str
) -> None:
    own = with_terms(CASCADE, "confident", gates=gates, costs=costs)
    troubled, clean = Associator(), Associator()
    for x in range(0, 40, 10):
        for tracker in (troubled, clean):
            tracker.step(boxes((x, 0)))
    troubled.cascade = own
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            troubled.step(boxes((40, 0)), np.array([[1.0, 0, 4], [0, 1, 2]]))
    troubled.cascade = CASCADE
    for x in range(40, 90, 10):
        a, b = troubled.step(boxes((x, 0))), clean.step(boxes((x, 0)))
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_array_equal(a.xyxy, b.xyxy)


def test_a_length_of_embeddings_from_a_frame_that_failed_does_not_count() -> None:
    tracker = Associator(
        configured("embedding.share=1"), cascade=with_terms(CASCADE, "tentative", gates=[nothing])
    )

    def failing(frame: FrameState) -> np.ndarray:
        raise RuntimeError("mine")

    whole = tracker.cascade
    tracker.cascade = (*whole[:3], replace(whole[3], tracks=failing, detections=confident))
    with pytest.raises(RuntimeError, match="mine"):
        tracker.step(Detections(boxes((0, 0)).xyxy, embeddings=np.ones((1, 5))))
    tracker.cascade = whole
    assert tracker.step(Detections(boxes((0, 0)).xyxy, embeddings=[RED])).ids.tolist() == [1]
    with pytest.raises(ValueError, match="embeddings: expected 8 columns, got 5"):
        tracker.step(Detections(boxes((0, 0)).xyxy, embeddings=np.ones((1, 5))))


@pytest.mark.parametrize(
    ("cascade", "error", "message"),
    [
        ([CASCADE[0], CASCADE[0]], ValueError, "a name for each stage, got confident, confident"),
        ([CASCADE], TypeError, "expected stages, got tuple"),
        ([replace(CASCADE[0], costs=())], ValueError, "stage 'confident' has no cost term"),
    ],
)
def test_a_cascade_is_one(cascade: list, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        checked_cascade(cascade)
    with pytest.raises(error, match=message):
        Tracker(detector="none", embedder="none", camera_motion="none", cascade=cascade)


def test_terms_go_to_a_stage_that_exists() -> None:
    with pytest.raises(ValueError, match="no stage 'week'; known: confident, weak, near, revive, tentative"):
        with_terms(CASCADE, "week", gates=[nothing])


def test_the_example_runs(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    assert capsys.readouterr().out.splitlines() == [
        "track 1: [210.0, 100.0, 250.0, 220.0]",
        "track 2: [110.0, 150.0, 138.0, 220.0]",
    ]
