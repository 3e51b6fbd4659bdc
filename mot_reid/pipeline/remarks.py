"""What a run that found nothing, or not all of what was given, has to say."""

from __future__ import annotations

from collections.abc import Mapping

from mot_reid.config import Config
from mot_reid.pipeline.summary import Summary
from mot_reid.structures import Detections
from mot_reid.wording import counted

__all__ = ["other_frames", "why_nothing"]

_MOST_NAMED = 5  # classes, where none that is wanted was found


def other_frames(
    summary: Summary, given: Mapping[int, Detections] | None, *, all_wanted: bool = True
) -> str | None:
    """Says so if given detections are of frames that the source does not have, or none was tracked.

    Detections of frames that are there, but were not wanted, are meant to be left out.

    Args:
        summary: of the run.
        given: its detections by frame number; None where a detector ran.
        all_wanted: whether all frames of the source were.
    """
    used = summary.detections_used
    if given is None or (used and (used == len(given) or not all_wanted)):
        return None
    those = f"they are of frames {min(given)} to {max(given)}" if given else "there are none in it"
    if not used:
        return f"no detection falls in the frames tracked; {those}"
    return (
        f"detections of {len(given) - used} of its {counted(len(given), 'frame')} fall outside of the "
        f"frames tracked; {those}, tracked were {summary.frames} up to {summary.last_frame}"
    )


def why_nothing(summary: Summary, config: Config) -> str | None:
    """Why a run has no track, and what to try; None where it has some, or nothing was to be found."""
    if summary.rows or not summary.frames or (not summary.found and summary.detections is not None):
        return None
    if not summary.found:
        wanted = " and no ".join(config.detector.classes)
        what = f"no {wanted}" if wanted else "nothing"
        text = (
            f"no track: the detector found {what} of score {config.detector.score:g} or more in "
            f"{counted(summary.frames, 'frame')}"
        )
        if not summary.other_classes:
            return f"{text}; --classes, --score and --image-size change what it looks for"
        others = summary.other_classes.most_common(_MOST_NAMED)
        named = ", ".join(f"{count} {name}" for name, count in others)
        return f"{text}, but {named}: --classes {others[0][0]}"
    return (
        f"no track from {counted(summary.found, 'detection')} in {counted(summary.frames, 'frame')}, "
        f"whose best score is {summary.best_score:.2f}: none was seen in enough frames one after the other; "
        "lower settings of association start tracks sooner (`mot-reid config` lists them)"
    )
