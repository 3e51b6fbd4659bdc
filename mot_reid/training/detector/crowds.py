"""Training pictures made of real ones: scaled and cut, pieced together, and filled with crowds.

A crowd stands on a plane: who is farther up in the picture is farther away, smaller, and hidden by those in
front. So a detector learns small people behind others with boxes of their whole bodies, which few labelled
pictures show. Everything is decided by a random generator.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import cv2
import numpy as np

from mot_reid.boxes import areas, clip
from mot_reid.training.detector.cutouts import Cutout
from mot_reid.training.detector.pictures import GREY
from mot_reid.typing import Floats, Floats32, Image, Mask

__all__ = ["Scene", "add_crowd", "mirrored", "piece_together", "place", "spoilt"]

Random = np.random.Generator

_LEAST_INSIDE = 0.25  # of a box, or its person is no longer there
_SMALLEST = (3, 6)  # width and height of a box that is learnt, pixels
_SMALLEST_PASTED = 11  # height, pixels
_LEAST_PASTED = 0.3  # of somebody pasted lies inside the picture, or nobody is pasted
_SEEN_PASTED, _SEEN_BEFORE = 0.15, 0.35  # share of a person, or box, left to be seen, or they are not learnt

_PEOPLE = (6, 60)  # in a crowd, at most: some fall outside
_HORIZON = (-0.5, 0.45)  # its row, in heights of the picture; above the picture from a high camera
_NEAREST = (45, 220)  # height of somebody who stands at the lower edge, pixels
_IN_GROUPS = 0.55  # share of those who stand close to somebody
# Share of what stands there that is nobody: it hides people, and looks as pasted as they do.
_OBSTACLES = 0.12


class Scene(NamedTuple):
    """A picture ``(H, W, 3)`` BGR and the boxes ``(N, 4)`` xyxy of its people, pixels."""

    picture: Image
    people: Floats


def place(
    scene: Scene, size: tuple[int, int], rng: Random, scales: tuple[float, float] | None = None
) -> Scene:
    """A picture in a canvas of another size, where the generator puts it.

    Args:
        scene: the picture.
        size: height and width of the canvas.
        rng: decides where, and the scale.
        scales: the least and the largest scale, where 1 just fits into the canvas; None for one that fills
            the canvas, up to 1.6 times as large.
    """
    height, width = scene.picture.shape[:2]
    ratios = size[0] / height, size[1] / width
    if scales is None:
        scale = max(ratios) * np.exp(rng.uniform(0, np.log(1.6)))
    else:
        scale = min(ratios) * np.exp(rng.uniform(*np.log(scales)))
    canvas = np.full((*size, 3), GREY, np.uint8)
    return Scene(canvas, _put(scene, canvas, float(scale), rng))


def piece_together(pick: Callable[[], Scene], size: tuple[int, int], rng: Random) -> Scene:
    """Four pictures, each scaled by itself, in the quarters of a canvas (a mosaic).

    Args:
        pick: gives a picture.
        size: height and width of the canvas.
        rng: decides where the quarters meet, and the scales.
    """
    canvas = np.full((*size, 3), GREY, np.uint8)
    row, column = (int(rng.uniform(0.35, 0.65) * side) for side in size)
    people = []
    for top, bottom in ((0, row), (row, size[0])):
        for left, right in ((0, column), (column, size[1])):
            scene, part = pick(), canvas[top:bottom, left:right]
            height, width = scene.picture.shape[:2]
            scale = min(size[0] / height, size[1] / width) * np.exp(rng.uniform(np.log(0.35), np.log(1.1)))
            least = 0.9 * min(part.shape[0] / height, part.shape[1] / width)
            boxes = _put(scene, part, float(max(scale, least)), rng)
            people.append(boxes + np.array([left, top, left, top]))
    return Scene(canvas, np.concatenate(people))


def _put(scene: Scene, canvas: Image, scale: float, rng: Random) -> Floats:
    """Puts a scaled picture into a canvas, in place; gives the boxes of those who are still there."""
    height, width = (max(2, round(side * scale)) for side in scene.picture.shape[:2])
    reading = cv2.INTER_AREA if rng.random() < 0.3 else cv2.INTER_LINEAR
    scaled = cv2.resize(scene.picture, (width, height), interpolation=reading)
    rows, columns = canvas.shape[:2]
    y, x = (int(rng.integers(min(0, space), max(0, space) + 1)) for space in (rows - height, columns - width))
    top, left, bottom, right = max(0, y), max(0, x), min(rows, y + height), min(columns, x + width)
    canvas[top:bottom, left:right] = scaled[top - y : bottom - y, left - x : right - x]
    whole = scene.people * scale + (x, y, x, y)
    inside = clip(whole, columns, rows)
    sides = inside[:, 2:] - inside[:, :2]
    there = areas(inside) > _LEAST_INSIDE * areas(whole)
    return inside[there & (sides >= _SMALLEST).all(axis=1)]


def add_crowd(scene: Scene, cutouts: Sequence[Cutout], textures: Sequence[Image], rng: Random) -> Scene:
    """Fills a picture with people.

    Args:
        scene: the picture; those who are in it may be hidden by the crowd.
        cutouts: people to paste.
        textures: pictures without people, of which obstacles are cut; none without them.
        rng: decides everything.
    """
    picture = scene.picture.copy()
    height, width = picture.shape[:2]
    feet, horizon, slope = _standing(height, width, rng)
    contrast, gain, cast = rng.uniform(0.6, 1.1), np.exp(rng.normal(0, 0.25)), np.exp(rng.normal(0, 0.06, 3))
    gain *= np.clip((picture.mean() / 110) ** 0.7, 0.55, 1.4)  # about as bright as the picture
    owner = np.zeros((height, width), np.int64)  # who is seen at each pixel, from 1
    for number, (x1, y1, x2, y2) in enumerate(np.rint(scene.people).astype(int), start=1):
        owner[y1:y2, x1:x2] = number
    sizes = np.bincount(owner.ravel(), minlength=len(scene.people) + 1)[1:].tolist()
    boxes = scene.people.tolist()
    for x, y in feet:
        tall = slope * (y - horizon) * np.exp(rng.normal(0, 0.07))
        if tall < _SMALLEST_PASTED:
            continue
        cutout = cutouts[int(rng.integers(len(cutouts)))]
        obstacle = bool(len(textures)) and rng.random() < _OBSTACLES
        if obstacle:
            cutout = _obstacle(textures[int(rng.integers(len(textures)))], cutout, rng)
        if rng.random() < 0.5:
            cutout = cutout[:, ::-1]
        colours, opaque = _scaled(cutout, float(tall), rng)
        colours = _lit(colours, opaque, contrast, gain * cast * np.exp(rng.normal(0, 0.18)))
        pasted = _paste(picture, colours, opaque, x, y)
        if pasted is None:
            continue
        (rows, columns), shown = pasted
        covered = owner[rows, columns]
        if obstacle:
            covered[shown] = 0
            continue
        boxes.append([columns.start, rows.start, columns.stop, rows.stop])
        sizes.append(max(1, int(shown.sum())))
        covered[shown] = len(boxes)
    seen = np.bincount(owner.ravel(), minlength=len(boxes) + 1)[1:] / np.maximum(sizes, 1)
    least = np.where(np.arange(len(boxes)) < len(scene.people), _SEEN_BEFORE, _SEEN_PASTED)
    return Scene(picture, np.array(boxes, np.float64).reshape(-1, 4)[seen >= least])


def _standing(height: int, width: int, rng: Random) -> tuple[list[tuple[float, float]], float, float]:
    """Where people stand (x, y of their feet), the farthest first; the horizon's row; their height a row."""
    horizon = rng.uniform(*_HORIZON) * height
    slope = np.exp(rng.uniform(*np.log(_NEAREST))) / (height - horizon)
    farthest = max(horizon + (_SMALLEST_PASTED + 1) / slope, 0.12 * height)
    feet: list[tuple[float, float]] = []
    for _ in range(int(np.exp(rng.uniform(*np.log(_PEOPLE))))):
        if feet and rng.random() < _IN_GROUPS:
            x, y = feet[rng.integers(len(feet))]
            tall = slope * (y - horizon)
            x, y = x + rng.normal(0, 0.27) * tall, y + rng.normal(0, 0.12) * tall
        else:
            x, y = rng.uniform(-0.02, 1.02) * width, rng.uniform(farthest, 1.12 * height)
        feet.append((x, max(y, farthest)))
    return sorted(feet, key=lambda spot: spot[1]), horizon, slope


