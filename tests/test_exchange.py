"""Detections and tracks from and to Ultralytics, supervision, pandas, torch and JSON."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mot_reid import Detections, Tracker, Tracks

BOXES = np.array([[10, 20, 30, 80], [100, 20, 130, 90], [200, 40, 220, 99]], np.float32)
SCORES = np.array([0.9, 0.8, 0.7], np.float32)


def tracker() -> Tracker:
    return Tracker(detector="none", embedder="none", camera_motion="none")


def results(**parts: Any) -> Any:
    """An Ultralytics result of three people, with whatever else the model gives."""
    import torch
    from ultralytics.engine.results import Results

    rows = torch.tensor(np.column_stack([BOXES, SCORES, [0, 0, 2]]))
    return Results(np.zeros((120, 240, 3), np.uint8), "x.jpg", {0: "person", 2: "car"}, boxes=rows, **parts)


def test_ultralytics_boxes_come_row_for_row() -> None:
    found = Detections.from_ultralytics(results())
    np.testing.assert_array_equal(found.xyxy, BOXES)
    np.testing.assert_array_equal(found.scores, SCORES)
    assert found.classes.tolist() == [0, 0, 2]
    assert len(Detections.from_ultralytics(results()[:0])) == 0


def test_masks_and_keypoints_follow_their_track() -> None:
    """The mask of a person is a square at the box's corner; a track's row leads back to its own."""
    import torch

    masks, keypoints = torch.zeros(3, 120, 240), torch.zeros(3, 17, 3)
    for row, (x, y) in enumerate(BOXES[:, :2].astype(int)):
        masks[row, y : y + 5, x : x + 5] = 1
        keypoints[row, :, 0] = float(x)
    result, ours = results(masks=masks, keypoints=keypoints), tracker()
    for order in ([0, 1, 2], [2, 0, 1], [1, 2, 0]):  # a detector's order is by score and changes
        shuffled = result[order]
        tracks = ours.update(None, Detections.from_ultralytics(shuffled)).seen
        for track in tracks:
            mask = shuffled.masks.data[track.detection_index]
            y, x = (int(place.min()) for place in mask.nonzero(as_tuple=True))
            assert (x, y) == tuple(BOXES[track.id - 1, :2])
            assert shuffled.keypoints.data[track.detection_index, 0, 0] == x
    assert tracks.ids.tolist() == [2, 3, 1]


def test_oriented_boxes_follow_their_track() -> None:
    import torch

    turned = torch.tensor([[50.0, 50, 40, 20, 0.5, 0.9, 1], [150, 60, 30, 30, 0.1, 0.8, 1]])  # by centre
    result, ours = results(obb=turned), tracker()
    result.boxes = None
    for order in ([0, 1], [1, 0]):
        tracks = ours.update(None, Detections.from_ultralytics(result[order])).seen
        angles = {track.id: float(result[order].obb.data[track.detection_index, 4]) for track in tracks}
        assert angles == pytest.approx({1: 0.5, 2: 0.1})


def test_what_is_no_result_is_named() -> None:
    with pytest.raises(TypeError, match="a list: pass one of its entries"):
        Detections.from_ultralytics([results()])
    with pytest.raises(TypeError, match="expected supervision's Detections, got int"):
        Detections.from_supervision(3)


def test_an_array_or_a_result_in_place_of_detections_says_what_makes_them() -> None:
    frame, rows = np.zeros((240, 320, 3), np.uint8), np.column_stack([BOXES, SCORES, [0, 0, 2]])
    with pytest.raises(TypeError, match=r"Detections\.from_rows, from_ultralytics and from_supervision"):
        tracker().update(frame, rows)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"ultralytics's Results; mot_reid\.Detections\.from_ultralytics"):
        tracker().update(frame, results())
    with pytest.raises(ValueError, match=r"got \(3, 6\); the frame comes first, then detections"):
        tracker().update(rows, frame)  # type: ignore[arg-type]


def test_supervision_goes_both_ways() -> None:
    supervision = pytest.importorskip("supervision")
    theirs = supervision.Detections(xyxy=BOXES, confidence=SCORES, class_id=np.array([0, 0, 2]))
    found = Detections.from_supervision(theirs)
    np.testing.assert_array_equal(found.xyxy, BOXES)
    assert found.classes.tolist() == [0, 0, 2]
    assert len(Detections.from_supervision(supervision.Detections.empty())) == 0
    back = tracker().update(None, found).to_supervision({0: "person", 2: "car"})
    assert back.tracker_id.tolist() == [1, 2, 3]
    assert back.data["class_name"].tolist() == ["person", "person", "car"]
    picture = supervision.BoxAnnotator().annotate(np.zeros((120, 240, 3), np.uint8), back)
    assert picture.any()
    assert len(Tracks.empty().to_supervision()) == 0
    assert Tracks.empty().to_supervision({0: "person"}).data["class_name"].dtype.kind == "U"


def test_supervisions_lines_and_zones_count_our_tracks() -> None:
    supervision = pytest.importorskip("supervision")
    line = supervision.LineZone(supervision.Point(60, 0), supervision.Point(60, 120))
    zone = supervision.PolygonZone(np.array([[0, 0], [59, 0], [59, 120], [0, 120]]))
    ours, inside = tracker(), []
    for step in range(20):
        box = np.array([[10 + 5 * step, 30, 30 + 5 * step, 80]], np.float32)
        tracks = ours.update(None, Detections(box, [0.9])).to_supervision()
        line.trigger(tracks)
        inside.append(int(zone.trigger(tracks).sum()))
    assert (line.in_count, line.out_count) in ((1, 0), (0, 1))
    assert (inside[1], inside[-1]) == (1, 0)


@pytest.mark.parametrize("columns", [5, 6])
def test_rows_with_and_without_classes(columns: int) -> None:
    table = np.column_stack([BOXES, SCORES, [0, 0, 2]])[:, :columns]
    found = Detections.from_rows(table)
    np.testing.assert_array_equal(found.xyxy, BOXES)
    np.testing.assert_array_equal(found.scores, SCORES)
    assert found.classes.tolist() == ([0, 0, 2] if columns == 6 else [0, 0, 0])
    assert len(Detections.from_rows([])) == len(Detections.from_rows(np.zeros((0, 6)))) == 0
    with pytest.raises(ValueError, match=r"expected shape \(N, 5\) or \(N, 6\).*got \(3, 4\)"):
        Detections.from_rows(table[:, :4])
    with pytest.raises(TypeError, match="rows: expected numbers in rows of one length"):
        Detections.from_rows([[1, 2, 3, 4, 0.5], [1]])


def test_bad_rows_of_other_libraries_can_be_left_out() -> None:
    """Models give boxes without area now and then: clipped at the picture's edge, or rounded."""
    torch, supervision = pytest.importorskip("torch"), pytest.importorskip("supervision")
    rows = np.array([[10, 20, 10, 90, 0.9, 0], [10, 20, 50, 90, 0.8, 2]], np.float32)
    boxes = SimpleNamespace(
        xyxy=torch.tensor(rows[:, :4]), conf=torch.tensor(rows[:, 4]), cls=torch.tensor(rows[:, 5])
    )
    theirs = supervision.Detections(rows[:, :4], confidence=rows[:, 4], class_id=rows[:, 5].astype(int))
    for make, given in (
        (Detections.from_ultralytics, SimpleNamespace(boxes=boxes)),
        (Detections.from_supervision, theirs),
        (Detections.from_rows, rows),
    ):
        with pytest.raises(ValueError, match="row 0 has no area"):
            make(given)
        found = make(given, invalid="drop")
        assert (found.classes.tolist(), found.invalid_rows) == ([2], 1)


