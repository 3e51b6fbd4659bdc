"""The server without a browser: what it answers, and what it refuses."""

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import av
import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st
from starlette.testclient import TestClient

from mot_reid.analytics import analyse
from mot_reid.app.exporting import Export
from mot_reid.app.frames import FrameReader
from mot_reid.app.live import Camera, CameraSettings
from mot_reid.app.live_routes import live_routes
from mot_reid.app.people import People
from mot_reid.app.report import report
from mot_reid.app.runs import runs_in
from mot_reid.app.search_routes import search_routes
from mot_reid.app.server import make_app
from mot_reid.app.summaries import summary_of
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.records import Tracklet
from mot_reid.pipeline.finished_tracks import read_finished
from mot_reid.structures import Tracks
from mot_reid.video.formats import FORMATS
from mot_reid.video.video_sink import VideoSink

from .conftest import FRAMES, HEIGHT, WIDTH, make_run, walkers

SCENE = {"lines": {"door": {"from": [160, 0], "to": [160, 240], "directions": ["left", "right"]}}}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_run(tmp_path / "yard", switched=True)


@pytest.fixture
def client(folder: Path) -> TestClient:
    app = make_app(runs_in([folder]), hosts=frozenset({"127.0.0.1"}))
    return TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=True)


def correct(client: TestClient, **entry: Any) -> Any:
    return client.post("/api/runs/r0/corrections", json=entry)


def test_the_page_and_its_files_come_from_here_and_run_nothing_else(client: TestClient) -> None:
    page = client.get("/")
    assert page.status_code == 200
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert "unsafe" not in page.headers["content-security-policy"]
    assert "http" not in page.text.replace("http-equiv", "")
    for name in ("app.js", "style.css", "icon.svg"):
        assert client.get(f"/{name}").status_code == 200


def test_a_run_is_told_with_its_lanes(client: TestClient) -> None:
    assert client.get("/api/runs").json()["runs"] == [{"key": "r0", "name": "yard"}]
    run = client.get("/api/runs/r0").json()
    assert (run["frames"], run["width"], run["height"], run["pictures"]) == (FRAMES, WIDTH, HEIGHT, True)
    assert run["tracks"] == [{"id": n, "class": 0, "spans": [[1, FRAMES]]} for n in (1, 2)]


def test_boxes_come_as_columns(client: TestClient) -> None:
    data = client.get("/api/runs/r0/rows?from=3&to=4").content
    n = int(np.frombuffer(data[:4], "<u4")[0])
    assert n == 4
    frames, ids = np.frombuffer(data[4:36], "<i4").reshape(2, 4).tolist()
    assert frames == [3, 3, 4, 4]
    assert sorted(ids) == [1, 1, 2, 2]
    sides = np.frombuffer(data[36 : 36 + 64], "<f4").reshape(4, 4).T
    np.testing.assert_allclose(sorted(sides.tolist()), sorted([*walkers(3).tolist(), *walkers(4).tolist()]))
    assert len(data) == 4 + n * (4 + 4 + 16 + 2 + 1)


def test_frames_come_as_pictures(client: TestClient) -> None:
    answer = client.get("/api/runs/r0/frames/10?width=160")
    picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (120, 160, 3)
    assert client.get("/api/runs/r0/frames/61").status_code == 404
    assert client.get("/api/runs/r0/frames/-1").status_code == 404


def test_counts_are_those_of_the_scene(client: TestClient, folder: Path) -> None:
    found = client.post("/api/runs/r0/count", json=SCENE).json()
    assert found["lines"]["door"] == {"left": 1, "right": 1, "objects": {"left": 1, "right": 1}}
    assert len(found["events"]) == 2
    assert client.post("/api/runs/r0/count", json={"lines": {"a": 1}}).status_code == 422
    assert client.put("/api/runs/r0/scene", json=SCENE).json()["lines"]["door"]["from"] == [160, 0]
    assert client.get("/api/runs/r0/scene").json()["lines"]["door"]["to"] == [160, 240]
    assert (folder / "scene.yaml").exists()


