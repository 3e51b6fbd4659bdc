"""``mot-reid demo``: a clip made from three photographs, tracked; needs no file and no network.

A virtual camera pans and zooms over a wall on which the photographs hang, and blinds come down in front of
them for a while. Where each person is in every frame is known from the camera's path, so the demo can tell
who kept one identity from start to end, over the stretches out of sight as well. Where the photographs come
from, and their terms, stand beside them, in ``mot_reid/assets/README.md``.
"""

from functools import lru_cache
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

import mot_reid
from mot_reid.association.assignment import assign
from mot_reid.boxes import areas, clip, iou, tlwh_to_xyxy
from mot_reid.cli.errors import UsageError, usage_errors
from mot_reid.cli.options import build_config, setting_option
from mot_reid.cli.progress import RunProgress
from mot_reid.cli.runs import closing_line, run_source
from mot_reid.files import same_file
from mot_reid.pipeline.steps import network_threads
from mot_reid.structures import Tracks
from mot_reid.tracker import Tracker
from mot_reid.typing import Floats, Image
from mot_reid.wording import counted

__all__ = ["camera_views", "demo", "film", "hang_photographs", "ids_of", "with_blinds"]

_FPS = 25
_FRAMES = 250
_WIDTH, _HEIGHT = 640, 480  # of the clip
_WALL_HEIGHT = 840
_HUNG_HEIGHT, _GAP = 600, 120  # of the photographs; around them, pixels
_WALL = (200, 214, 222)  # its colour
_PHOTOGRAPHS = ("astronaut.jpg", "admiral.jpg", "photographer.jpg")  # from left to right
# The camera's path: time in 0..1, and in wall heights the centre's x and y and the height of the view. It
# looks at the astronaut and the admiral, goes over to the photographer until the astronaut is out of view,
# and comes back.
_PATH = np.array(
    [
        (0.00, 0.85, 0.50, 1.00),
        (0.35, 0.87, 0.51, 0.95),
        (0.52, 2.00, 0.50, 0.95),
        (0.66, 2.02, 0.50, 1.00),
        (0.84, 0.87, 0.51, 0.95),
        (1.00, 0.85, 0.50, 1.00),
    ]
)
# Blinds: which photograph each one hides, and when it begins to fall and is up again, in 0..1.
_BLINDS = ((1, 0.08, 0.18), (0, 0.20, 0.32), (2, 0.56, 0.63))
_FALL = 0.012  # how long it falls, and rises
_IN_VIEW = 0.6  # a person is in view when so much of the box is in the frame
_FOUND_IOU = 0.5  # a track is on a person when the boxes overlap so far
_CERTAIN = 0.5  # people of at least this score in the photographs are counted


def demo(
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for the clip and the results.")
    ] = Path("demo"),
    device: Annotated[str | None, setting_option("device", "--device")] = None,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar.")] = False,
) -> None:
    """Make a short clip from photographs, track the people in it, and check their identities.

    A virtual camera moves over the photographs: people are hidden by blinds, leave the view and come back.
    Needs no file and no network.
    """
    from mot_reid.video.files import prepare_output_folder
    from mot_reid.video.sources import open_source

    with usage_errors():
        config = build_config(None, {"device": device, "output.formats": ["mot", "csv", "video"]}, [])
        clip_path = output / "clip.mp4"
        if clip_path.exists() and not _is_of_demo(clip_path):
            raise UsageError(f"{clip_path}: would be overwritten; choose another --output folder")
        tracker = Tracker(config=config, threads=network_threads(config, live=False, detects=True))
        tracker.load()
        folder = prepare_output_folder(output)
    wall, people = hang_photographs(tracker)
    views = camera_views(wall.shape[1] / _WALL_HEIGHT)
    film(wall, views, clip_path)
    with open_source(clip_path) as source, RunProgress(quiet) as progress:
        summary = run_source(source, tracker, folder, progress)
    if not quiet:
        typer.echo(closing_line(summary, folder))
    ids = ids_of(people, views, np.loadtxt(folder / "tracks.txt", delimiter=",", ndmin=2))
    for number, (given, frames) in enumerate(ids, start=1):
        names = ", ".join(str(track_id) for track_id in sorted(given)) or "none"
        typer.echo(f"  person {number}: id {names} (in view in {counted(frames, 'frame')})")
    kept = sum(len(given) == 1 for given, _ in ids)
    typer.echo(f"{kept} of {len(ids)} people kept one id from start to end")
    typer.echo(f"clip: {clip_path}  tracked: {folder / 'tracks.mp4'}  tracks: {folder / 'tracks.txt'}")


def _is_of_demo(clip_path: Path) -> bool:
    """Whether an earlier demo has left this clip, by the summary beside it and its size and length."""
    from mot_reid.pipeline.summary_file import read_summary

    source = read_summary(clip_path.with_name("summary.json")).get("source") or {}
    if [source.get(name) for name in ("name", "width", "height", "fps")] != ["clip", _WIDTH, _HEIGHT, _FPS]:
        return False
    return same_file(clip_path, source.get("location") or "")