def test_tensors_pass_for_arrays() -> None:
    import torch

    boxes = torch.tensor(BOXES, requires_grad=True)
    found = Detections(boxes, torch.tensor(SCORES).bfloat16(), torch.tensor([0, 0, 2]))
    np.testing.assert_array_equal(found.xyxy, BOXES)
    np.testing.assert_allclose(found.scores, SCORES, atol=4e-3)
    assert found.classes.tolist() == [0, 0, 2]
    rows = torch.cat([boxes, torch.tensor(SCORES)[:, None]], 1)
    np.testing.assert_array_equal(Detections.from_rows(rows).scores, SCORES)


def test_tensors_in_lists_pass_for_arrays() -> None:
    import torch

    boxes, scores = torch.tensor(BOXES, requires_grad=True), torch.tensor(SCORES, requires_grad=True)
    for rows in (list(boxes), tuple(boxes), [list(row) for row in boxes], list(boxes.bfloat16())):
        found = Detections(rows, list(scores.bfloat16()), [torch.tensor(2)] * 3, list(boxes))
        np.testing.assert_array_equal(found.xyxy, BOXES)
        np.testing.assert_allclose(found.scores, SCORES, atol=4e-3)
        assert len(Detections(rows, list(scores), invalid="drop")) == 3
    whole = torch.cat([boxes, scores[:, None]], 1)
    np.testing.assert_array_equal(Detections.from_rows(list(whole)).scores, SCORES)
    with pytest.raises(ValueError, match="xyxy: expected rows of one length"):
        Detections([boxes[0], boxes[1, :3]])
    with pytest.raises(TypeError, match="rows: expected numbers in rows of one length"):
        Detections.from_rows([whole[0], whole[1, :3]])
    with pytest.raises(TypeError, match=r"scores: .*meta"):
        Detections(BOXES, list(torch.zeros(3, device="meta")))


