"""Reads what is known of cameras: ways between them, and where their pictures lie on the ground."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from mot_reid.gallery.constraints import Travel, TravelTimes
from mot_reid.yaml_text import read_yaml_file

__all__ = ["read_cameras"]


def read_cameras(path: Path, synchronised: bool = False, tolerance: float = 2.0) -> TravelTimes:
    """Reads a file of what is known of cameras.

    ::

        travel:
          - {between: [door, yard], least: 10}     # seconds; nobody is faster
          - {between: [door, hall], overlap: true} # one place is in both pictures
        ground:                                    # from pixels to metres on one ground, row by row
          door: [[0.01, 0, -3], [0, 0.02, -4], [0, 0.001, 1]]
          hall: [[0.02, 0, -5], [0, 0.03, -2], [0, 0.002, 1]]
        apart: 1.5                                 # metres; who stands further apart is two people
        groups:                                    # nobody is in cameras of two groups
          north: [door, hall]
          south: [yard]

    Each part may be left out, but not ``travel``, ``ground`` and ``groups`` all.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is broken; the message names it and the entry.
    """
    try:
        values: Any = read_yaml_file(path)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if not isinstance(values, dict) or not {"travel", "ground", "groups"} & values.keys():
        raise ValueError(
            f"{path}: expected a list under travel, homographies under ground, or cameras under groups"
        )
    if unknown := sorted(map(str, values.keys() - {"travel", "ground", "apart", "groups"})):
        raise ValueError(f"{path}: {unknown[0]}: expected travel, ground, apart and groups only")
    apart = values.get("apart", TravelTimes().apart)
    if isinstance(apart, bool) or not isinstance(apart, int | float) or not apart > 0:
        raise ValueError(f"{path}: apart: expected metres, got {str(apart)[:100]}")
    return TravelTimes(
        _travel(path, values.get("travel", [])),
        synchronised,
        tolerance,
        _ground(path, values.get("ground", {})),
        float(apart),
        _groups(path, values.get("groups", {})),
    )


def _travel(path: Path, entries: Any) -> dict[tuple[str, str], Travel]:
    if not isinstance(entries, list):
        raise ValueError(f"{path}: expected a list under travel")
    between: dict[tuple[str, str], Travel] = {}
    for number, entry in enumerate(entries, start=1):
        try:
            first, second = sorted(map(str, entry["between"]))
            rest = {key: value for key, value in entry.items() if key != "between"}
            travel = replace(Travel(), **rest)
            if not 0 <= float(travel.least) < float("inf"):
                raise ValueError("least: expected seconds")
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"{path}: travel, entry {number}: {str(entry)[:200]} ({error})") from None
        between[(first, second)] = travel
    return between


def _ground(path: Path, entries: Any) -> dict[str, Any]:
    if not isinstance(entries, dict):
        raise ValueError(f"{path}: expected cameras under ground")
    found = {}
    for camera, rows in entries.items():
        try:
            matrix = np.array(rows, np.float64)
        except (TypeError, ValueError):
            matrix = np.zeros(0)
        regular = matrix.shape == (3, 3) and np.isfinite(matrix).all()
        if not regular or abs(float(np.linalg.det(matrix))) < 1e-12 * float(np.abs(matrix).max()) ** 3:
            raise ValueError(f"{path}: ground, {camera}: expected 3 x 3 numbers that can be inverted")
        found[str(camera)] = matrix
    return found


def _groups(path: Path, entries: Any) -> dict[str, str]:
    if not isinstance(entries, dict):
        raise ValueError(f"{path}: expected lists of cameras under groups")
    group_of: dict[str, str] = {}
    for name, cameras in entries.items():
        if not isinstance(cameras, list):
            raise ValueError(f"{path}: groups, {name}: expected a list of cameras, got {str(cameras)[:100]}")
        for camera in map(str, cameras):
            if group_of.setdefault(camera, str(name)) != str(name):
                raise ValueError(f"{path}: groups: {camera} is in {group_of[camera]} and in {name}")
    return group_of
