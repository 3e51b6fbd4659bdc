"""MP4 files of fragments, of which one in the middle is broken: FFmpeg takes it for the end."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mot_reid.video import SourceError, open_source

SPOIL: dict[str, Callable[[bytes, int], bytes]] = {
    "no size": lambda data, at: data[:at] + bytes(4) + data[at + 4 :],
    "a size beyond the file": lambda data, at: data[:at] + b"\xff" * 4 + data[at + 4 :],
    "zeros": lambda data, at: data[:at] + bytes(100) + data[at + 100 :],
    "cut out": lambda data, at: data[:at] + data[at + 100 :],
}


@pytest.mark.parametrize("kind", SPOIL)
def test_fragments_that_cannot_be_read_are_told(tmp_path: Path, clips: Any, kind: str) -> None:
    path = tmp_path / "camera.mp4"
    images = [clips.shade(number) for number in range(1, 41)]
    clips.write(path, images, movflags="frag_keyframe+empty_moov")
    with open_source(path) as source:
        assert len(list(source)) == 40
        assert source.notes == ()
    data = path.read_bytes()
    places = [at for at in range(len(data)) if data.startswith(b"moof", at)]
    path.write_bytes(SPOIL[kind](data, places[4] - 4))
    numbers: list[int] = []
    with (
        open_source(path) as source,
        pytest.raises(SourceError, match=r"\d+: the fragments behind it"),
    ):
        numbers.extend(frame.number for frame in source)
    assert numbers == list(range(1, len(numbers) + 1))
    assert len(numbers) > 10
