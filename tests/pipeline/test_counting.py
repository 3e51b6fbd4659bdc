"""Analytics of a run: the sink, the log of events and its receivers, and reading finished tracks."""

import json
import threading
import time
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mot_reid.pipeline.counting import AnalyticsSink, read_scene
from mot_reid.pipeline.event_log import (
    EventLog,
    MqttReceiver,
    Receiver,
    Refused,
    WebhookReceiver,
    make_receivers,
)
from mot_reid.pipeline.finished_tracks import read_finished
from mot_reid.structures import Tracks
from mot_reid.video.formats import SinkInfo
from mot_reid.video.sinks import CsvSink, JsonLinesSink, MotSink, ParquetSink

SCENE = """
lines:
  door: {from: [0, 300], to: [400, 300]}
zones:
  room: {polygon: [[0, 250], [400, 250], [400, 400], [0, 400]], classes: [person]}
"""


def one(x: float, foot: float, track: int = 1) -> Tracks:
    box = np.array([[x - 10, foot - 100, x + 10, foot]], np.float32)
    return Tracks(
        np.array([track]), box, np.ones(1, np.float32), np.zeros(1, np.int64), np.zeros(1, np.int64)
    )


def walk_into(sink: Any, frames: int = 21) -> None:
    for frame in range(1, frames + 1):
        sink.write(frame, None, one(200, 200 + 10 * frame), (frame - 1) / 10, 1e9 + frame / 10)


