"""Where labelled crops lie: the folders of the public sets, and any folder whose file names say who it is."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from mot_reid.training.reid.crops import CropSet
from mot_reid.typing import Crops, Ints, Mask
from mot_reid.video.frames import SourceError
from mot_reid.video.pictures import read_picture

__all__ = [
    "PARTS",
    "PATTERNS",
    "CropFiles",
    "list_crops",
    "list_parts",
    "list_unlabelled",
    "read_crops",
    "read_pictures",
]

PATTERNS = {
    "market1501": r"(?P<identity>-1|\d+)_c(?P<camera>\d+)s\d+_\d+_\d+",  # 0002_c1s1_000451_03
    "dukemtmc": r"(?P<identity>\d+)_c(?P<camera>\d+)_f\d+",  # 0001_c2_f0046182
    "cuhk03": r"(?P<identity>\d+)_c(?P<camera>\d+)_\d+",  # 0003_c1_21: CUHK03-NP, arXiv:1701.08398
    "cuhk03-pairs": r"(?P<identity>\d_\d{3})_(?P<camera>\d)_\d+",  # 1_001_2_06: pair_person_view_picture
    "msmt17": r"(?P<identity>\d+)_\d+_(?P<camera>\d+)_.+",  # 0000_002_01_0303morning_0015_1
}
"""How the public sets name their files, without the suffix."""

PARTS = {
    "train": ("bounding_box_train", ("list_train.txt", "list_val.txt"), ("train", "mask_train_v2")),
    "query": ("query", ("list_query.txt",), ("test", "mask_test_v2")),
    "gallery": ("bounding_box_test", ("list_gallery.txt",), ("test", "mask_test_v2")),
}
"""Of each part: its folder in Market-1501's layout; its lists and their pictures' folders in MSMT17's."""

_FOLDERS = r"(?P<identity>[^/]+)/(?P<camera>\d+)_.+"
_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp")


@dataclass(frozen=True)
class CropFiles:
    """Files of crops with labels.

    Attributes:
        paths: of the pictures.
        identities: (N,) int64; -1 is junk and 0 a distractor, as in Market-1501.
        cameras: (N,) int64.
    """

    paths: tuple[Path, ...]
    identities: Ints
    cameras: Ints

    def select(self, rows: Mask) -> CropFiles:
        """Some of the files."""
        paths = tuple(path for path, wanted in zip(self.paths, rows, strict=True) if wanted)
        return CropFiles(paths, self.identities[rows], self.cameras[rows])


def list_crops(folder: Path | str, part: str = "train", pattern: str | None = None) -> CropFiles:
    r"""Find the crops of one part of a data set.

    Understood are Market-1501's layout (`bounding_box_train`, `query`, `bounding_box_test`; CUHK03-NP has it
    below `labeled` and `detected`, DukeMTMC-reID too), MSMT17's (`list_train.txt` and its kin), and for
    training a plain folder of pictures, such as `images_labeled` of CUHK03.

    Args:
        folder: of the data set, or the pictures themselves.
        part: `train`, `query` or `gallery`.
        pattern: regular expression for whole file names without their suffix, with the groups `identity` and
            `camera`, such as `(?P<identity>\d+)_(?P<camera>\d+)_(?P<frame>\d+)`; with a slash in it, for
            whole paths below the folder, such as `(?P<identity>[^/]+)/(?P<camera>\d+)_.+`. Labels that are
            no numbers are numbered from 1 in their order. By default the first of `PATTERNS`
            that fits the first file.

    Returns:
        The files in the order of their paths (MSMT17: of its lists); junk only outside of `train`.

    Raises:
        FileNotFoundError: the folder, or a file that a list names, does not exist.
        ValueError: the part is empty, or a file's name does not fit; it is named.
    """
    return list_parts(folder, (part,), pattern)[0]


def list_parts(folder: Path | str, parts: Sequence[str], pattern: str | None = None) -> list[CropFiles]:
    """As `list_crops`, of several parts: a label that is no number has the same number in all of them."""
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    for part in parts:
        if part not in PARTS:
            raise ValueError(f"part must be one of {', '.join(PARTS)}; got {part!r}")
    found = [_find(folder, part, pattern) for part in parts]
    counts = [len(labelled.paths) for labelled in found]
    numbers = (
        np.split(_numbers([label for labels in column for label in labels]), np.cumsum(counts)[:-1])
        for column in ([one.identities for one in found], [one.cameras for one in found])
    )
    files = [CropFiles(one.paths, *labels) for one, *labels in zip(found, *numbers, strict=True)]
    return [
        one if part != "train" else one.select(one.identities >= 0)
        for part, one in zip(parts, files, strict=True)
    ]


class _Labelled(NamedTuple):
    """Files of crops with the texts of their labels."""

    paths: tuple[Path, ...]
    identities: list[str]
    cameras: list[str]


def _find(folder: Path, part: str, pattern: str | None) -> _Labelled:
    if pattern is None and (lists := _msmt17_lists(folder, part)):
        return _read_lists(*lists)
    place = folder / PARTS[part][0]
    if not place.is_dir():
        if part != "train":
            raise ValueError(f"{folder}: no folder {PARTS[part][0]} with the {part} crops")
        place = folder
    paths = list_unlabelled(place, recursive=pattern is not None)
    return _labelled(paths, _expression(pattern) if pattern is not None else _known(paths[0]), place)