def test_half_a_letter_in_a_name_is_refused_and_nothing_is_kept(client: TestClient, folder: Path) -> None:
    """As a browser cuts one that has two halves, and JSON lets it pass."""
    body = json.dumps({"lines": {"\ud83d": SCENE["lines"]["door"]}})
    for ask, path in ((client.put, "scene"), (client.post, "count")):
        answer = ask(f"/api/runs/r0/{path}", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()) == (400, {"error": "the body is not JSON"})
    assert not (folder / "scene.yaml").exists()


def test_corrections_are_logged_replayed_undone_and_exported(client: TestClient, folder: Path) -> None:
    before = (folder / "tracks.csv").read_bytes()
    assert correct(client, kind="swap", ids=[1, 2], frame=31).status_code == 200
    assert correct(client, kind="rename", id=1, name="<b>Ann</b>").json()["names"] == {"1": "<b>Ann</b>"}
    log = [json.loads(line) for line in (folder / "corrections.jsonl").read_text().splitlines()]
    assert [entry["kind"] for entry in log] == ["swap", "rename"]
    again = TestClient(make_app(runs_in([folder])), base_url="http://127.0.0.1")
    assert again.get("/api/runs/r0").json()["held"] == 2
    names = [name for name in client.get("/api/runs").json()["formats"] if name != "coco"]
    assert [name for name in FORMATS if name not in ("coco", "video")] == names
    told = client.post("/api/runs/r0/export", json={"formats": names}).json()
    while told["working"]:
        assert 0 <= told["share"] <= 1
        told = client.get("/api/runs/r0/export").json()
    assert told["failed"] == ""
    assert [entry["name"] for entry in told["files"]] == [FORMATS[name].file for name in names]
    assert [entry["name"] for entry in told["files"] if entry["folder"]] == ["tracks_yolo"]
    assert not list((folder / "corrected").glob(".part-*"))
    table = np.loadtxt(folder / "corrected" / "tracks.txt", delimiter=",")
    one = table[table[:, 1] == 1]
    np.testing.assert_allclose(one[:, 2], [walkers(frame)[0, 0] for frame in range(1, FRAMES + 1)])
    assert client.get("/api/runs/r0/export/tracks.csv").text.count("\n") == 1 + 2 * FRAMES
    assert correct(client, kind="undo").json()["names"] == {}
    assert correct(client, kind="redo").json()["names"] == {"1": "<b>Ann</b>"}
    assert correct(client, kind="merge", ids=[1, 2]).status_code == 422
    assert (folder / "tracks.csv").read_bytes() == before


def test_a_torn_log_is_read_up_to_the_tear_and_a_wrong_one_names_its_line(folder: Path) -> None:
    log = folder / "corrections.jsonl"
    log.write_text('{"kind": "delete", "id": 1}\n{"kind": "de')
    assert summary_of(runs_in([folder])[0])["held"] == 1
    log.write_bytes('{"kind": "delete", "id": 1}\n{"kind": "rename", "id": 2, "name": "Zoë'.encode()[:-1])
    assert summary_of(runs_in([folder])[0])["held"] == 1
    log.write_bytes(b'{"kind": "rename", "id": 2, "name": "Zo\xc3"}\n')
    with pytest.raises(ValueError, match=r"corrections\.jsonl:1: .* can't decode"):
        summary_of(runs_in([folder])[0])
    log.write_text('{"kind": "delete"}\n{"kind": "delete", "id": 1}\n')
    with pytest.raises(ValueError, match=r"corrections\.jsonl:1: delete: id is missing"):
        summary_of(runs_in([folder])[0])