def test_rows_have_named_fields_velocity_and_age() -> None:
    ours = tracker()
    for step in range(30):
        tracks = ours.update(
            None, Detections(BOXES[:1] + np.float32([4 * step, step, 4 * step, step]), [0.9])
        )
    (row,) = tracks
    assert (row.id, row.class_id, row.detection_index, row.age) == (1, 0, 0, 29)
    assert row.velocity == pytest.approx((4, 1), abs=0.2)
    assert row.xyxy == tuple(tracks.xyxy[0].tolist())
    assert len(list(tracks)) == len(tracks) == 1


def test_predicted_rows_are_not_seen() -> None:
    ids = np.array([4, 5])
    tracks = Tracks(ids, BOXES[:2], SCORES[:2], ids * 0, np.array([-1, 0]))
    assert tracks.seen.ids.tolist() == [5]
    assert np.isnan(tracks.velocity).all()
    assert tracks.age.tolist() == [-1, -1]


def test_dictionaries_are_json() -> None:
    tracks = tracker().update(None, Detections(BOXES, SCORES))
    content = json.loads(json.dumps(tracks.to_dict()))
    assert content["ids"] == [1, 2, 3]
    np.testing.assert_allclose(content["xyxy"], tracks.xyxy)
    unknown = Tracks(tracks.ids, tracks.xyxy, tracks.scores, tracks.classes, tracks.detection_index)
    assert json.loads(json.dumps(unknown.to_dict(), allow_nan=False))["velocity"] == [None] * 3


def test_tables_of_pandas() -> None:
    tracks = tracker().update(None, Detections(BOXES, SCORES))
    table = tracks.to_dataframe(frame=7, time=0.28)
    assert table.columns.tolist()[:7] == ["frame", "time", "id", "x1", "y1", "x2", "y2"]
    assert table.frame.tolist() == [7, 7, 7]
    np.testing.assert_array_equal(table[["x1", "y1", "x2", "y2"]], tracks.xyxy)
    assert "frame" not in tracks.to_dataframe().columns


def test_a_result_of_numpy_arrays_does_as_well() -> None:
    boxes = SimpleNamespace(xyxy=BOXES, conf=SCORES, cls=np.zeros(3))
    assert len(Detections.from_ultralytics(SimpleNamespace(boxes=boxes))) == 3
