"""Frame numbers that stay true: a video is counted, and behind damage its time stamps count."""

from typing import Any

from mot_reid.video.numbering import FrameNumbers, Piece, Unread

FPS = 25


def whole(
    numbers: FrameNumbers, frames: range, size: int = 1000, interval: float = 1 / FPS
) -> list[int | None]:
    """Frames that come as they should."""
    given = []
    for frame in frames:
        numbers.demuxed(Piece(frame * interval, frame * interval, size))
        given.append(numbers.next(frame * interval, clean=True))
    return given


def test_a_whole_video_is_counted_whatever_its_stamps() -> None:
    numbers = FrameNumbers(FPS)
    for place, stamp in enumerate([0, 0.04, 0.04, 0.03, 9.0, 2.0, 2.5, 70.0], start=1):
        numbers.demuxed(Piece(stamp, stamp, 1000, unread=40))
        assert numbers.next(stamp, clean=place == 1) == place
    assert numbers.next(None, clean=False) == 9
    assert numbers.lost == 0


def test_a_recorder_that_drops_frames_leaves_no_hole() -> None:
    numbers = FrameNumbers(FPS)
    assert whole(numbers, range(50)) == list(range(1, 51))
    numbers.demuxed(Piece(4.0, 4.0, 1000, unread=60))  # two seconds later, and nothing unread between
    assert numbers.next(4.0, clean=False) == 51


def test_a_hole_is_numbered_by_time() -> None:
    numbers = FrameNumbers(FPS)
    whole(numbers, range(50))
    numbers.demuxed(Piece(3.0, 3.0, 1000, unread=25_000))
    assert numbers.next(3.0, clean=False) is None  # made of frames that are lost
    numbers.demuxed(Piece(3.04, 3.04, 1000))
    assert numbers.next(3.04, clean=True) == 77
    assert numbers.next(3.08, clean=False) == 78
    assert numbers.lost == 26


def test_a_hole_in_a_video_of_varying_rate_is_told_by_its_mean_rate() -> None:
    numbers = FrameNumbers(FPS)
    stamp = 0.0
    for place in range(1, 41):
        stamp += (0.01, 0.07)[place % 2]
        numbers.demuxed(Piece(stamp, stamp, 1000))
        assert numbers.next(stamp, clean=True) == place
    numbers.demuxed(Piece(stamp + 1, stamp + 1, 1000, unread=25_000))
    assert numbers.next(stamp + 1, clean=True) == 65
    assert numbers.lost == 24


def test_errors_count_where_there_are_no_stamps() -> None:
    numbers = FrameNumbers(FPS)
    assert numbers.next(None, clean=True) == 1
    numbers.failed()
    numbers.failed()
    assert numbers.next(None, clean=True) == 4
    numbers.failed()
    assert numbers.lost == 2
    numbers.end()
    assert numbers.lost == 3


def test_packets_count_where_the_rate_varies_and_all_packets_are_there() -> None:
    numbers = FrameNumbers(FPS)
    stamps = [0.0, 0.1, 0.15, 0.4, 0.41, 0.5, 0.9]
    for stamp in stamps:
        numbers.demuxed(Piece(stamp, stamp, 1000))
    assert numbers.next(0.0, clean=True) == 1
    assert numbers.next(0.1, clean=False) == 2
    numbers.failed()  # one error, but three frames do not come
    assert numbers.next(0.41, clean=True) == 5
    assert numbers.next(0.5, clean=False) == 6
    assert numbers.lost == 2


def test_frames_out_of_order_in_damage_are_left_out() -> None:
    numbers = FrameNumbers(FPS)
    whole(numbers, range(20))
    numbers.failed()
    assert numbers.next(0.84, clean=False) == 22
    assert numbers.next(0.80, clean=False) is None
    assert numbers.next(0.88, clean=False) == 23


class Read:
    """A packet as `Unread` looks at it."""

    def __init__(self, stream: int, pos: int, size: int) -> None:
        self.stream_index, self.pos, self.size = stream, pos, size


def test_bytes_that_another_stream_reads_later_are_no_hole_behind_ones_own() -> None:
    """A fragment with all its pictures, and all its sound behind them, read in turn."""
    packets: list[Any] = [Read(0, 0, 100), Read(1, 5000, 50), Read(0, 100, 100), Read(1, 5050, 50)]
    packets += [Read(0, 400, 100)]  # 200 bytes behind the one before it
    unread = Unread("mov,mp4,m4a,3gp,3g2,mj2")
    assert [unread.before(packet) for packet in packets] == [0, 4900, 0, 0, 200]
    assert unread.end == 5100
    mixed = Unread("mpegts")
    assert [mixed.before(packet) for packet in packets] == [0] * 5


def test_frames_that_are_shown_before_others_are_no_hole() -> None:
    numbers = FrameNumbers(FPS)
    given = []
    shown = [0, *(place + frame for place in range(0, 80, 4) for frame in (4, 1, 2, 3))]
    for place, frame in enumerate(shown):  # as B-frames are decoded, padding before each
        numbers.demuxed(Piece(frame / FPS, place / FPS, 1000, unread=5000 * (place > 3)))
        if place >= 3:
            given.append(numbers.next((place - 3) / FPS, clean=place == 3))
    assert given == list(range(1, len(given) + 1))
    numbers.demuxed(Piece(95 / FPS, 90 / FPS, 1000, unread=9000))  # ten are missing
    assert numbers.damaged


def test_a_clock_that_begins_again_in_damage_goes_on() -> None:
    """Recordings put together byte by byte: the second one begins with a torn packet, its stamps at 0."""
    numbers = FrameNumbers(FPS)
    whole(numbers, range(50))
    for frame in range(50):
        numbers.demuxed(Piece(frame / FPS, frame / FPS, 1000, torn=frame == 0))
        assert numbers.next(frame / FPS, clean=frame == 0) == 51 + frame
    assert numbers.lost == 0


def test_a_damaged_stamp_makes_no_absurd_number() -> None:
    numbers = FrameNumbers(FPS, most=100)
    whole(numbers, range(50))
    numbers.failed()
    numbers.demuxed(Piece(1e6, 1e6, 1000))
    number = numbers.next(1e6, clean=True)
    assert number is not None
    assert number <= 52


def test_without_any_key_frame_frames_come_again_after_a_while() -> None:
    numbers = FrameNumbers(FPS)
    whole(numbers, range(50))
    numbers.demuxed(Piece(4.0, 4.0, 1000, unread=50_000))
    given = [numbers.next(4.0 + frame / FPS, clean=False) for frame in range(400)]
    assert given[0] is None
    assert given[-1] == 101 + 399


def test_frames_that_come_late_out_of_the_decoder_are_those_before_the_hole() -> None:
    numbers = FrameNumbers(FPS)
    whole(numbers, range(50))
    for frame in (50, 51, 62, 63, 64):  # 52 to 61 are lost; the decoder is three frames behind
        unread = 10_000 if frame == 62 else 0
        numbers.demuxed(Piece(frame / FPS, frame / FPS, 1000, unread=unread))
    clean = {50, 62}
    given = [numbers.next(frame / FPS, frame in clean) for frame in (50, 51, 62, 63, 64)]
    assert given == [51, 52, 63, 64, 65]
    assert numbers.lost == 10