def test_what_is_kept_is_told_and_deleted(client: TestClient, folder: Path) -> None:
    correct(client, kind="delete", id=1)
    (folder / "tracks_global.txt").write_text("1,3,10,20,30,80,0.9,-1,-1,-1\n")  # of `mot-reid identify`
    names = {entry["name"] for entry in client.get("/api/runs/r0/kept").json()["files"]}
    assert names == {"tracks.csv", "summary.json", "corrections.jsonl", "tracks_global.txt"}
    assert client.delete("/api/runs/r0/kept/corrections.jsonl").status_code == 200
    assert not (folder / "corrections.jsonl").exists()
    assert len(client.get("/api/runs/r0").json()["tracks"]) == 2
    assert client.delete("/api/runs/r0/kept/..%2Fyard-pictures").status_code in (404, 422)
    assert (folder.parent / "yard-pictures").exists()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "evil.example"}, 421),
        ({"host": "127.0.0.1:8000"}, 200),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1", "host": "127.0.0.1"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-length": "99999999999"}, 413),
    ],
)
def test_who_may_change_something(client: TestClient, headers: dict[str, str], status: int) -> None:
    given_headers = {"content-type": "application/json", **headers}
    answer = client.post("/api/runs/r0/count", content=b"{}", headers=given_headers)
    assert answer.status_code == status
    assert "content-security-policy" in answer.headers


def test_a_token_is_asked_for_and_kept_as_a_cookie(folder: Path) -> None:
    app = make_app(runs_in([folder]), token="secret")
    stranger = TestClient(app, base_url="http://10.0.0.5")
    assert stranger.get("/").status_code == 401
    assert stranger.get("/api/runs/r0/frames/1").status_code == 401
    assert stranger.get("/?token=wrong").status_code == 401
    assert stranger.get("/api/runs", headers={"authorization": "Bearer secret"}).status_code == 200
    entered = stranger.get("/?token=secret", follow_redirects=False)
    assert entered.status_code == 303
    assert "HttpOnly" in entered.headers["set-cookie"]
    assert stranger.get("/").status_code == 200


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> tuple[TestClient, Path, bytes]:
    folder = make_run(tmp_path_factory.mktemp("fuzz") / "yard")
    (folder.parent / "secret.txt").write_text("secret-content")
    runs, shop = runs_in([folder]), make_gallery(folder.parent / "shop")

    def no_tracker() -> Any:
        raise ValueError("there is none here")

    cameras = [Camera(CameraSettings("gone", "nowhere.mp4"), no_tracker)]
    routes = [*live_routes(cameras), *search_routes(shop, runs)]
    app = make_app(runs, routes=routes, people=People(runs, shop))
    client = TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False)
    return client, folder, (folder / "tracks.csv").read_bytes()


def make_gallery(place: Path) -> Gallery:
    """A gallery of one tracklet; it has no embedder that could be asked."""

    class Named:
        name = "named"

        def embed(self, frame: np.ndarray, xyxy: np.ndarray) -> np.ndarray:
            raise NotImplementedError

    mean = np.eye(4, dtype=np.float32)[0]
    shop = Gallery(place, Named())
    shop.add(
        [
            Tracklet(
                "yard", "/nowhere", "run", 1, 1, 9, 0.0, 1.0, mean, mean[None], np.zeros((1, 6), np.float32)
            )
        ]
    )
    return shop


PIECES = (
    *(
        "api",
        "runs",
        "r0",
        "r1",
        "rows",
        "frames",
        "1",
        "-1",
        "count",
        "scene",
        "corrections",
        "export",
        "kept",
        "crops",
        "score",
        "people",
        "fits",
        "identify",
        "gallery",
        "forget",
        "search",
        "picture",
        "live",
        "start",
        "stop",
        "0",
    ),
    *(
        "..",
        ".",
        "%2e%2e",
        "..%2f..%2fsecret.txt",
        "%00",
        "tracks.csv",
        "etc",
        "passwd",
        "a" * 300,
        "ü",
        "app.js",
    ),
    *("secret.txt", "%2fetc%2fpasswd", "..\\", "index.html", "99999999999999999999", "summary.json"),
)
leaves = (
    st.just(10**400)
    | st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=6)
    | st.sampled_from([1, 2, 31, "r0"])
)
KEYS = (
    *(
        "kind",
        "ids",
        "id",
        "frame",
        "until",
        "xyxy",
        "name",
        "fill",
        "new",
        "lines",
        "zones",
        "from",
        "to",
        "polygon",
    ),
    *(
        "size",
        "units",
        "queues",
        "ground",
        "homography",
        "pixels",
        "metres",
        "cell",
        "interval",
        "formats",
        "memory",
        "describe",
        "days",
        "track",
        "box",
        "run",
    ),
)
values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KEYS) | st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=12,
)
bodies = values | st.fixed_dictionaries(
    {"kind": st.sampled_from(["merge", "split", "swap", "rename", "delete", "box", "undo", "redo"])},
    optional={
        name: leaves | st.lists(leaves, max_size=4)
        for name in ("ids", "id", "frame", "until", "xyxy", "name")
    },
)


