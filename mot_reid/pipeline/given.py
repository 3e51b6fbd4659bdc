"""Detections that are given: to which frames of the source they belong."""

from __future__ import annotations

from collections.abc import Mapping

from mot_reid.structures import Detections
from mot_reid.video.frames import Source

__all__ = ["matched_to_frames"]


def matched_to_frames(given: Mapping[int, Detections], source: Source) -> Mapping[int, Detections]:
    """Detections by the source's frame numbers.

    Pictures of a folder are frames 1, 2, 3 and so on, whatever their names; detections of ``000010.jpg``,
    ``000011.jpg`` and so on say 10 and 11. Where more of them fit the names than the order, or as many and
    the names begin behind 1, they belong to the pictures by name, and the source tells so.

    Args:
        given: detections by the number they were given with.
        source: a folder of pictures, or any other source, whose numbers are taken as they are.
    """
    by_name: Mapping[int, int] = getattr(source, "file_numbers", {})
    if source.info.kind != "images" or not by_name or not given:
        return given
    last = max(by_name.values())
    in_names = sum(number in by_name for number in given)
    in_order = sum(1 <= number <= last for number in given)
    first = min(by_name)
    if all(number == frame for number, frame in by_name.items()) or in_names < in_order:
        return given
    if in_names == in_order and first <= 1:
        return given
    source.tell(
        f"detections are matched to pictures by file name: those of {first} belong to frame {by_name[first]}"
    )
    return {by_name[number]: found for number, found in given.items() if number in by_name}