def _obstacle(texture: Image, cutout: Cutout, rng: Random) -> Cutout:
    """A piece of a picture in the shape of a person, a board or a disc."""
    height, width = (
        min(side, int(rng.integers(*span)))
        for side, span in zip(texture.shape[:2], ((60, 161), (25, 101)), strict=True)
    )
    top, left = (
        int(rng.integers(side - part + 1)) for side, part in zip(texture.shape, (height, width), strict=False)
    )
    shape = rng.integers(3)
    opaque = np.full((height, width), 255 if shape == 1 else 0, np.uint8)
    if shape == 0:
        opaque = np.asarray(cv2.resize(np.ascontiguousarray(cutout[..., 3]), (width, height)), np.uint8)
    elif shape == 2:
        cv2.ellipse(opaque, (width // 2, height // 2), (width // 2, height // 2), 0, 0, 360, 255, -1)
    return np.dstack((texture[top : top + height, left : left + width], opaque))


def _scaled(cutout: Cutout, tall: float, rng: Random) -> tuple[Floats32, Floats32]:
    """Colours and opacity (0 to 1) of a cutout of a certain height, a little wider or narrower."""
    wide = tall * cutout.shape[1] / cutout.shape[0] * np.exp(rng.normal(0, 0.05))
    size = max(3, round(wide)), max(8, round(tall))
    # Cameras and networks read every few pixels or average them; both look different.
    reading = cv2.INTER_AREA if rng.random() < 0.4 else cv2.INTER_LINEAR
    if size[1] > cutout.shape[0]:
        reading = cv2.INTER_CUBIC
    pixels = cv2.resize(np.ascontiguousarray(cutout), size, interpolation=reading).astype(np.float32)
    return pixels[..., :3], ((pixels[..., 3] / 255 - 0.15) / 0.7).clip(0, 1)


def _lit(colours: Floats32, opaque: Floats32, contrast: float, gains: Floats) -> Floats32:
    weights = opaque[..., None]
    mean = (colours * weights).sum(axis=(0, 1)) / max(float(opaque.sum()), 1e-3)
    return np.asarray((((colours - mean) * contrast + mean) * gains).clip(0, 255), np.float32)


def _paste(
    picture: Image, colours: Floats32, opaque: Floats32, x: float, y: float
) -> tuple[tuple[slice, slice], Mask] | None:
    """Pastes, in place, with the middle of the lower edge at (x, y).

    Returns:
        The rows and columns where, and which of these pixels are mostly covered; None where too little would
        be inside.
    """
    height, width = opaque.shape
    left, top = round(x - width / 2), round(y - height)
    rows = slice(max(0, top), min(picture.shape[0], top + height))
    columns = slice(max(0, left), min(picture.shape[1], left + width))
    high, wide = rows.stop - rows.start, columns.stop - columns.start
    if wide < _SMALLEST[0] or high < _SMALLEST[1] or high * wide < _LEAST_PASTED * height * width:
        return None
    part = slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left)
    weights = opaque[part][..., None]
    picture[rows, columns] = (picture[rows, columns] * (1 - weights) + colours[part] * weights).astype(
        np.uint8
    )
    return (rows, columns), opaque[part] > 0.5


def spoilt(picture: Image, rng: Random) -> Image:
    """Blurs, sharpens, darkens, adds noise, compresses and recolours a picture, each sometimes."""
    if rng.random() < 0.35:
        blurred = cv2.GaussianBlur(picture, (0, 0), rng.uniform(0.4, 0.9))
        sharpened = rng.random() < 0.4
        picture = np.asarray(
            cv2.addWeighted(picture, 1.6, blurred, -0.6, 0) if sharpened else blurred, np.uint8
        )
    if rng.random() < 0.3:
        levels = 255 * (np.arange(256) / 255) ** rng.uniform(0.6, 1.7)
        picture = levels.astype(np.uint8)[picture]
    if rng.random() < 0.25:
        noise = rng.normal(0, rng.uniform(2, 8), picture.shape).astype(np.int16)
        picture = (picture + noise).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, int(rng.integers(50, 95))])
        picture = np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)
    shades = cv2.cvtColor(picture, cv2.COLOR_BGR2HSV).astype(np.float32)
    shades[..., 0] = (shades[..., 0] + rng.integers(-2, 3)) % 180
    shades[..., 1:] *= rng.uniform((0.5, 0.75), (1.4, 1.25))
    return np.asarray(cv2.cvtColor(shades.clip(0, 255).astype(np.uint8), cv2.COLOR_HSV2BGR), np.uint8)


def mirrored(scene: Scene) -> Scene:
    """The scene with left and right exchanged."""
    people = scene.people.copy()
    people[:, [0, 2]] = scene.picture.shape[1] - people[:, [2, 0]]
    return Scene(np.ascontiguousarray(scene.picture[:, ::-1]), people)
