"""Damaged inputs by the thousand: every one ends in frames, a clear error that names it, or counted damage.

Whole files of each kind (ten containers, eight kinds of pictures, streams over HTTP with and without a
length, eight kinds of text, three of YAML, eight of weights) are damaged at random: bytes changed, pieces cut
out, doubled, zeroed, moved, the end cut off, numbers in the first bytes replaced by extreme ones; text by its
words and lines too. Each mutant is read to its end. Not allowed are any other exception, an error that does
not name the input, frame numbers or times that do not ascend, and more seconds than a limit; a crash ends the
script, and with ``--keep`` the mutant it was at is there.

    python benchmarks/fuzz_readers.py --mutants 2000 --seed 0
"""

from __future__ import annotations

import argparse
import http.server
import logging
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import av
import cv2
import numpy as np
from fuzz_files import (
    MOST_SECONDS,
    FaultError,
    Mutate,
    mutant,
    read_text,
    read_weights,
    read_yaml_files,
    text_mutant,
    weights_mutant,
    whole_text,
    whole_weights,
    whole_yaml,
    yaml_mutant,
)

from mot_reid.video import SourceError, open_source

__all__ = ["fuzz", "read", "served", "whole_pictures", "whole_videos"]

CONTAINERS = {
    "mp4": "libx264",
    "mov": "libx264",
    "mkv": "libx264",
    "avi": "mpeg4",
    "ts": "libx264",
    "webm": "libvpx",
    "flv": "libx264",
    "mpg": "mpeg2video",
    "wmv": "wmv2",
    "gif": "gif",
}
PICTURES = ("jpg", "png", "bmp", "webp", "tif", "avif", "gif", "ppm")
Reader = Callable[[bytes, str], tuple[int, int]]


