"""Lists, folders and patterns of videos."""

from pathlib import Path

import pytest

from mot_reid.cluster.manifest import Video, read_manifest


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_csv(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("\ufeffsource,name,camera\na.mp4,,door\n/data/b.mkv,evening,\n", encoding="utf-8")
    assert read_manifest(str(manifest)) == [
        Video(str(tmp_path / "a.mp4"), "a", "door"),
        Video("/data/b.mkv", "evening", "evening"),
    ]


def test_groups(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text("source,camera,group\na.mp4,door,north\nb.mp4,door,north\nc.mp4,yard,\n")
    assert [video.group for video in read_manifest(str(manifest))] == ["north", "north", ""]


def test_urls_of_local_files_are_their_paths(tmp_path: Path) -> None:
    manifest = tmp_path / "list.csv"
    manifest.write_text(f"source\nfile://{tmp_path}/x/a.mp4\n")
    expected = [Video(str(tmp_path / "x" / "a.mp4"), "a", "a")]
    assert read_manifest(f"file://{manifest}") == expected
    touch(tmp_path / "x" / "a.mp4")
    manifest.write_text(f"source\nfile://{tmp_path}/x/a%20day%231.mp4\n")
    assert read_manifest(str(manifest))[0].source == str(tmp_path / "x" / "a day#1.mp4")
    assert read_manifest(f"file://{tmp_path}/x") == read_manifest(f"file://{tmp_path}/x/*.mp4") == expected


def test_json_lines(tmp_path: Path) -> None:
    manifest = tmp_path / "list.jsonl"
    manifest.write_text('{"source": "s3://bucket/x/a.mp4"}\n\n{"source": "b.mp4", "camera": "hall"}\n')
    videos = read_manifest(str(manifest))
    assert [(video.source, video.name, video.camera) for video in videos] == [
        ("s3://bucket/x/a.mp4", "a", "a"),
        (str(tmp_path / "b.mp4"), "b", "hall"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "video\na.mp4\n", "line 1: expected a header with a column source"),
        ("a.csv", "source,speed\na.mp4,3\n", "line 2: unknown 'speed'"),
        ("a.csv", "source\na.mp4,3\n", "line 2: more values"),
        ("a.csv", "source\n", "no video in it"),
        ("a.csv", "source,name\n,x\n", "line 2: no source"),
        ("a.csv", "source\nx/a.mp4\ny/a.mp4\n", "would both be called a"),
        ("a.csv", "source,camera,group\na.mp4,x,n\nb.mp4,x,s\n", "camera x is in group 'n' and in 's'"),
        ("a.jsonl", "{}\n", "line 1: no source"),
        ("a.jsonl", "[1]\n", "line 1: expected an object"),
        ("a.jsonl", "{'source'}\n", "line 1: not JSON"),
        ("a.jsonl", '{"source": 3}\n', "line 1: source: expected text"),
        ("a.jsonl", "[" * 100_000, "line 1: not JSON"),
    ],
)
def test_what_cannot_be_understood_is_named(tmp_path: Path, name: str, text: str, told: str) -> None:
    manifest = tmp_path / name
    manifest.write_text(text)
    with pytest.raises(ValueError, match=told) as caught:
        read_manifest(str(manifest))
    assert str(manifest) in str(caught.value)


def test_folder_takes_videos_and_sequences_below_it(tmp_path: Path) -> None:
    touch(tmp_path / "one/a.mp4", tmp_path / "two/a.mp4", tmp_path / "b.MKV", tmp_path / "notes.txt")
    touch(
        tmp_path / "MOT17-02/seqinfo.ini", tmp_path / "MOT17-02/img1/000001.jpg", tmp_path / "MOT17-02/x.mp4"
    )
    found = {video.name: video.source for video in read_manifest(str(tmp_path))}
    assert found == {
        "MOT17-02": str(tmp_path / "MOT17-02"),
        "b": str(tmp_path / "b.MKV"),
        "one-a.mp4": str(tmp_path / "one/a.mp4"),
        "two-a.mp4": str(tmp_path / "two/a.mp4"),
    }


def test_videos_of_results_are_not_tracked_again(tmp_path: Path) -> None:
    """The same command goes on where it stopped, also where its output lies below the folder."""
    touch(tmp_path / "a.mp4", tmp_path / "._a.mp4", tmp_path / "tracks.mp4")
    touch(tmp_path / "out/a/tracks.mp4", tmp_path / "out/a/summary.json")
    touch(
        tmp_path / "out/.partial/b-x1/tracks.mp4", tmp_path / "live/tracks.mp4", tmp_path / "live/begun.json"
    )
    assert [video.name for video in read_manifest(str(tmp_path))] == ["a", "tracks"]


def test_no_video_is_called_as_what_lies_beside_the_results(tmp_path: Path) -> None:
    """The results of logs.mp4 were moved over the logs of all others."""
    touch(tmp_path / "Logs.mp4", tmp_path / "b.mp4")
    with pytest.raises(ValueError, match=r"Logs\.mp4 would be called Logs, as what lies beside the results"):
        read_manifest(str(tmp_path))
    (tmp_path / "all.csv").write_text("source,name\nLogs.mp4,yard\n")
    assert [video.name for video in read_manifest(str(tmp_path / "all.csv"))] == ["yard"]


def test_pattern(tmp_path: Path) -> None:
    touch(tmp_path / "a.mp4", tmp_path / "b.mp4", tmp_path / "c.avi")
    assert [video.name for video in read_manifest(str(tmp_path / "*.mp4"))] == ["a", "b"]
    with pytest.raises(FileNotFoundError, match="nothing matches"):
        read_manifest(str(tmp_path / "*.webm"))


@pytest.mark.parametrize("name", ["missing", "missing.csv"])
def test_nothing_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=name):
        read_manifest(str(tmp_path / name))


def test_folder_without_videos_and_a_file_that_is_no_list(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no video"):
        read_manifest(str(tmp_path))
    touch(tmp_path / "a.mp4")
    with pytest.raises(ValueError, match=r"expected a \.csv"):
        read_manifest(str(tmp_path / "a.mp4"))
