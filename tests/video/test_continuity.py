"""Whether what lies between two packets is there: sync bytes, counters, lengths."""

from pathlib import Path

import pytest

from mot_reid.video.continuity import is_broken


def transport(*packets: tuple[int, int, bool], size: int = 188, begins: int = -1) -> bytes:
    """Packets of (stream, count, whether they hold data); that at ``begins`` says that its count is new."""
    written = b""
    for place, (stream, count, data) in enumerate(packets):
        head = bytes(
            [0x47, stream >> 8, stream & 255, 0x10 * data | 0x20 | count, 1, 0x80 * (place == begins)]
        )
        written += (
            bytes(size - 188 if size == 192 else 0)
            + head
            + bytes(182)
            + bytes(size - 188 if size == 204 else 0)
        )
    return written


@pytest.mark.parametrize("size", [188, 192, 204])
def test_a_transport_stream_counts_its_packets(tmp_path: Path, size: int) -> None:
    path = tmp_path / "a.ts"

    def broken(*packets: tuple[int, int, bool], begins: int = -1) -> bool:
        path.write_bytes(transport(*packets, size=size, begins=begins))
        return is_broken("mpegts", str(path), 0, (len(packets) - 1) * size)

    # Two streams, padding, a packet that came twice, one without data, and a count that goes on at 0.
    whole = [
        (256, 14, True),
        (257, 3, True),
        (8191, 0, True),
        (256, 15, True),
        (256, 15, True),
        (256, 15, False),
    ]
    whole += [(257, 4, True), (256, 0, True)]
    assert not broken(*whole)
    assert broken(*whole, (256, 2, True))
    assert broken(*whole, (257, 4, True), (256, 3, False))
    assert not broken(*whole, (256, 7, True), begins=8)
    path.write_bytes(transport(*whole, size=size).replace(b"\x47\x01\x01", b"\0\0\0"))
    assert is_broken("mpegts", str(path), 0, 7 * size)
    path.write_bytes(transport(*whole, size=size)[:-100])
    assert is_broken("mpegts", str(path), 0, 7 * size - 100)


def test_a_program_stream_says_the_lengths_of_its_packets(tmp_path: Path) -> None:
    path = tmp_path / "a.mpg"
    pack = b"\0\0\1\xba\x44" + bytes(8) + b"\xf8" + b"\0\0\1\xe0" + (50).to_bytes(2, "big") + bytes(50)
    old = b"\0\0\1\xba\x21" + bytes(7) + b"\0\0\1\xb9"
    for content, broken in (
        (pack + pack + old + pack, False),
        (pack + pack[:30] + pack, True),
        (pack + bytes(len(pack)) + pack, True),
    ):
        path.write_bytes(content + pack)
        assert is_broken("mpeg", str(path), 0, len(content)) == broken


def test_packets_of_asf_are_of_one_length(tmp_path: Path) -> None:
    path = tmp_path / "a.wmv"
    head = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365") + bytes(76) + (64).to_bytes(4, "little") * 2
    data = (b"\x82\0\0" + bytes(61)) * 4
    path.write_bytes(head + data)
    assert not is_broken("asf", str(path), len(head), len(head) + 192)
    assert is_broken("asf", str(path), len(head), len(head) + 180)
    path.write_bytes(head + data[:64] + bytes(64) + data[128:])
    assert is_broken("asf", str(path), len(head), len(head) + 192)


def test_nothing_is_said_of_what_cannot_be_read(tmp_path: Path) -> None:
    for container in ("mpegts", "mpeg", "asf", "mov,mp4,m4a,3gp,3g2,mj2"):
        assert not is_broken(container, str(tmp_path / "none.ts"), 0, 1000)
        assert not is_broken(container, __file__, 100, 100)  # two frames in one packet
        assert not is_broken(container, "rtsp://nowhere/none\0.ts", 0, 1000)
