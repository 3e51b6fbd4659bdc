"""Object storage: a real S3 protocol, spoken with a server on this machine."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from mot_reid.cluster.manifest import read_manifest
from mot_reid.cluster.places import fetched, is_remote, join, publish, read_text, remote, remove, stamp

pytest.importorskip("s3fs", reason="needs s3fs: pip install 'mot_reid[cluster]'")
moto_server = pytest.importorskip("moto.server", reason="needs moto: pip install 'moto[server]'")


@pytest.fixture(scope="module")
def storage() -> Iterator[str]:
    """An empty bucket on a server that speaks S3; its address is in the environment, for workers too."""
    import fsspec

    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FSSPEC_S3_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        fsspec.config.set_conf_env(fsspec.config.conf)
        system, _ = remote("s3://videos")
        system.mkdir("videos")
        yield "s3://videos"
        fsspec.config.conf.pop("s3", None)
        system.clear_instance_cache()
    server.stop()


def test_places(storage: str, tmp_path: Path) -> None:
    assert is_remote(storage)
    assert join(storage, "a", "b") == "s3://videos/a/b"
    assert read_text(join(storage, "nothing")) is None
    for content in ("first", "second"):
        folder = tmp_path / "made"
        (folder / "deep").mkdir(parents=True)
        (folder / "deep" / "x.txt").write_text(content)
        (folder / "done.json").write_text(content)
        publish(folder, join(storage, "out"), "done.json", storage)
        assert not folder.exists()
        assert read_text(join(storage, "out/done.json")) == content
        with fetched(join(storage, "out/deep/x.txt")) as local:
            assert Path(local).read_text() == content
        assert not Path(local).exists()
    before = stamp(join(storage, "out/done.json"))
    assert before == stamp(join(storage, "out/done.json"))
    remove(join(storage, "out"))
    assert read_text(join(storage, "out/done.json")) is None
    with pytest.raises(FileNotFoundError):
        stamp(join(storage, "out/done.json"))


def test_manifests(storage: str) -> None:
    system, _ = remote(storage)
    for name in ("in/one/a.mp4", "in/two/b.mkv", "in/list.txt"):
        system.pipe_file(f"videos/{name}", b"x")
    system.pipe_file("videos/list.csv", b"source\nin/one/a.mp4\n")
    for name in ("tracks.mp4", "summary.json"):
        system.pipe_file(f"videos/in/out/a/{name}", b"x")
    assert [video.name for video in read_manifest("s3://videos/in")] == ["a", "b"]
    assert [video.source for video in read_manifest("s3://videos/in/*/*.mp4")] == ["s3://videos/in/one/a.mp4"]
    assert [video.source for video in read_manifest("s3://videos/list.csv")] == ["s3://videos/in/one/a.mp4"]
    remove("s3://videos/in")


@pytest.mark.data
def test_a_batch_from_storage_to_storage(storage: str, clips: Path) -> None:
    system, _ = remote(storage)
    system.put_file(str(clips / "clip0.mp4"), "videos/street/c0.mp4")
    program = [sys.executable, "-c", "from mot_reid.cli import main; main()", "batch", "s3://videos/street"]
    program += ["-o", "s3://videos/tracks", "-j", "1", "--piece-minutes", "0", "--set", "camera.motion=none"]
    program += ["--set", "detector.image_size=64", "--embedder", "none"]
    environment = os.environ | {"MOT_REID_NUMBA": "0"}  # NumPy is loaded sooner
    for told in ("1 video done", "1 already done"):
        done = subprocess.run(
            program, capture_output=True, text=True, timeout=400, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
        assert told in done.stdout
    assert json.loads(read_text("s3://videos/tracks/c0/summary.json") or "")["frames"] == 24
    assert json.loads(read_text("s3://videos/tracks/batch.json") or "")["already_done"] == 1
    assert read_text("s3://videos/tracks/c0/tracks.txt") is not None
