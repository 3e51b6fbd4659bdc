"""From two videos to a search and to identities, by the commands, with the models that ship."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import cv2
import numpy as np
import pytest

from mot_reid.cli.clips import write_clips
from mot_reid.cli.remembering import Remembering, _append, identify_runs
from mot_reid.gallery.finding import Hit
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.opening import open_store
from mot_reid.gallery.records import Crop, Tracklet
from mot_reid.gallery.results import record_tracks
from mot_reid.gallery.store import GalleryInfo
from mot_reid.video.video_sink import VideoSink


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("gallery")


def test_the_whole_way(run: Any, scene: Any, place: Path) -> None:
    shop, out = place / "shop", place / "out"
    options = ("--detections", scene.detections, "--camera-motion", "none", "--no-video", "--gallery", shop)
    done = run("track", scene.video, *options, "--camera", "door", "-o", out / "door")
    assert done.code == 0, done.err
    assert "2 tracklets remembered" in done.out
    other = place / "yard.mp4"
    other.write_bytes(scene.video.read_bytes())
    done = run("track", other, *options, "-o", out / "yard", "--started", "2026-11-29T10:00:00")
    assert done.code == 0, done.err

    again = run("track", other, *options, "-o", out / "again")
    assert again.code == 2
    assert "has 2 tracklets of" in again.err
    assert run("track", other, *options, "-o", out / "yard", "--replace").code == 0
    video = other.read_bytes()
    other.write_bytes(video[:200])  # nothing came in their place: they stay
    torn = run("track", other, *options, "-o", out / "torn", "--replace")
    assert (torn.code, "4 tracklets of 2 cameras" in run("gallery", shop).out) == (1, True)
    other.write_bytes(video)

    listed = run("gallery", shop)
    assert "4 tracklets of 2 cameras" in listed.out
    assert "door:1" in run("gallery", shop, "tracks", "--camera", "door").out

    found = run("search", shop, "--track", "door:1", "-o", place / "found", "--clips")
    assert found.code == 0, found.err
    content = json.loads((place / "found" / "search.json").read_text())
    assert content["hits"][0]["track"] == "yard:1"
    assert content["hits"][0]["probability"] > 0.9
    sheet = cv2.imread(str(place / "found" / "search.png"))
    assert sheet is not None
    assert (np.abs(sheet.astype(int) - 250) > 60).any(axis=2).mean() > 0.02
    assert len(list((place / "found").glob("*.mp4"))) == 2  # door:2 is seen beside door:1: no hit for it

    alone = run("search", shop, "--track", "door:1", "--camera", "door")
    assert (alone.code, "No tracklet is left to search" in alone.out) == (0, True)

    done = run("identify", shop, "--results", out, "-o", place / "who")
    assert done.code == 0, done.err
    assert "2 identities of 4 tracklets" in done.out
    rows = [
        np.loadtxt(out / camera / "tracks_global.txt", delimiter=",")[:, :2] for camera in ("door", "yard")
    ]
    assert rows[0].tolist() == rows[1].tolist()  # one id space: the same video twice
    assert cv2.imread(str(place / "who" / "routes.png")) is not None

    for camera, track in (("door", 1), ("yard", 2)):  # as mot-reid serve writes it
        entry = json.dumps({"kind": "rename", "id": track, "name": "Ann"})
        (out / camera / "corrections.jsonl").write_text(entry + "\n")
    done = run("identify", shop, "--results", out)
    assert "door: 1 correction of" in done.err
    assert "Ann" in done.out
    numbers = []
    for camera, track in (("door", 1), ("yard", 2)):  # what was corrected keeps its boxes
        everywhere, own = (
            np.loadtxt(out / camera / name, delimiter=",") for name in ("tracks_global.txt", "tracks.txt")
        )
        known = {tuple(row[[0, 2, 3]]): int(row[1]) for row in everywhere}
        numbers.append({known[tuple(row[[0, 2, 3]])] for row in own[own[:, 1] == track]})
    assert numbers[0] == numbers[1]
    assert len(numbers[0]) == 1
    for camera in ("door", "yard"):
        (out / camera / "corrections.jsonl").unlink()
    assert "2 identities" in run("identify", shop).out

    assert run("gallery", shop, "two", "door:1", "yard:1").code == 0
    assert "3 identities" in run("identify", shop).out
    assert "1 tracklet forgotten, 3 left" in run("gallery", shop, "forget", "door:1").out
    one_camera = run("gallery", shop, "forget", "--keep-days", "0", "--camera", "door")
    assert "1 tracklet forgotten, 2 left" in one_camera.out
    assert "2 tracklets forgotten, 0 left" in run("gallery", shop, "forget", "--keep-days", "0").out
    empty = run("search", shop, "--track", "door:1")
    assert (empty.code, "the gallery is empty" in empty.err) == (2, True)


def test_two_runs_that_remember_one_video_at_once_are_told(
    run: Any, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop, given = (
        tmp_path / "shop",
        ("--detections", scene.detections, "--camera-motion", "none", "--no-video"),
    )
    first = run("track", scene.video, *given, "--gallery", shop, "-o", tmp_path / "first")
    monkeypatch.setattr("mot_reid.cli.remembering.to_replace", lambda *_: [])  # as if begun with it
    second = run("track", scene.video, *given, "--gallery", shop, "-o", tmp_path / "second")
    told = f"warning: {shop}: 2 tracklets of {scene.video} from another run that was at work meanwhile"
    assert [(done.code, told in done.err) for done in (first, second)] == [(0, False), (0, True)]


def test_a_person_is_forgotten_in_all_cameras_by_number(run: Any, scene: Any, tmp_path: Path) -> None:
    shop, second = tmp_path / "shop", tmp_path / "yard.mp4"
    second.write_bytes(scene.video.read_bytes())
    for video in (scene.video, second):
        given = ("--detections", scene.detections, "--camera-motion", "none", "--no-video")
        done = run("track", video, *given, "--gallery", shop, "-o", tmp_path / "out" / video.stem)
        assert done.code == 0, done.err
    early = run("gallery", shop, "forget", "--identity", "1")
    assert (early.code, "no identity 1 in it; `mot-reid identify` says" in early.err) == (2, True)
    assert run("identify", shop).code == 0
    assert "2 tracklets forgotten, 2 left" in run("gallery", shop, "forget", "--identity", "1").out
    assert run("gallery", shop, "forget", "--identity", "1").code == 2
    left = run("gallery", shop).out
    assert all(name in left for name in (scene.video.stem, "yard"))


def test_numbers_while_they_run(run: Any, scene: Any, tmp_path: Path) -> None:
    second = tmp_path / "yard.mp4"
    second.write_bytes(scene.video.read_bytes())
    out = tmp_path / "out"
    options = ("--camera-motion", "none", "--no-video", "--csv", "--gallery", tmp_path / "shop", "--identify")
    for video in (scene.video, second):
        # The detector is not needed: it was loaded for the names of classes.
        given = ("--detections", scene.detections, "--set", "detector.weights=nowhere.onnx")
        done = run("track", video, *given, *options, "-o", out / video.stem)
        assert done.code == 0, done.err
        assert (
            f"written: {out / video.stem / 'tracks_global.txt'}" in done.err
        )  # whoever else is in the gallery
    tables = [
        np.genfromtxt(out / name / "tracks.csv", delimiter=",", names=True, usecols=("id", "identity"))
        for name in (scene.video.stem, "yard")
    ]
    late = [table[table.size // 2 :] for table in tables]
    people = [{(int(row["id"]), int(row["identity"])) for row in table} for table in late]
    assert len(people[0]) == len({number for _, number in people[0]}) == 2
    assert people[0] == people[1]
    events = [json.loads(line) for line in (out / "yard" / "identities.jsonl").read_text().splitlines()]
    assert {event["event"] for event in events} == {"proposed", "committed"}
    assert {event["camera"] for event in events} == {"yard"}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no such device")
def test_events_that_a_full_disk_does_not_take_name_their_file() -> None:
    with pytest.raises(OSError, match="No space left on device: '/dev/full'"):
        _append(Path("/dev/full"), {"event": "merged"})


def test_tracks_of_others_are_remembered(run: Any, scene: Any, tmp_path: Path) -> None:
    """Finished results with their video, a picture to search for, and one without people."""
    rows = [line.split(",") for line in Path(scene.detections).read_text().splitlines()]
    lines = [",".join([row[0], str(place % 2 + 1), *row[2:7]]) for place, row in enumerate(rows)]
    (tmp_path / "tracks.txt").write_text("\n".join(lines) + "\n")
    made = run("gallery", tmp_path / "shop", "add", scene.video, tmp_path / "tracks.txt", "--camera", "door")
    assert made.code == 0, made.err
    assert "2 tracklets of" in made.out
    refused = run(
        *("gallery", tmp_path / "shop", "add", scene.video, tmp_path / "tracks.txt"),
        *("--embedder", "strong", "--replace"),
    )
    assert refused.code == 2
    assert "they cannot be compared" in refused.err
    assert run("gallery", tmp_path / "shop", "tracks", "--embedder", "strong").code == 2
    for arguments, told in (
        (("gallery", "tracks", "--camera", "dor"), "no camera dor in it (cameras: door)"),
        (("gallery", "forget", "--camera", "dor"), "no camera dor in it (cameras: door)"),
        (("gallery", "one", "door:1", "door:1"), "are the same track"),
        (("search", "--track", "door:1", "--camera", "dor"), "no camera dor in it (cameras: door)"),
    ):
        done = run(arguments[0], tmp_path / "shop", *arguments[1:])
        assert (done.code in (1, 2), told in done.err) == (True, True), done.err
    frame = scene.frames[0]
    cv2.imwrite(str(tmp_path / "frame.png"), frame)
    box = ",".join(str(float(value)) for value in _box(rows[0]))
    found = run("search", tmp_path / "shop", tmp_path / "frame.png", "--box", box, "--top", "1")
    assert found.code == 0, found.err
    assert "door:1" in found.out
    (tmp_path / "search.png").write_bytes((tmp_path / "frame.png").read_bytes())
    kept = run("search", tmp_path / "shop", tmp_path / "search.png", "--box", box, "-o", tmp_path)
    assert (kept.code, "search.png: would be overwritten" in kept.err) == (2, True)
    assert (tmp_path / "search.png").read_bytes() == (tmp_path / "frame.png").read_bytes()
    nobody = run("search", tmp_path / "shop", tmp_path / "frame.png")
    assert nobody.code == 2
    assert "frame.png: nobody is found in it" in nobody.err or "frame.png: 2 people are in it" in nobody.err
    mistaken = run("search", tmp_path / "shop", "door:1")
    assert (mistaken.code, "--track door:1" in mistaken.err) == (2, True)
    broken = run("gallery", tmp_path / "shop", "add", scene.video, tmp_path / "nowhere.txt", "--replace")
    assert broken.code == 2
    assert "tracks not found" in broken.err
    assert "2 tracklets of 1 camera" in run("gallery", tmp_path / "shop").out  # nothing came in their place
    again = run("gallery", tmp_path / "shop", "add", scene.video, tmp_path / "tracks.txt", "--replace", "-q")
    assert (again.code, again.out, again.err) == (0, "", "")
    assert run("gallery", tmp_path / "shop", "tracks", "-q").code == 2
    listed = run("gallery", tmp_path / "shop").out
    assert ("2 tracklets of 1 camera" in listed, "door" in listed) == (True, False)


@pytest.mark.parametrize(("nobody", "warnings"), [("", 0), ("999,1,5,5,20,40,0.9\n", 1)])
def test_what_nobody_would_replace_stays(
    nobody: str, warnings: int, run: Any, scene: Any, tmp_path: Path
) -> None:
    """An empty file, and rows of frames that the video does not have."""
    lines = [line.replace(",-1,", ",1,", 1) for line in Path(scene.detections).read_text().splitlines()[::2]]
    (tmp_path / "tracks.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "nobody.txt").write_text(nobody)
    shop = tmp_path / "shop"
    made = run("gallery", shop, "add", scene.video, tmp_path / "tracks.txt", "--camera", "door")
    assert (made.code, "1 tracklet of" in made.out) == (0, True)
    done = run("gallery", shop, "add", scene.video, tmp_path / "nobody.txt", "--replace")
    told = f"error: --replace: nobody in {tmp_path / 'nobody.txt'} can be remembered, so 1 tracklet of"
    told += f" {scene.video} stay; mot-reid gallery {shop} forget --camera door forgets all of a camera"
    assert (done.code, done.out, done.err.splitlines()[-1]) == (2, "", told)
    assert len(done.err.splitlines()) == 1 + warnings
    assert "1 tracklet of 1 camera" in run("gallery", shop).out


def test_a_track_outside_of_the_picture_is_left_out_and_told(run: Any, scene: Any, tmp_path: Path) -> None:
    (tmp_path / "tracks.txt").write_text("1,1,5000,5000,20,40,0.9\n1,2,5,5,20,40,0.9\n")
    done = run("gallery", tmp_path / "shop", "add", scene.video, tmp_path / "tracks.txt")
    told = f"warning: {tmp_path / 'tracks.txt'}: 1 track left out: no box shows anybody in the picture"
    assert (done.code, told in done.err.splitlines(), "1 tracklet of" in done.out) == (0, True, True)


def test_a_run_that_sees_nobody_replaces_nobody(run: Any, scene: Any, tmp_path: Path) -> None:
    shop, nobody = tmp_path / "shop", tmp_path / "nobody.txt"
    nobody.write_text("")
    track = ("track", scene.video, "--camera-motion", "none", "--no-video", "--gallery", shop, "-q")
    made = run(*track, "--detections", scene.detections, "-o", tmp_path / "first", "--camera", "door")
    assert made.code == 0, made.err
    done = run(*track, "--detections", nobody, "-o", tmp_path / "second", "--replace")
    told = f"warning: --replace: nobody in {scene.video} can be remembered, so 2 tracklets of {scene.video}"
    told += f" stay; mot-reid gallery {shop} forget --camera door forgets all of a camera"
    assert (done.code, done.err.splitlines()[-1]) == (0, told)
    assert "2 tracklets of 1 camera" in run("gallery", shop).out


def test_two_that_add_one_video_at_once_are_told(
    run: Any, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line.replace(",-1,", ",1,", 1) for line in Path(scene.detections).read_text().splitlines()[::2]]
    (tmp_path / "tracks.txt").write_text("\n".join(lines) + "\n")
    add = ("gallery", tmp_path / "shop", "add", scene.video, tmp_path / "tracks.txt")
    first = run(*add)
    monkeypatch.setattr("mot_reid.cli.gallery_filling.to_replace", lambda *_: [])  # as if begun with it
    second = run(*add)
    told = f"warning: {tmp_path / 'shop'}: 1 tracklet of {scene.video} from another run"
    assert [(done.code, told in done.err) for done in (first, second)] == [(0, False), (0, True)]


def test_what_an_interrupted_add_leaves_is_told(
    run: Any, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [line.replace(",-1,", ",1,", 1) for line in Path(scene.detections).read_text().splitlines()[::2]]
    (tmp_path / "tracks.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.setattr("mot_reid.gallery.results.record_tracks", _interrupted(record_tracks))
    add = ("gallery", tmp_path / "shop", "add", scene.video, tmp_path / "tracks.txt", "--camera", "door")
    done = run(*add)
    assert done.code == 130
    assert f"1 tracklet of a part of {scene.video} went into" in done.err
    monkeypatch.undo()
    assert run(*add).code == 2
    assert run(*add, "--replace").code == 0


def _interrupted(work: Any) -> Any:
    def break_off(source: Any, results: Path, recorder: Any, embedder: Any, tell: Any) -> Any:
        def told(done: int) -> None:
            if done == 20:
                raise KeyboardInterrupt

        return work(source, results, recorder, embedder, told)

    return break_off


def test_files_are_written_also_where_nobody_reads_the_table(
    run: Any, scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, shop = tmp_path / "out", tmp_path / "shop"
    options = ("--detections", scene.detections, "--camera-motion", "none", "--no-video", "-o", out)
    assert run("track", scene.video, *options, "--gallery", shop, "--camera", "door").code == 0

    def gone(table: Any) -> None:
        raise OSError("nobody reads it")

    for command in ("search", "identify"):
        monkeypatch.setattr(f"mot_reid.cli.{command}.print_table", gone)
    run("search", shop, "--track", "door:1", "-o", tmp_path / "found")
    assert (tmp_path / "found" / "search.json").is_file()
    run("identify", shop, "--results", out, "-o", tmp_path / "who")
    assert (out / "tracks_global.txt").is_file()
    assert (tmp_path / "who" / "identities.csv").is_file()


def test_results_of_no_camera_of_the_gallery_are_told(run: Any, scene: Any, tmp_path: Path) -> None:
    options = (
        "--detections",
        scene.detections,
        "--camera-motion",
        "none",
        "--no-video",
        "-o",
        tmp_path / "out",
    )
    assert run("track", scene.video, *options, "--gallery", tmp_path / "shop", "--camera", "door").code == 0
    (tmp_path / "other").mkdir()
    done = run("identify", tmp_path / "shop", "--results", tmp_path / "other")
    assert (done.code, "nothing is written there" in done.err) == (0, True)
    assert "nothing is written" not in run("identify", tmp_path / "shop", "--results", tmp_path / "out").err
    again = ("--formats", "csv", "--gallery", tmp_path / "other" / "shop", "--identify", "--no-offline")
    assert "no tracks_global.txt" in run("track", scene.video, *options, *again).err


def test_no_clip_is_cut_of_who_is_somebody_else(scene: Any, tmp_path: Path) -> None:
    hit = Hit("a", "door", str(scene.video), 1, 0, 0.0, 0.1, float("nan"), 1, 3, 0.005, 0.1, None, 0)
    made = write_clips([replace(hit, probability=0.0049), hit], tmp_path)
    assert [path.name for path in made] == ["02-door-1.mp4"]


def test_a_clip_of_a_camera_with_a_long_name(scene: Any, tmp_path: Path) -> None:
    hit = Hit("a", "ü" * 120, str(scene.video), 17, 0, 0.0, 0.1, float("nan"), 1, 3, 0.9, 0.1, None, 0)
    (path,) = write_clips([hit], tmp_path)
    assert path.name.endswith("ü-17.mp4")


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_a_part_of_a_clip_is_not_left(
    scene: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    hit = Hit("a", "door", str(scene.video), 1, 0, 0.0, 0.1, float("nan"), 1, 3, 0.9, 0.1, None, 0)
    (whole,) = write_clips([hit], tmp_path)
    before, write = whole.read_bytes(), VideoSink.write

    def break_off(sink: VideoSink, number: int, *rest: Any) -> None:
        if number == 2:
            raise error
        write(sink, number, *rest)

    monkeypatch.setattr(VideoSink, "write", break_off)
    with suppress(KeyboardInterrupt):
        assert write_clips([hit], tmp_path) == []
    assert [path.name for path in tmp_path.glob("*door*")] == [whole.name]
    assert whole.read_bytes() == before


def test_glimpses_are_told_apart_in_an_evaluation(run: Any, scene: Any, tmp_path: Path) -> None:
    """Two people in two cameras, and for four frames in a third one."""
    detections = [line.split(",") for line in Path(scene.detections).read_text().splitlines()]
    rows = [[row[0], str(place % 2 + 1), *row[2:6]] for place, row in enumerate(detections)]
    for camera, last in (("door", 60), ("yard", 60), ("hall", 4)):
        seen = [row for row in rows if int(row[0]) <= last]
        tracks, truth = tmp_path / f"{camera}.txt", tmp_path / "truth" / camera / "gt"
        tracks.write_text("".join(f"{','.join(row)},0.9,-1,-1,-1\n" for row in seen))
        truth.mkdir(parents=True)
        (truth / "gt.txt").write_text("".join(f"{','.join(row)},1,1,1\n" for row in seen))
        (truth.parent / "seqinfo.ini").write_text(
            f"[Sequence]\nname={camera}\nimDir=img1\nframeRate=25\nseqLength=60\nimWidth=160\n"
            "imHeight=120\nimExt=.jpg\n"
        )
        video = tmp_path / f"{camera}.mp4"
        video.write_bytes(scene.video.read_bytes())
        made = run("gallery", tmp_path / "shop", "add", video, tracks, "--camera", camera)
        assert made.code == 0, made.err
    done = run("evaluate-search", tmp_path / "shop", "--gt", tmp_path / "truth", "-o", tmp_path / "out", "-q")
    assert done.code == 0, done.err
    table = json.loads((tmp_path / "out" / "search.json").read_text())["rows"]
    assert [(row["tracklets asked for"], row["queries"]) for row in table] == [
        ("all", 6),
        ("without glimpses", 4),
    ]
    assert table[1]["rank-1"] == 100.0


def _box(row: list[str]) -> tuple[float, float, float, float]:
    left, top, width, height = (float(value) for value in row[2:6])
    return left, top, left + width, top + height


def test_that_nothing_was_forgotten_is_told(run: Any, tmp_path: Path) -> None:
    shop = _made(tmp_path / "shop", 1, 2)
    records = shop.table().record.tolist()
    lines = "".join(f"{number},{name}\n" for number, name in ((1, records[0]), (2, records[1])))
    shop.store.write_document("identities.csv", f"identity,record\n{lines}")
    for arguments, code, told in (
        (("door:1", "--camera", "yard"), 2, "door:1: not of --camera yard; nothing was forgotten"),
        (("yard:1", "door:1", "--camera", "yard"), 2, "door:1: not of --camera yard; nothing was"),
        (("door:7", "door:1"), 2, "no track door:7 in it"),
        (("--identity", "1", "--camera", "yard"), 2, "identity 1 is not in yard; nothing was forgotten"),
        (("--identity", "9"), 2, "no identity 9 in it"),
        (("--keep-days", "30"), 0, "0 tracklets forgotten, 4 left: nothing was seen more than 30 days ago"),
        (("--keep-days", "30", "--camera", "yard"), 0, "left: nothing of yard was seen more than 30 days"),
        (("door:1", "--keep-days", "0"), 2, "expected tracks, --identity or --keep-days, not several"),
        (("--identity", "1", "--keep-days", "0"), 2, "expected tracks, --identity or --keep-days, not"),
    ):
        done = run("gallery", shop.place, "forget", *arguments)
        assert (done.code, told in (done.err if code else done.out)) == (code, True), done
    assert len(shop) == 4
    assert "1 tracklet forgotten, 3 left\n" in run("gallery", shop.place, "forget", "--identity", "1").out
    assert "1 tracklet forgotten, 2 left\n" in run("gallery", shop.place, "forget", "door:2").out


def test_what_is_damaged_is_told_also_where_nothing_is_found(run: Any, tmp_path: Path) -> None:
    shop = _made(tmp_path / "shop", 1, 2)
    part = min((tmp_path / "shop" / "parts").iterdir())
    (part / "records.parquet").write_bytes(b"")
    done = run("gallery", shop.place, "forget", "door:1")
    assert (done.code, "no track door:1 in it" in done.err, f"{part}: damaged" in done.err) == (2, True, True)


def test_wrong_calls_are_told(run: Any, tmp_path: Path) -> None:
    for arguments, told in (
        (("search", tmp_path), "expected pictures, --track or --describe"),
        (("search", tmp_path, "--track", "a:1"), "no gallery there"),
        (("search", tmp_path, "--track", "a:1", "--after", "noon"), "expected HH:MM:SS"),
        (("search", tmp_path, "--track", "a:1", "--after", "nan"), "expected HH:MM:SS"),
        (("search", tmp_path, "--track", "a:1", "--before", "inf"), "expected HH:MM:SS"),
        (("gallery", tmp_path, "merge", tmp_path / ".." / tmp_path.name), "is the gallery itself"),
        (("gallery", tmp_path, "embed", tmp_path), "is the gallery itself"),
        (("gallery", tmp_path, "shout"), "'shout' is not known"),
        (("gallery", tmp_path, "one", "a:1"), "expected CAMERA:ID CAMERA:ID"),
        (("gallery", tmp_path, "--keep-days", "3"), "--keep-days: is for forget, not for list"),
        (("gallery", tmp_path, "export", "x", "--camera", "a"), "is for add, tracks, forget, not for export"),
        (("search", tmp_path, "--track", "a:1", "--box", "1,1,2,2"), "--box: needs one picture"),
        (("search", tmp_path, "x.jpg", "--box", "1,1,2,2", "--person", "1"), "--box, --person: give either"),
        (("search", tmp_path, "--describe", "dress", "--like", "a:1"), "not by --describe"),
        (("search", tmp_path, "--track", "a:1", "--embedder", "x"), "--embedder: embeds pictures"),
        (("search", tmp_path, "--describe", "dress", "--embedder", "x"), "--embedder: embeds pictures"),
        (("search", tmp_path, "--track", "a:1", "--after", "9", "--before", "5"), "is later than --before 5"),
        (("identify", tmp_path, "--results", tmp_path / "no"), "no such folder"),
        (("evaluate-search",), "expected a gallery with --gt, or --crops"),
        (("track", "0", "--identify"), "--identify: needs --gallery"),
        (("track", "0", "--camera", "a"), "--camera: needs --gallery"),
        (("track", "0", "--started", "2026-11-29T10:00:00"), "--started: needs --gallery"),
        (("track", "0", "--replace"), "--replace: needs --gallery"),
        (("track", "0", "--store", "lance"), "--store: needs --gallery"),
    ):
        done = run(*arguments)
        assert (done.code, told in done.err) == (2, True), done


def test_a_file_in_the_place_of_a_gallery_is_told(run: Any, tmp_path: Path) -> None:
    shop, file = _made(tmp_path / "shop", 1), tmp_path / "file"
    file.write_text("no folder")
    for arguments in ((shop.place, "embed", file), (file, "merge", shop.place)):
        done = run("gallery", *arguments)
        assert (done.code, done.err) == (
            2,
            f"error: {file}: cannot write to gallery ({file} is a file)\n",
        )
    assert run("gallery", tmp_path / "new", "merge", tmp_path / "nowhere").code == 2
    assert not (tmp_path / "new").exists()


def test_a_camera_with_a_comma_in_its_name_is_asked_for(run: Any, tmp_path: Path) -> None:
    shop = _made(tmp_path / "shop", 1)
    shop.add([replace(_record("gate, left", 1, np.eye(8, dtype=np.float32)[0]), record="left")])
    for cameras, searched in (("gate, left", 1), ("yard, door", 1), ("yard", 1)):
        done = run("search", shop.place, "--track", "door:1", "--camera", cameras)
        assert (done.code, f"not among the {searched} tracklet:" in done.out) == (0, True), done
    assert "no camera gate in it" in run("search", shop.place, "--track", "door:1", "--camera", "gate").err


def test_results_without_a_track_are_told(run: Any, scene: Any, tmp_path: Path) -> None:
    empty, told = tmp_path / "empty.txt", f"{tmp_path / 'empty.txt'}: there is no track in it\n"
    empty.write_text("")
    done = run("gallery", tmp_path / "shop", "add", scene.video, empty, "-q")
    assert (done.code, done.err) == (0, f"warning: {told}")
    done = run("draw", scene.video, empty, "-o", tmp_path / "drawn.mp4", "-q")
    assert (done.code, done.err) == (0, told)


def _made(place: Path, *tracks: int) -> Gallery:
    """A gallery of made-up embeddings, with a part for each track, seen by two cameras."""
    random = np.random.default_rng(0)
    gallery = Gallery(place)
    gallery._store = open_store(place, GalleryInfo("mgn_osnet_lct_x0_5", "0123456789abcdef", 8))
    for track in tracks:
        mean = random.normal(size=8).astype(np.float32)
        mean /= np.linalg.norm(mean)
        gallery.add([_record(camera, track, mean) for camera in ("door", "yard")])
    return gallery


def _record(camera: str, track: int, mean: np.ndarray) -> Tracklet:
    jpeg = cv2.imencode(".jpg", np.full((40, 20, 3), 20 * (track % 12), np.uint8))[1].tobytes()
    start = 100.0 * track
    return Tracklet(
        *(camera, f"{camera}.mp4", "run", track, 1, 50, start, start + 2, mean, mean[None]),
        path=np.array([[1, start, 0, 0, 10, 20], [50, start + 2, 0, 0, 10, 20]], np.float32),
        crops=(Crop(jpeg, 1, start, 0.5),),
        boxes=50,
        views=50,
    )


def test_what_is_damaged_in_the_other_gallery_is_told_by_merge(run: Any, tmp_path: Path) -> None:
    other = _made(tmp_path / "branch", 1, 2)
    whole = run("gallery", tmp_path / "shop", "merge", tmp_path / "branch")
    assert (whole.code, "warning" in whole.err) == (0, False), whole.err
    first = min((Path(other.place) / "parts").iterdir())
    (first / "records.parquet").write_bytes(b"PAR1 not any more")
    done = run("gallery", tmp_path / "second", "merge", tmp_path / "branch")
    assert "2 tracklets taken in" in done.out
    assert f"warning: {first}: damaged" in done.err
    assert "branch: the records of 1 damaged part were not taken in" in done.err
    done = run("gallery", tmp_path / "branch", "embed", tmp_path / "third")
    assert "2 tracklets of" in done.out
    assert done.err.count(f"warning: {first}: damaged") == 1
    assert "branch: the records of 1 damaged part were not taken in" in done.err


def test_a_recording_that_is_in_both_galleries_is_told_by_merge(run: Any, tmp_path: Path) -> None:
    shop, branch = _made(tmp_path / "shop", 1), Gallery(tmp_path / "branch")
    same = run("gallery", branch.place, "merge", shop.place)
    assert (same.code, same.err) == (0, "")
    branch.store.append([replace(shop.tracklets([0])[0], run="another", record="of another run")])
    done = run("gallery", shop.place, "merge", branch.place)
    assert "1 tracklet taken in" in done.out
    assert f"warning: door.mp4 is there by two runs: its people are in {shop.place} twice" in done.err
    assert "yard.mp4" not in done.err
    assert run("gallery", shop.place, "merge", branch.place).err == ""


def test_a_gallery_of_another_embedder_is_embedded_again(run: Any, tmp_path: Path) -> None:
    picture = cv2.imencode(".jpg", np.full((128, 64, 3), 90, np.uint8))[1].tobytes()
    mean = np.eye(1, 8, dtype=np.float32)
    crops = (Crop(picture, 1, 0.0, 0.5),)
    values = ("door", "door.mp4", "run", 1, 1, 9, 0.0, 1.0, mean[0], mean, np.zeros((2, 6), np.float32))
    old = open_store(tmp_path / "old", GalleryInfo("older", "0" * 64, 8))
    old.append([Tracklet(*values, crops=crops), Tracklet(*values)])
    cv2.imwrite(str(tmp_path / "who.png"), np.full((128, 64, 3), 90, np.uint8))
    asked = ("search", tmp_path / "old", tmp_path / "who.png", "--box", "0,0,64,128")
    assert f"`mot-reid gallery {tmp_path / 'old'} embed NEW`" in run(*asked).err
    done = run("gallery", tmp_path / "old", "embed", tmp_path / "new")
    assert (done.code, f"1 tracklet of {tmp_path / 'old'} embedded again" in done.out) == (0, True)
    assert "1 tracklet without pictures left out" in done.err
    found = run("search", tmp_path / "new", *asked[2:])
    assert (found.code, "door:1" in found.out) == (0, True)
    assert "0 tracklets" in run("gallery", tmp_path / "old", "embed", tmp_path / "new").out
    quiet = run("gallery", tmp_path / "old", "embed", tmp_path / "third", "-q")
    assert (quiet.code, quiet.out) == (0, "")


def test_how_far_embedding_again_came_is_told_where_it_is_interrupted(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def break_off(kept: Any, new: Any, tell: Any) -> Any:
        tell(64, 100)
        raise KeyboardInterrupt

    _made(tmp_path / "old", 1)
    monkeypatch.setattr("mot_reid.gallery.embedding_again.embed_again", break_off)
    done = run("gallery", tmp_path / "old", "embed", tmp_path / "new")
    assert done.code == 130
    assert "64 of 100 tracklets of" in done.err
    assert "the same again goes on" in done.err


def test_whose_probabilities_they_are_is_told(run: Any, tmp_path: Path) -> None:
    """Also where another training of an embedder has the same name: what tells them apart is there, too."""
    shop = _made(tmp_path / "shop", 1, 2)
    borrowed = shop.calibration
    told = (
        f"are those of the embedder {borrowed.embedder} ({borrowed.fingerprint[:12]}), for there are none"
        " for mgn_osnet_lct_x0_5 (0123456789ab): `mot-reid evaluate-search --calibrate`"
    )
    found = run("search", shop.place, "--track", "door:1")
    assert f"Probabilities {told}" in " ".join(found.out.split()), found.out + found.err
    done = run("identify", shop.place)
    assert f"--false-links, {told}" in " ".join(done.out.split()), done.out + done.err
    shop.calibrate(replace(borrowed, fingerprint=shop.store.info.fingerprint))
    for command in (("search", shop.place, "--track", "door:1"), ("identify", shop.place)):
        own = run(*command)
        assert (own.code, "are those of the embedder" in own.out) == (0, False)


def test_track_with_identify_tells_whose_probabilities_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shop = _made(tmp_path / "shop", 1, 2)
    identify_runs(
        cast(Remembering, SimpleNamespace(gallery=shop, recorders=[], online=None, cameras={})), tmp_path
    )
    assert f"are those of the embedder {shop.calibration.embedder}" in capsys.readouterr().out