class Hook(BaseHTTPRequestHandler):
    """A receiver that fails as often as it is told to."""

    got: list[dict[str, Any]]
    fail: list[int]

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status = self.fail.pop(0) if self.fail else 204
        if status == 204:
            self.got.append(json.loads(body) | {"key": self.headers["Idempotency-Key"]})
        self.send_response(status)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[tuple[str, type[Hook]]]:
    handler = type("OneHook", (Hook,), {"got": [], "fail": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", handler
    server.shutdown()
    server.server_close()


def test_the_sink_logs_events_as_they_happen(tmp_path: Path) -> None:
    scene = tmp_path / "shop.yaml"
    scene.write_text(SCENE)
    info = SinkInfo(10, {0: "person"}, "yard", 400, 400)
    with AnalyticsSink(scene, tmp_path, info) as sink:
        walk_into(sink, 15)
        lines = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
        assert [(line["kind"], line["place"], line["frame"]) for line in lines] == [
            ("enter", "room", 5),
            ("cross", "door", 11),
        ]
        assert lines[1]["wall_clock"] == pytest.approx(1e9 + 1.1)
    summary = json.loads((tmp_path / "analytics.json").read_text())
    assert summary["lines"]["door"]["in"] == 1
    assert summary["source"] == "yard"
    assert np.array(summary["heat"]["presence"]).sum() > 5
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 3  # the visit ends


def test_a_live_source_has_other_ids_each_run(tmp_path: Path) -> None:
    scene = tmp_path / "shop.yaml"
    scene.write_text(SCENE)
    ids = []
    for start in (0.0, 1000.0):
        with AnalyticsSink(scene, tmp_path, SinkInfo(10, {0: "person"}, "cam", 400, 400), live=True) as sink:
            for frame in range(1, 22):
                sink.write(frame, None, one(200, 200 + 10 * frame), frame / 10, start + frame / 10)
        ids.append([json.loads(line)["id"] for line in (tmp_path / "events.jsonl").read_text().splitlines()])
    assert len(ids[0]) == len(ids[1]) == len({*ids[0], *ids[1]}) / 2


def test_events_of_a_live_source_have_its_clock_up_to_the_end(tmp_path: Path) -> None:
    scene = tmp_path / "shop.yaml"
    scene.write_text(SCENE)
    with AnalyticsSink(scene, tmp_path, SinkInfo(10, {0: "person"}, "cam", 400, 400), live=True) as sink:
        walk_into(sink, 15)
    events = [json.loads(line) for line in (tmp_path / "events.jsonl").read_text().splitlines()]
    assert events[-1]["reason"] == "end"
    assert [event["wall_clock"] - event["time"] for event in events] == pytest.approx(
        [1e9 + 0.1] * len(events)
    )


def test_times_that_jump_back_do_not_end_the_run(tmp_path: Path) -> None:
    scene = tmp_path / "shop.yaml"
    scene.write_text(SCENE)
    with AnalyticsSink(scene, tmp_path, SinkInfo(10, {0: "person"}, "cam", 400, 400)) as sink:
        for frame, time in enumerate((0.0, 0.1, 0.1, 0.05, 0.3), start=1):
            sink.write(frame, None, one(200, 280), time)
    assert json.loads((tmp_path / "analytics.json").read_text())["zones"]["room"]["visits"] == 1


def test_a_webhook_is_told_of_each_event_at_least_once(tmp_path: Path, hook: tuple[str, type[Hook]]) -> None:
    url, handler = hook
    handler.fail[:] = [500, 503]
    log = EventLog(tmp_path, [WebhookReceiver(url)])
    for number in range(3):
        log.write({"id": f"e{number}", "kind": "cross"})
    assert log.close() == []
    assert [entry["id"] for entry in handler.got] == ["e0", "e1", "e2"]
    assert [entry["key"] for entry in handler.got] == ["e0", "e1", "e2"]
    assert len((tmp_path / "events.jsonl").read_text().splitlines()) == 3


def test_what_cannot_be_sent_is_kept_told_and_sent_by_the_next_run(
    tmp_path: Path, hook: tuple[str, type[Hook]]
) -> None:
    url, handler = hook
    handler.fail[:] = [500] * 50
    log = EventLog(tmp_path, [WebhookReceiver(url)], patience=0.2)
    log.write({"id": "late"})
    told = log.close()
    assert len(told) == 1
    assert "1 event not sent" in told[0]
    handler.fail[:] = []
    log = EventLog(tmp_path, [WebhookReceiver(url)])
    log.write({"id": "new"})
    assert log.close() == []
    assert [entry["id"] for entry in handler.got] == ["late", "new"]
    assert not (tmp_path / "webhook.events.unsent.jsonl").exists()


def test_what_cannot_be_sent_is_kept_where_the_run_is_killed(tmp_path: Path) -> None:
    class Away(Receiver):
        name = "hook"

        def send(self, record: Mapping[str, Any]) -> None:
            raise OSError("no route to host")

    killed = EventLog(tmp_path, [Away()], patience=0)
    killed.write({"id": "late"})
    kept = tmp_path / "hook.events.unsent.jsonl"
    until = time.monotonic() + 10
    while not kept.exists() and time.monotonic() < until:
        time.sleep(0.01)
    assert kept.read_text() == '{"id": "late"}\n'
    killed.close()


def test_what_is_kept_may_hold_any_letter_and_what_is_no_event_holds_up_nothing(
    tmp_path: Path, hook: tuple[str, type[Hook]]
) -> None:
    url, handler = hook
    handler.fail[:] = [500] * 50
    log = EventLog(tmp_path, [WebhookReceiver(url)], patience=0.2)
    log.write({"id": "late", "place": "a\u2028b\u0085c"})
    log.close()
    handler.fail[:] = []
    kept = tmp_path / "webhook.events.unsent.jsonl"
    kept.write_text('{"id": "torn\n' + kept.read_text(encoding="utf-8"), encoding="utf-8")
    log = EventLog(tmp_path, [WebhookReceiver(url)])
    assert ["1 event refused" in line for line in log.close()] == [True]
    assert [(entry["id"], entry["place"]) for entry in handler.got] == [("late", "a\u2028b\u0085c")]


def test_a_refused_event_does_not_hold_up_the_others(tmp_path: Path, hook: tuple[str, type[Hook]]) -> None:
    url, handler = hook
    handler.fail[:] = [400]
    log = EventLog(tmp_path, [WebhookReceiver(url)])
    log.write({"id": "bad"})
    log.write({"id": "good"})
    assert "refused" in log.close()[0]
    assert [entry["id"] for entry in handler.got] == ["good"]
    assert json.loads((tmp_path / "webhook.events.refused.jsonl").read_text()) == {"id": "bad"}


def test_a_receiver_that_breaks_does_not_break_the_run(tmp_path: Path) -> None:
    class Broken(Receiver):
        name = "broken"

        def send(self, record: Any) -> None:
            raise ZeroDivisionError("oh")

    log = EventLog(tmp_path, [Broken()], patience=0.1)
    log.write({"id": "a"})
    assert "(oh)" in log.close()[0]


def test_mqtt_publishes_with_a_topic_for_each_place_and_waits_for_the_broker(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    mqtt = pytest.importorskip("paho.mqtt.client")
    published: list[tuple[str, dict[str, Any], int]] = []

    class Told:
        def wait_for_publish(self, timeout: float) -> None:
            assert timeout > 0

        def is_published(self) -> bool:
            return len(published) < 2

    def publish(self: Any, topic: str, payload: str, qos: int) -> Told:
        published.append((topic, json.loads(payload), qos))
        return Told()

    monkeypatch.setattr(mqtt.Client, "connect", lambda *_, **__: 0)
    monkeypatch.setattr(mqtt.Client, "loop_start", lambda *_: 0)
    monkeypatch.setattr(mqtt.Client, "publish", publish)
    receiver = MqttReceiver("broker", topic="shop")
    receiver.send({"id": "1", "source": "a#b", "kind": "cross", "place": "door+"})
    assert published == [
        ("shop/a_b/cross/door_", {"id": "1", "source": "a#b", "kind": "cross", "place": "door+"}, 1)
    ]
    with pytest.raises(OSError, match="does not confirm"):
        receiver.send({"id": "2"})


def test_refused_is_no_oserror() -> None:
    assert not issubclass(Refused, OSError)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"webhok": "http://a"}, "webhok does not exist"),
        ({"webhook": "ftp://a"}, "expected http"),
        ({"webhook": {"address": "http://a"}}, "webhook"),
        ({"webhook": {"url": 80}}, "webhook: url: expected http"),
        ({"webhook": {"url": "http://a", "headers": "x"}}, "webhook: headers: expected names and values"),
        ({"mqtt": {"port": 3}}, "mqtt"),
        ([1], "expected names and values"),
    ],
)
def test_what_is_wrong_with_receivers_is_named(settings: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_receivers(settings)


@pytest.mark.parametrize(
    "text", ["lines: [", "[1]", "lines: {a: {from: [0, 0], to: [0, 0]}}", "events: {x: 1}"]
)
def test_what_is_wrong_with_a_scene_file_names_the_file(tmp_path: Path, text: str) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"shop\.yaml"):
        read_scene(path)