def hang_photographs(tracker: Tracker) -> tuple[Image, Floats]:
    """The wall ``(H, W, 3)`` with the photographs, and the boxes ``(P, 4)`` of the people on it."""
    top, width = (_WALL_HEIGHT - _HUNG_HEIGHT) // 2, _edges()[-1][1] + _GAP
    wall = np.full((_WALL_HEIGHT, width, 3), _WALL, np.uint8)
    boxes = []
    for picture, (left, right) in zip(_photographs(), _edges(), strict=True):
        wall[top : top + _HUNG_HEIGHT, left:right] = picture
        found = tracker.detect(picture)
        boxes.append(found.xyxy[found.scores >= _CERTAIN] + np.array([left, top, left, top]))
    return wall, np.concatenate(boxes).astype(np.float64)


@lru_cache
def _photographs() -> list[Image]:
    """The photographs as they hang, from left to right."""
    import cv2

    from mot_reid.video.pictures import read_picture

    folder = Path(mot_reid.__file__).parent / "assets"
    pictures = [read_picture(folder / name) for name in _PHOTOGRAPHS]
    widths = [round(picture.shape[1] * _HUNG_HEIGHT / picture.shape[0]) for picture in pictures]
    return [
        np.asarray(cv2.resize(picture, (width, _HUNG_HEIGHT)), np.uint8)
        for picture, width in zip(pictures, widths, strict=True)
    ]


def _edges() -> list[tuple[int, int]]:
    """Where each photograph begins and ends on the wall, pixels from the left."""
    ends = np.cumsum([_GAP + picture.shape[1] for picture in _photographs()]).tolist()
    return [(end - picture.shape[1], end) for end, picture in zip(ends, _photographs(), strict=True)]


def camera_views(wall_width: float) -> Floats:
    """Left, top and height of the view in each frame ``(_FRAMES, 3)``, in wall heights."""
    from scipy.interpolate import PchipInterpolator

    x, y, height = PchipInterpolator(_PATH[:, 0], _PATH[:, 1:])(np.linspace(0, 1, _FRAMES)).T
    width = height * _WIDTH / _HEIGHT
    left = np.clip(x - width / 2, 0, wall_width - width)
    top = np.clip(y - height / 2, 0, 1 - height)
    return np.stack([left, top, height], axis=1)


def film(wall: Image, views: Floats, path: Path) -> None:
    """Writes what the camera sees as a video."""
    import cv2

    from mot_reid.video.video_sink import VideoSink

    with VideoSink(path, _FPS, crf=18) as sink:
        for number, (left, top, height) in enumerate(views * _WALL_HEIGHT, start=1):
            scale = _HEIGHT / height
            affine = np.array([[scale, 0, -left * scale], [0, scale, -top * scale]])
            seen = with_blinds(wall, number / len(views))
            image = cv2.warpAffine(seen, affine, (_WIDTH, _HEIGHT), flags=cv2.INTER_AREA)
            sink.write(number, np.asarray(image, np.uint8), Tracks.empty())


def with_blinds(wall: Image, time: float) -> Image:
    """The wall at a time in 0..1: blinds down as far as they are, wooden slats over a photograph's height."""
    wall = wall.copy()
    edges = _edges()
    for photograph, start, end in _BLINDS:
        down = float(np.clip(min(time - start, end - time) / _FALL, 0, 1))
        left, right = edges[photograph]
        height = round(down * _WALL_HEIGHT)
        slats = 110 + 25 * (np.arange(height) % 24 < 20)
        wall[:height, left:right] = slats[:, None, None] * np.array([0.7, 0.9, 1.0])
    return wall


def ids_of(people: Floats, views: Floats, rows: Floats) -> list[tuple[set[int], int]]:
    """For each person the ids of the tracks on it, and in how many frames it was in view.

    Args:
        people: boxes ``(P, 4)`` on the wall, pixels.
        views: what the camera saw, as `camera_views` gives it.
        rows: the tracks, as ``tracks.txt`` has them.
    """
    ids: list[set[int]] = [set() for _ in people]
    in_view = np.zeros(len(people), int)
    for number, (left, top, height) in enumerate(views * _WALL_HEIGHT, start=1):
        boxes = (people - np.array([left, top, left, top])) * (_HEIGHT / height)
        visible = clip(boxes, _WIDTH, _HEIGHT)
        there = np.flatnonzero(areas(visible) >= _IN_VIEW * areas(boxes))
        in_view[there] += 1
        tracks = rows[rows[:, 0] == number]
        overlaps = iou(visible[there], tlwh_to_xyxy(tracks[:, 2:6]))
        for person, track in zip(*assign(1 - overlaps, overlaps >= _FOUND_IOU, limit=1.0), strict=True):
            ids[there[person]].add(int(tracks[track, 1]))
    return [(ids[person], int(in_view[person])) for person in np.flatnonzero(in_view)]
