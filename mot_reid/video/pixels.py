"""From decoded pictures to pixels as they are meant to be seen: upright, square, in ordinary colours."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import cv2
import numpy as np
from av.video.format import VideoFormat
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from mot_reid.typing import Floats, Image
from mot_reid.video.decoding import exif_turn

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

__all__ = ["PixelReader", "deinterlaced", "turned"]

_PQ, _HLG = 16, 18  # transfer characteristics of ITU-T H.273: SMPTE ST 2084, ARIB STD-B67
_SQUARE = Fraction(1, 100)  # pixels so little off square are square
_MOST_STRETCH = 4  # a sample aspect ratio beyond is taken for an error
_COMB = 12  # levels of grey by which a line stands out between its neighbours
_LUT_SIZE = 33
_SDR_WHITE = 203.0  # cd/m2 of diffuse white in HDR material, ITU-R BT.2408
_HDR_PEAK = 1000.0  # cd/m2 that become the brightest white
_GAIN = 1.6
_BT2020_TO_BT709 = np.array(  # ITU-R BT.2087, of linear light
    [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]]
)

_HEAD = 1 << 20  # bytes of a photograph in which its EXIF is looked for


class PixelReader:
    """Turns decoded pictures of one source into ``(H, W, 3)`` uint8 BGR.

    It turns and mirrors them as the display matrix says, makes pixels square, deinterlaces, and maps the
    light of HDR video (PQ or HLG) to what an ordinary screen shows.

    Args:
        aspect: of a pixel, width by height; None where that is not known.
        tell: takes in what a user should know, a sentence each; each one once.
        path: of the file, if it is one: a photograph's EXIF is read there.
    """

    def __init__(
        self, aspect: Fraction | None, tell: Callable[[str], None], path: Path | None = None
    ) -> None:
        self._aspect = Fraction(1) if aspect is None or not aspect else Fraction(aspect)
        self._tell = tell
        self._path = path
        self._told: set[str] = set()
        self._tone_mapper: _ToneMapper | None = None
        # One for all pictures: each has threads of its own, which live as long as it does.
        self._to_bgr = VideoReformatter()
        if abs(self._aspect - 1) <= _SQUARE:
            self._aspect = Fraction(1)
        elif not 1 / Fraction(_MOST_STRETCH) <= self._aspect <= _MOST_STRETCH:
            self._once(f"its pixels are said to be {self._aspect}:1; taken for square")
            self._aspect = Fraction(1)

    def read(self, picture: VideoFrame) -> Image:
        """The picture as it is meant to be seen."""
        if picture.color_trc in (_PQ, _HLG):
            image = self._tone_mapped(picture)
        else:
            image = cast("Image", self._to_bgr.reformat(picture, format="bgr24").to_ndarray())
        if picture.interlaced_frame:
            self._once("interlaced: where its two fields do not fit, frames are made of the upper one")
            image = deinterlaced(image)
        if self._aspect != 1:
            image = _square(image, self._aspect)
        matrix = self._display_matrix(picture)
        return image if matrix is None else turned(image, matrix)

    def _display_matrix(self, picture: VideoFrame) -> NDArray[np.int32] | None:
        """Its nine numbers, see `turned`; None where it has none.

        PyAV fails on side data of kinds that it does not know, such as the EXIF of a photograph. It knows the
        rotation then, though not whether the picture is mirrored as well: the file's EXIF does.
        """
        try:
            matrix = picture.side_data.get("DISPLAYMATRIX")
        except ValueError:
            turn = self._exif
            if turn is None:
                quarters = round(picture.rotation / 90)
                cosine, sine = ((1, 0), (0, 1), (-1, 0), (0, -1))[quarters % 4]
                turn = (cosine, -sine, sine, cosine)
            a, b, c, d = turn
            return np.array([a, b, 0, c, d, 0, 0, 0, 1], np.int32)
        return None if matrix is None else np.frombuffer(cast("memoryview", matrix), np.int32)

    @cached_property
    def _exif(self) -> tuple[int, int, int, int] | None:
        if self._path is None:
            return None
        try:
            with self._path.open("rb") as file:
                return exif_turn(file.read(_HEAD))
        except OSError:
            return None

    def _tone_mapped(self, picture: VideoFrame) -> Image:
        name = {_PQ: "PQ", _HLG: "HLG"}[picture.color_trc]
        self._once(f"HDR ({name}): its light is mapped to that of ordinary video")
        if self._tone_mapper is None or self._tone_mapper.transfer != picture.color_trc:
            self._tone_mapper = _ToneMapper(picture.color_trc)
        return self._tone_mapper.map(picture)

    def _once(self, text: str) -> None:
        if text not in self._told:
            self._told.add(text)
            self._tell(text)


def turned(image: Image, matrix: NDArray[np.int32]) -> Image:
    """The picture turned and mirrored by a display matrix.

    Args:
        image: ``(H, W, 3)``.
        matrix: its nine numbers as FFmpeg keeps them, ``a b u c d v x y w``: a point goes to
            ``(a x + c y, b x + d y)``. Of matrices that lead off the pixels' grid, the nearest that does not.
    """
    a, b, _, c, d = (int(value) for value in matrix[:5])
    if a == b == c == d == 0:
        return image
    if abs(b) + abs(c) > abs(a) + abs(d):
        image, across, down = image.transpose(1, 0, 2), c, b
    else:
        across, down = a, d
    return np.ascontiguousarray(image[:: -1 if down < 0 else 1, :: -1 if across < 0 else 1])


def deinterlaced(image: Image) -> Image:
    """The picture without combs: where its two fields, of two moments, do not fit, one field makes both.

    A pixel of the lower field that is clearly brighter, or darker, than both of its neighbours in the upper
    field is part of a comb, and so are those around it: they become the mean of these neighbours. What stands
    still keeps all of its lines, as does film that is only stored as two fields.
    """
    upper = image[::2]
    lower = image[1::2]
    if not len(lower):
        return image
    above, below = upper[: len(lower)], np.concatenate([upper[1:], upper[-1:]])[: len(lower)]
    grey, grey_above, grey_below = (
        cv2.cvtColor(np.ascontiguousarray(part), cv2.COLOR_BGR2GRAY).astype(np.int16)
        for part in (lower, above, below)
    )
    over, under = grey - grey_above, grey - grey_below
    comb = (np.minimum(over, under) > _COMB) | (np.maximum(over, under) < -_COMB)
    if not comb.any():
        return image
    around = cv2.dilate(comb.astype(np.uint8), np.ones((3, 5), np.uint8))
    result = image.copy()
    between = cv2.addWeighted(above, 0.5, np.ascontiguousarray(below), 0.5, 0)
    result[1::2] = np.where(around[..., None] > 0, between, lower)
    return result


def _square(image: Image, aspect: Fraction) -> Image:
    """The picture with square pixels: one side is stretched, none is made smaller."""
    height, width = image.shape[:2]
    size = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
    return cast("Image", cv2.resize(image, size, interpolation=cv2.INTER_LINEAR))


class _ToneMapper:
    """Maps HDR colours to ordinary ones through a table of 33**3 colours, which FFmpeg interpolates.

    Args:
        transfer: `_PQ` or `_HLG`.
    """

    def __init__(self, transfer: int) -> None:
        self.transfer = transfer
        self._graph: av.filter.Graph | None = None
        self._format = ""
        self._size = (0, 0)
        self._to_planes, self._to_bgr = VideoReformatter(), VideoReformatter()

    def map(self, picture: VideoFrame) -> Image:
        """The picture as ``(H, W, 3)`` uint8 BGR."""
        key = (picture.format.name, picture.width, picture.height)
        if self._graph is None or key != (self._format, *self._size):
            self._graph = self._new_graph(picture)
            self._format, self._size = key[0], key[1:]
        # FFmpeg's scaler takes the matrix of the colours from the picture itself, a graph's does not.
        self._graph.vpush(self._to_planes.reformat(picture, format="gbrp10le"))
        return cast("Image", self._to_bgr.reformat(self._graph.vpull(), format="bgr24").to_ndarray())

    def _new_graph(self, picture: VideoFrame) -> av.filter.Graph:
        table = tone_table(self.transfer, _LUT_SIZE)
        handle, name = tempfile.mkstemp(suffix=".cube")
        try:
            with os.fdopen(handle, "w") as file:
                file.write(f"LUT_3D_SIZE {_LUT_SIZE}\n")
                np.savetxt(file, table.reshape(-1, 3), fmt="%.5f")
            graph = av.filter.Graph()
            ends = [
                graph.add_buffer(
                    width=picture.width,
                    height=picture.height,
                    format=VideoFormat("gbrp10le"),
                    time_base=picture.time_base or Fraction(1, 1000),
                ),
                graph.add("lut3d", "file=" + Path(name).as_posix().replace(":", r"\:")),
                graph.add("format", "gbrp"),
                graph.add("buffersink"),
            ]
            graph.link_nodes(*ends).configure()
            return graph
        finally:
            Path(name).unlink(missing_ok=True)


def tone_table(transfer: int, size: int) -> Floats:
    """What each HDR colour becomes, ``(size, size, size, 3)`` R, G, B in 0..1; red changes fastest (.cube).

    Light is decoded (SMPTE ST 2084, or ARIB STD-B67 with the system gamma of a 1000 cd/m2 screen, ITU-R
    BT.2100), colours are brought from BT.2020 to BT.709, and the brightest of the three channels is
    compressed by the extended Reinhard curve, in which 1000 cd/m2 become the brightest white, times `_GAIN`,
    without which diffuse white would be half as bright as the screen can. The sRGB curve makes them ready for
    the screen.
    """
    axis = np.linspace(0, 1, size)
    blue, green, red = np.meshgrid(axis, axis, axis, indexing="ij")
    code = np.stack([red, green, blue], axis=-1)
    light = (_pq_light(code) if transfer == _PQ else _hlg_light(code)) / _SDR_WHITE
    light = np.maximum(light @ _BT2020_TO_BT709.T, 0)
    brightest = light.max(axis=-1, keepdims=True)
    white = _HDR_PEAK / _SDR_WHITE
    mapped = brightest * (1 + brightest / white**2) / (1 + brightest)
    light *= np.minimum(mapped * _GAIN, 1) / np.maximum(brightest, 1e-9)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-9) ** (1 / 2.4) - 0.055)


def _pq_light(code: Floats) -> Floats:
    """Light in cd/m2 of PQ code values in 0..1 (SMPTE ST 2084)."""
    m1, m2, c1, c2, c3 = 2610 / 16384, 2523 / 32, 3424 / 4096, 2413 / 128, 2392 / 128
    power = code ** (1 / m2)
    return 10_000 * (np.maximum(power - c1, 0) / (c2 - c3 * power)) ** (1 / m1)


def _hlg_light(code: Floats) -> Floats:
    """Light in cd/m2, on a screen of 1000, of HLG code values in 0..1 (ARIB STD-B67, ITU-R BT.2100)."""
    a = 0.17883277
    b, c = 1 - 4 * a, 0.5 - a * np.log(4 * a)
    scene = np.where(code <= 0.5, code**2 / 3, (np.exp((code - c) / a) + b) / 12)
    luminance = scene @ np.array([0.2627, 0.6780, 0.0593])
    return 1000 * np.maximum(luminance, 1e-9)[..., None] ** 0.2 * scene