def test_every_track_file_is_read_alike(tmp_path: Path) -> None:
    names = {0: "person", 2: 'car, "red"'}
    sinks = {
        "tracks.txt": MotSink(tmp_path / "tracks.txt"),
        "tracks.csv": CsvSink(tmp_path / "tracks.csv", names),
        "tracks.jsonl": JsonLinesSink(tmp_path / "tracks.jsonl", names),
        "tracks.parquet": ParquetSink(tmp_path / "tracks.parquet", names),
    }
    for frame in (1, 2, 5):
        both = Tracks(
            np.array([7, 3]),
            np.array([[1, 2, 30.25, 40], [5, 6, 70, 80.5]], np.float32),
            np.array([0.5, 0.75], np.float32),
            np.array([2, 0]),
            np.array([0, -1]),
        )
        for sink in sinks.values():
            sink.write(frame, None, both, (frame - 1) / 25, 1e9)
    for sink in sinks.values():
        sink.close()
    files = {name: read_finished(tmp_path / name, fps=25) for name in sinks}
    for name, file in files.items():
        assert file.rows.ids.tolist() == [3, 7] * 3, name
        assert file.rows.frames.tolist() == [1, 1, 2, 2, 5, 5]
        np.testing.assert_allclose(file.rows.times, [0, 0, 0.04, 0.04, 0.16, 0.16])
        np.testing.assert_allclose(file.rows.xyxy[:2], [[5, 6, 70, 80.5], [1, 2, 30.25, 40]])
        np.testing.assert_allclose(file.scores[:2], [0.75, 0.5])
        if name != "tracks.txt":
            assert file.predicted.tolist() == [True, False] * 3
            assert file.rows.classes[:2].tolist() == [0, 2]
            assert dict(file.class_names) == names
    assert read_finished(tmp_path, fps=25).path.name == "tracks.parquet"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tracks.csv", "\ufeffframe,camera,id,x1,y1,x2,y2\n2,door,7,1,2,3,4\n"),
        ("tracks.txt", "\ufeff2,7,1,2,2,2,1,-1,-1,-1\n"),
    ],
)
def test_what_spreadsheets_add_is_passed_over(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    read = read_finished(path, fps=25)
    assert (read.rows.frames.tolist(), read.rows.ids.tolist()) == ([2], [7])
    assert read.rows.xyxy.tolist() == [[1, 2, 3, 4]]


def test_lines_without_names_of_classes_are_of_people(tmp_path: Path) -> None:
    path = tmp_path / "tracks.jsonl"
    path.write_text('{"frame": 1, "id": 1, "x1": 0, "y1": 0, "x2": 5, "y2": 5}\n')
    assert read_finished(path, fps=25).class_names == {0: "person"}


def test_times_of_the_file_go_before_the_frame_rate(tmp_path: Path) -> None:
    with CsvSink(tmp_path / "tracks.csv") as sink:
        sink.write(1, None, one(5, 200), 0.0)
        sink.write(2, None, one(5, 200), 0.7)
    assert read_finished(tmp_path / "tracks.csv").rows.times.tolist() == [0, 0.7]
    with CsvSink(tmp_path / "tracks.csv") as sink:
        sink.write(3, None, one(5, 200))
    assert read_finished(tmp_path / "tracks.csv", fps=4).rows.times.tolist() == [0.5]
    with pytest.raises(ValueError, match="frames a second"):
        read_finished(tmp_path / "tracks.csv")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "1,2,3\n"),
        ("a.txt", "1,2,x,4,5,6,7\n"),
        ("a.csv", "frame,id\n1,2\n"),
        ("a.csv", "frame,id,x1,y1,x2,y2\n1,2,3,4,5,six\n"),
        ("a.jsonl", "{}\n"),
        ("a.csv", "frame,id,x1,y1,x2,y2," + 200_000 * "x" + "\n"),
        ("a.jsonl", "[]\n"),
        ("a.jsonl", 100_000 * "[" + "\n"),
        ("a.jsonl", '{"frame": 1, "id": 1, "x1": 1, "y1": 1, "x2": 9, "y2": 1%s}\n' % (400 * "0")),
        ("a.jsonl", '{"frame": 1, "class_id": [1], "class_name": "person"}\n'),
        ("a.parquet", "no"),
        ("a.doc", "no"),
    ],
)
def test_a_broken_track_file_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=name):
        read_finished(tmp_path / name, fps=25)


@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
def test_a_track_file_without_a_row_is_empty(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("frame,id,x1,y1,x2,y2,time\n" if name == "a.csv" else "")
    assert len(read_finished(tmp_path / name).rows) == 0