def whole_videos(frames: int = 20) -> dict[str, bytes]:
    """A small video of each kind, by its suffix."""
    found = {}
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(frames)]
    with tempfile.TemporaryDirectory() as folder:
        for suffix, codec in CONTAINERS.items():
            path = Path(folder) / f"a.{suffix}"
            with av.open(str(path), "w") as container:
                stream = container.add_stream(codec, 25)
                stream.width, stream.height, stream.pix_fmt = 64, 48, "rgb8" if suffix == "gif" else "yuv420p"
                stream.gop_size = 5
                for image in images:
                    container.mux(stream.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
                container.mux(stream.encode(None))
            found[suffix] = path.read_bytes()
    return found


def whole_pictures() -> dict[str, bytes]:
    """A small picture of each kind, by its suffix."""
    image = np.random.default_rng(0).integers(0, 255, (48, 64, 3), dtype=np.uint8)
    return {suffix: cv2.imencode(f".{suffix}", image)[1].tobytes() for suffix in PICTURES}


def read(source: str, **options: float) -> tuple[int, int]:
    """Reads all frames of a source that may be damaged.

    Returns:
        How many came, and how many were counted as damaged.

    Raises:
        FaultError: it ended in a way that is not allowed.
    """
    begin, number, moment, count, damaged = time.process_time(), 0, -1.0, 0, 0
    try:
        with open_source(source, **options) as opened:  # type: ignore[arg-type]
            for frame in opened:
                count += 1
                height, width = opened.info.height, opened.info.width
                if frame.image.shape != (height, width, 3) or frame.image.dtype != np.uint8:
                    raise FaultError(f"a frame of {frame.image.shape} in a source of {width}x{height}")
                if frame.number <= number or frame.time is None or frame.time <= moment:
                    raise FaultError(f"frame {frame.number} at {frame.time} behind {number} at {moment}")
                number, moment = frame.number, frame.time
            damaged = opened.damaged
    except SourceError as error:
        name = source.rpartition("/")[2]
        if name not in str(error) or "\n" in str(error):
            raise FaultError(f"an error that does not name {name} in one line: {error}") from error
        damaged += count == 0
    if (taken := time.process_time() - begin) > MOST_SECONDS:
        raise FaultError(f"took {taken:.0f} s of CPU")
    return count, damaged


def read_video(folder: Path) -> Reader:
    """Reads a mutant as a video file."""

    def reader(content: bytes, suffix: str) -> tuple[int, int]:
        path = folder / f"mutant.{suffix}"
        path.write_bytes(content)
        return read(str(path))

    return reader


def read_pictures(folder: Path, whole: dict[str, bytes]) -> Reader:
    """Reads a mutant as the second of three pictures in a folder."""

    def reader(content: bytes, suffix: str) -> tuple[int, int]:
        place = folder / f"pictures-{suffix}"
        place.mkdir(exist_ok=True)
        for number, picture in enumerate((whole[suffix], content, whole[suffix]), start=1):
            (place / f"{number}.{suffix}").write_bytes(picture)
        return read(str(place))

    return reader


@contextmanager
def served() -> Iterator[Reader]:
    """Reads a mutant as a stream over HTTP, every second one without a length."""
    current: dict[str, bytes] = {}

    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            content = current["content"]
            self.send_response(200)
            if len(content) % 2:
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(content)

    def reader(content: bytes, suffix: str) -> tuple[int, int]:
        current["content"] = content
        return read(f"http://127.0.0.1:{server.server_port}/mutant.{suffix}", reconnect=0)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield reader
        finally:
            server.shutdown()
            thread.join()


def fuzz(
    reader: Reader,
    whole: dict[str, bytes],
    mutants: int,
    seed: int,
    keep: Path | None = None,
    mutate: Mutate = mutant,
) -> tuple[Counter[str], list[str]]:
    """Reads mutants of whole files in turn.

    Args:
        reader: reads one.
        whole: the files, by suffix or name.
        mutants: how many in all.
        seed: of the damage.
        keep: where each mutant lies while it is read, so that one that crashes is there.
        mutate: damages a file.

    Returns:
        How they ended, and the faults.
    """
    ends: Counter[str] = Counter()
    faults = []
    for number in range(mutants):
        suffix = list(whole)[number % len(whole)]
        rng: np.random.Generator = np.random.default_rng([seed, number])
        content = mutate(whole[suffix], rng)
        if keep is not None:
            (keep / f"at-{number}.{suffix}").write_bytes(content)
        try:
            count, damaged = reader(content, suffix)
            ends["damage counted" if count and damaged else "error" if damaged else "read"] += 1
        except Exception as error:
            faults.append(f"mutant {number} of seed {seed} ({suffix}): {type(error).__name__}: {error}")
        if keep is not None:
            (keep / f"at-{number}.{suffix}").unlink()
    return ends, faults


def main() -> None:
    """Runs the fuzzers and prints how the mutants ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mutants", type=int, default=2000, help="of each reader")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder in which the mutant being read lies")
    names = ["videos", "pictures", "streams", "text", "yaml", "weights"]
    parser.add_argument("--reader", choices=names, nargs="+", default=names, help="only these")
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    failed = False
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory() as weights,
        served() as stream,
    ):
        place = Path(folder)
        for name in arguments.reader:
            reader, whole, mutate = _reader(name, place, Path(weights), stream)
            for suffix, content in whole.items():  # a mutant tells nothing if the whole file cannot be read
                count, damaged = reader(content, suffix)
                if damaged or not count:
                    raise SystemExit(f"{name}: the whole {suffix} is not read")
            begin, used = time.monotonic(), time.process_time()
            ends, faults = fuzz(reader, whole, arguments.mutants, arguments.seed, arguments.keep, mutate)
            told = ", ".join(f"{count} {end}" for end, count in sorted(ends.items()))
            seconds, used = time.monotonic() - begin, time.process_time() - used
            print(
                f"{name}: {arguments.mutants} mutants in {seconds:.0f} s ({used:.0f} s of CPU): {told}; "
                f"faults: {len(faults)}",
                flush=True,
            )
            for fault in faults[:20]:
                print(f"  {fault}")
            failed |= bool(faults)
    raise SystemExit(failed)


def _reader(
    name: str, folder: Path, weights: Path, stream: Reader
) -> tuple[Reader, dict[str, bytes], Mutate]:
    """What reads a kind of input, its whole files, and what damages them."""
    match name:
        case "videos":
            return read_video(folder), whole_videos(), mutant
        case "pictures":
            return read_pictures(folder, whole := whole_pictures()), whole, mutant
        case "streams":
            return stream, whole_videos(), mutant
        case "text":
            return read_text(folder), whole_text(), text_mutant
        case "yaml":
            return read_yaml_files(folder), whole_yaml(), yaml_mutant
        case _:
            return read_weights(folder), whole_weights(weights), weights_mutant


if __name__ == "__main__":
    main()
