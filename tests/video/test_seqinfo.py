"""What a sequence's information file says, and what it must not say."""

from pathlib import Path

import pytest

from mot_reid.video.seqinfo import frame_rate, picture_folder, read_seqinfo, sequence_name


def test_what_is_said_and_what_is_left_out(tmp_path: Path) -> None:
    nothing = read_seqinfo(tmp_path)
    assert dict(nothing) == {}
    assert (frame_rate(tmp_path, nothing), picture_folder(tmp_path, nothing)) == (30, tmp_path / "img1")
    assert sequence_name(tmp_path, nothing) == tmp_path.name
    (tmp_path / "seqinfo.ini").write_text("\ufeff[Sequence]\nname= A \nimDir=pics\nframeRate=12.5\n", "utf-8")
    info = read_seqinfo(tmp_path)
    assert (frame_rate(tmp_path, info), picture_folder(tmp_path, info)) == (12.5, tmp_path / "pics")
    assert sequence_name(tmp_path, info) == "A"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"frameRate 2", r"seqinfo\.ini.*line"),
        (b"[Other]\n", r"seqinfo\.ini: has no \[Sequence\] section"),
        (b"\xff\xfe[", r"seqinfo\.ini: not a text file"),
        (b"[Sequence]\nframeRate=fast\n", r"seqinfo\.ini: frameRate: expected a positive number, got 'fast'"),
        (b"[Sequence]\nframeRate=1e9\n", r"seqinfo\.ini: frameRate: expected a positive number, got '1e9'"),
        (b"[Sequence]\nframeRate=nan\n", r"seqinfo\.ini: frameRate: expected a positive number, got 'nan'"),
    ],
)
def test_a_wrong_file_is_named(content: bytes, message: str, tmp_path: Path) -> None:
    (tmp_path / "seqinfo.ini").write_bytes(content)
    with pytest.raises(ValueError, match=message) as caught:
        frame_rate(tmp_path, read_seqinfo(tmp_path))
    assert "\n" not in str(caught.value)