@examples(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"]),
    st.sampled_from(["/api/runs/r0/", "/api/runs/", "/api/", "/"]),
    st.lists(st.sampled_from(PIECES), max_size=4),
    st.dictionaries(
        st.sampled_from(["from", "to", "width", "token"]),
        st.sampled_from(["0", "-1", "1e9", "9" * 30, "x", ""]),
    ),
    bodies,
    st.binary(max_size=20) | st.none(),
)
def test_whatever_is_asked_nothing_breaks_and_no_other_file_comes(
    fuzzed: tuple[TestClient, Path, bytes],
    method: str,
    start: str,
    pieces: list[str],
    query: dict[str, str],
    body: Any,
    raw: bytes | None,
) -> None:
    client, folder, tracks = fuzzed
    own = (folder, folder.parent / "shop")
    outside = {path: path.stat().st_mtime_ns for path in folder.parent.iterdir() if path not in own}
    text = "&".join(f"{key}={value}" for key, value in query.items())
    content = raw if raw is not None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    answer = client.request(method, f"{start}{'/'.join(pieces)}?{text}", content=content, headers=headers)
    assert answer.status_code < 500, answer.text
    assert b"secret-content" not in answer.content
    assert b"root:" not in answer.content
    assert {p: p.stat().st_mtime_ns for p in folder.parent.iterdir() if p not in own} == outside
    if not (folder / "tracks.csv").exists():  # deleted, as was asked: the next request needs it again
        (folder / "tracks.csv").write_bytes(tracks)


def test_a_video_gives_the_frame_that_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "count.mp4"
    with VideoSink(path, 25.0, 18) as sink:
        for frame in range(1, 121):
            sink.write(frame, np.full((64, 64, 3), 2 * frame, np.uint8), Tracks.empty())
    reader = FrameReader(path)
    reader.wait()
    for number in (1, 2, 3, 100, 99, 7, 120, 30, 31, 75):
        image = reader.image(number)
        assert image is not None
        assert abs(float(image.mean()) - 2 * number) < 1.5, number
    assert reader.image(121) is None
    assert reader.image(0) is None
    reader.close()