def list_unlabelled(folder: Path | str, recursive: bool = True) -> tuple[Path, ...]:
    """The pictures in a folder, by name.

    Raises:
        FileNotFoundError: there is no such folder.
        ValueError: it holds no pictures.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"no such folder: {folder}")
    entries = folder.rglob("*") if recursive else folder.iterdir()
    paths = tuple(sorted(path for path in entries if path.suffix.lower() in _SUFFIXES))
    if not paths:
        inside = sorted(path.name for path in folder.iterdir() if path.is_dir())
        hint = f"; it has the folders {', '.join(inside[:5])}" if inside else ""
        hint += rf"; where each is a person: pattern '{_FOLDERS}', say" if len(inside) > 1 else ""
        raise ValueError(f"{folder}: no .jpg or .png files{hint}")
    return paths


def _expression(pattern: str) -> re.Pattern[str]:
    try:
        expression = re.compile(pattern)
    except re.error as error:
        raise ValueError(f"pattern {pattern!r} is not a regular expression: {error}") from None
    if missing := {"identity", "camera"} - set(expression.groupindex):
        raise ValueError(f"pattern {pattern!r} has no group (?P<{min(missing)}>...)")
    return expression


def _known(path: Path) -> re.Pattern[str]:
    for pattern in PATTERNS.values():
        if re.fullmatch(pattern, path.stem):
            return re.compile(pattern)
    raise ValueError(
        f"{path}: not named as in {', '.join(PATTERNS)}; say how with a pattern, such as "
        r"(?P<identity>\d+)_(?P<camera>\d+)_(?P<frame>\d+)"
    )


def _labelled(paths: Sequence[Path], expression: re.Pattern[str], place: Path) -> _Labelled:
    identities, cameras = [], []
    for path in paths:
        below = path.relative_to(place).with_suffix("").as_posix()
        match = expression.fullmatch(below if "/" in expression.pattern else path.stem)
        if match is None:
            raise ValueError(f"{path}: its name does not fit {expression.pattern}")
        identities.append(match["identity"])
        cameras.append(match["camera"])
    return _Labelled(tuple(paths), identities, cameras)


def _numbers(labels: Sequence[str]) -> Ints:
    """Labels that are numbers as they are, others numbered in their order."""
    if all(re.fullmatch(r"-?\d{1,18}", label) for label in labels):  # longer ones, such as dates, are names
        return np.array([int(label) for label in labels], np.int64)
    return np.unique(np.array(labels), return_inverse=True)[1].astype(np.int64) + 1


def _msmt17_lists(folder: Path, part: str) -> tuple[list[Path], Path] | None:
    """The lists of a part and the folder of its pictures, if this is MSMT17."""
    _, names, folders = PARTS[part]
    for root in (folder, *sorted(folder.glob("MSMT17_V*"))):
        lists = [root / name for name in names if (root / name).is_file()]
        if lists:
            pictures = next((root / name for name in folders if (root / name).is_dir()), None)
            if pictures is None:
                raise FileNotFoundError(f"{root}: no folder {' or '.join(folders)} with the pictures")
            return lists, pictures
    return None


def _read_lists(lists: Sequence[Path], pictures: Path) -> _Labelled:
    paths, identities, cameras = [], [], []
    expression = re.compile(PATTERNS["msmt17"])
    for file in lists:
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            name, _, identity = line.strip().rpartition(" ")
            match = expression.fullmatch(Path(name).stem)
            if match is None or not identity.isdecimal():
                raise ValueError(
                    f"{file}:{number}: expected PPPP/PPPP_NNN_CC_....jpg and an identity; got {line!r}"
                )
            if not (pictures / name).is_file():
                raise FileNotFoundError(f"{file}:{number}: no such picture: {pictures / name}")
            paths.append(pictures / name)
            identities.append(identity)
            cameras.append(match["camera"])
    if not paths:
        raise ValueError(f"{lists[0]}: an empty list")
    return _Labelled(tuple(paths), identities, cameras)


def read_crops(
    files: CropFiles, size: tuple[int, int], on_read: Callable[[int], None] | None = None
) -> CropSet:
    """Read labelled crops into memory; see `read_pictures`."""
    return CropSet(read_pictures(files.paths, size, on_read), files.identities, files.cameras)


def read_pictures(
    paths: Sequence[Path], size: tuple[int, int], on_read: Callable[[int], None] | None = None
) -> Crops:
    """Read pictures into one array.

    Args:
        paths: of the pictures.
        size: (h, w) in pixels to resize each to, bilinearly, as the tracker does with its crops.
        on_read: called with how many have been read, now and then.

    Returns:
        (N, h, w, 3) uint8, RGB.

    Raises:
        ValueError: a file is not a readable picture, or not all of one; it is named.
    """
    import cv2

    images = np.empty((len(paths), *size, 3), np.uint8)
    for row, path in enumerate(paths):
        try:
            picture = read_picture(path)
        except SourceError as error:
            raise ValueError(str(error)) from None
        images[row] = cv2.resize(picture, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)[..., ::-1]
        if on_read is not None and (row % 256 == 255 or row == len(paths) - 1):
            on_read(row + 1)
    return images