def test_a_video_that_is_cut_off_has_no_picture_of_what_lies_behind(tmp_path: Path) -> None:
    """The picture before would be shown with the boxes of others."""
    folder = make_run(tmp_path / "yard")
    path = tmp_path / "yard.mp4"
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("mpeg4", rate=25, width=64, height=64)
        noise = np.random.default_rng(0)
        for _ in range(FRAMES):
            picture = noise.integers(0, 255, (64, 64, 3)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, "bgr24")))
        container.mux(stream.encode(None))
    with path.open("r+b") as file:
        file.truncate(path.stat().st_size // 2)
    client = TestClient(make_app(runs_in([folder], {"yard": path})), base_url="http://127.0.0.1")
    assert client.get("/api/runs/r0/frames/5").status_code == 200
    behind = client.get("/api/runs/r0/frames/55")
    assert behind.status_code == 404
    assert behind.json()["error"] == "the video ends before frame 55, or is damaged there"
    assert client.get("/api/runs/r0/frames/61").json()["error"] == "no such frame"


def test_runs_that_are_called_alike_are_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [make_run(tmp_path / day / "door", videos=tmp_path / day) for day in ("monday", "tuesday")]
    monkeypatch.chdir(make_run(tmp_path / "yard"))
    client = TestClient(make_app(runs_in([*folders, Path()])), base_url="http://127.0.0.1")
    names = [run["name"] for run in client.get("/api/runs").json()["runs"]]
    assert names == ["monday/door", "tuesday/door", "yard"]


def test_a_run_that_goes_on_is_read_again(folder: Path) -> None:
    """What it has found since is there when the page is opened again, with its people and its pictures."""
    whole, summary = (folder / "tracks.csv").read_text(), (folder / "summary.json").read_text()
    (folder / "tracks.csv").write_text("".join(whole.splitlines(keepends=True)[:21]))  # ten frames
    (folder / "summary.json").unlink()
    runs = runs_in([folder])
    client = TestClient(make_app(runs), base_url="http://127.0.0.1")
    assert client.get("/api/runs/r0").json()["frames"] == 10
    assert client.get("/api/runs/r0/frames/5").status_code == 404
    (folder / "tracks.csv").write_text(whole)
    (folder / "summary.json").write_text(summary)
    assert client.get("/api/people").json()["cameras"][0]["frames"] == FRAMES
    run = client.get("/api/runs/r0").json()
    assert (run["frames"], run["width"], run["pictures"]) == (FRAMES, 320, True)
    assert client.get("/api/runs/r0/frames/5").status_code == 200


def test_a_run_that_goes_on_is_shown_as_far_as_it_is(folder: Path) -> None:
    """Its text has no times, and there is no summary yet: what it wrote at its start has what is missing."""
    summary = json.loads((folder / "summary.json").read_text())
    begun = {"source": summary["source"], "complete": False, "error": None, "stride": 1}
    (folder / "summary.json").unlink()
    (folder / "tracks.csv").unlink()
    (folder / "begun.json").write_text(json.dumps(begun))
    (folder / "tracks.txt").write_text("1,1,10,20,30,60,1,-1,-1,-1\n8,1,10,20,30,60,1,-1,-1,-1\n")
    runs = runs_in([folder])
    client = TestClient(make_app(runs), base_url="http://127.0.0.1")
    run = client.get("/api/runs/r0").json()
    assert (run["frames"], run["width"], run["fps"], run["pictures"]) == (8, WIDTH, 25.0, True)
    assert (run["complete"], run["error"]) == (False, None)
    assert run["written"] == (folder / "tracks.txt").stat().st_mtime_ns / 1e9
    assert client.get("/api/runs/r0/frames/8").status_code == 200
    assert "no: it goes on, or was killed" in report(runs)
    (folder / "summary.json").write_text(json.dumps(summary))
    assert client.get("/api/runs/r0").json()["complete"] is True


def test_boxes_of_a_run_that_goes_on_lie_where_they_are_in_its_video(folder: Path) -> None:
    """Nothing says yet how large the picture is, but the picture."""
    (folder / "summary.json").unlink()
    with VideoSink(folder / "tracks.mp4", 25.0, 18) as sink:
        for frame in range(1, 4):
            sink.write(frame, np.zeros((HEIGHT, WIDTH + 64, 3), np.uint8), Tracks.empty())
    (run,) = runs_in([folder])
    summary = summary_of(run)
    assert (summary["width"], summary["height"]) == run.size() == (WIDTH + 64, HEIGHT)


def test_folders_of_runs_are_found(tmp_path: Path) -> None:
    make_run(tmp_path / "all" / "b", videos=tmp_path)
    make_run(tmp_path / "all" / "a", videos=tmp_path)
    assert [run.folder.name for run in runs_in([tmp_path / "all"])] == ["a", "b"]
    with pytest.raises(FileNotFoundError, match="no tracks"):
        runs_in([tmp_path / "b-pictures"])


def test_counts_go_on_to_the_end_of_the_run(tmp_path: Path) -> None:
    """Who was not seen in the last minutes has left, and has not stayed until his last box."""
    folder = make_run(tmp_path / "yard")
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"last_frame": 2000, "last_time": 80.0}))
    zone = {"polygon": [[0, 0], [320, 0], [320, 240], [0, 240]], "patience": 2.0}
    run = runs_in([folder])[0]
    analytics, events = run.count({"zones": {"all": zone}})
    assert analytics.summary()["seconds"] == 80
    assert analytics.summary()["zones"]["all"]["inside_now"] == 0
    file = read_finished(folder)
    expected = analyse(analytics.scene, file.rows, source="yard", now=file.end)
    assert (analytics.summary(), events) == (expected[0].summary(), expected[1])


def test_exports_of_each_fourth_frame_hold_those_frames(tmp_path: Path) -> None:
    """Nobody goes between two frames that were tracked, and those between are not empty frames."""
    folder = make_run(tmp_path / "yard")
    head, *lines = (folder / "tracks.csv").read_text().splitlines(keepends=True)
    kept = [line for line in lines if int(line.split(",")[0]) % 4 == 3 and not line.startswith("31,")]
    (folder / "tracks.csv").write_text(head + "".join(kept))  # frames 3, 7, ... 59, with nobody in 31
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps(summary | {"last_frame": 59, "stride": 4}))
    run = runs_in([folder])[0]
    export = Export(run, ["cvat", "yolo", "labelstudio"])
    export.wait()
    assert export.state()["failed"] == ""
    boxes = ElementTree.parse(folder / "corrected" / "tracks_cvat.xml").getroot().findall("track")[0]
    outside = [int(box.attrib["frame"]) for box in boxes.iter("box") if box.attrib["outside"] == "1"]
    assert outside == [30]  # which is frame 31
    labels = sorted(path.name for path in (folder / "corrected" / "tracks_yolo").iterdir())
    assert labels == [f"{number:06d}.txt" for number in range(3, 60, 4)]
    task = json.loads((folder / "corrected" / "tracks_labelstudio.json").read_text())
    assert task[0]["predictions"][0]["result"][0]["value"]["duration"] == round(59 / 25, 3)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ('{"source": "yard.mp4"}', "source: expected names and values, got 'yard.mp4'"),
        ('{"source": {"fps": "25"}}', "source.fps: expected frames a second, above 0, got '25'"),
        ('{"source": {"fps": NaN}}', "source.fps: expected frames a second, above 0, got 'nan'"),
        ('{"source": {"width": [3], "height": 2}}', "source.width: expected a number of pixels"),
        ('{"last_frame": "many"}', "last_frame: expected a frame's number, got 'many'"),
        ('{"source": {"na', "not a run's summary"),
        ("[]", "expected names and values, got list"),
    ],
)
def test_a_damaged_summary_is_named(folder: Path, content: str, told: str) -> None:
    (folder / "summary.json").write_text(content)
    client = TestClient(make_app(runs_in([folder])), base_url="http://127.0.0.1")
    for path in ("", "?whole", "/rows?from=1&to=2", "/frames/1", "/tracks/1/crop", "/kept"):
        answer = client.get(f"/api/runs/r0{path}")
        assert answer.status_code in (200, 404, 422), path
        if answer.status_code == 422:
            assert answer.json()["error"].startswith(f"{folder / 'summary.json'}: {told}"), path
    assert client.get("/api/runs/r0").status_code == 422


def test_a_file_that_cannot_be_written_is_named_first(
    run_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "yard/corrections.jsonl")

    runs = runs_in([run_folder])
    monkeypatch.setattr(runs[0], "correct", refused)
    client = TestClient(make_app(runs), base_url="http://127.0.0.1")
    answer = client.post("/api/runs/r0/corrections", json={"kind": "undo"})
    assert answer.json() == {"error": "yard/corrections.jsonl: Permission denied"}
