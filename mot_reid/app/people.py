"""Who was seen, over all runs: tracks joined to people by their names and by a gallery's identities."""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from mot_reid.app.owners import RunCorrections, rows_of
from mot_reid.app.renewing import renew
from mot_reid.app.runs import Run, folder_names
from mot_reid.gallery.finding import record_attributes
from mot_reid.gallery.gallery import Gallery
from mot_reid.gallery.store import RecordTable

__all__ = ["People"]

_Tracks: TypeAlias = list[tuple[int, int, list[list[int]]]]
"""Places of runs, ids there, and stretches of frames."""
_LIKELY = 0.5  # least probability of an attribute that is told
_MOST_TOLD = 6  # attributes of a person
_WITHOUT = {"no", "none", "without"}
_COLOURS = {"upper_colour": "top", "lower_colour": "trousers"}
_WORDS = {
    "lower_length=short": "short trousers",
    "lower_type=dress": "dress",
    "hair=long": "long hair",
    "backpack=yes": "backpack",
    "bag=yes": "bag",
}
_UNTOLD = {word.partition("=")[0] for word in _WORDS} | {"age", "gender", "hat", "handbag", "sleeve"}
"""Of whose other values the shipped heads know little, or say what most are: see weights/README.md."""
_MOST = 20_000  # people in one answer


@dataclass
class _Known:
    """What the gallery knows of a run's corrected tracks.

    Attributes:
        identity: votes by track and identity: boxes.
        records: rows of the gallery's table by track, with how many boxes each has.
        epoch: seconds since 1970 at the source's start, or NaN.
    """

    identity: dict[int, dict[int, int]] = field(default_factory=dict)
    records: dict[int, list[tuple[int, int]]] = field(default_factory=dict)
    epoch: float = float("nan")


class People:
    """The people of all runs; safe to ask from several threads.

    Args:
        runs: those shown.
        gallery: that remembers their tracks, though it may still have to be made; None where there is none:
            then names alone join runs.

    Attributes:
        gallery: as above.
        lock: held by whoever asks this gallery, which counts its rows anew at each look.
    """

    def __init__(self, runs: Sequence[Run], gallery: Gallery | None = None) -> None:
        self._all, self.gallery = runs, gallery
        self.runs: Sequence[Run] = ()  # those that can be read
        self._names: list[str] = []  # of these; with their folders where sources are called alike
        self._left_out: list[str] = []  # what keeps the others from it
        self.lock = threading.Lock()
        self._table = RecordTable.empty()  # whose rows `_known` counts
        self._attributes: dict[str, Mapping[str, float]] = {}  # by record's name: rows move when some go

    def found(self) -> dict[str, Any]:
        """Everybody, with where and when: cameras, and people with their stretches of time."""
        with self.lock:
            self._look()
            known, numbers = self._known()
            told, elsewhere = self._told_attributes(known), self._elsewhere(known, numbers)
            return self._found(known, told, elsewhere)

    def _look(self) -> None:
        """Finds out which runs can be read: one may still be going on."""
        for run in self._all:
            renew(run)
        problems = [run.problem() for run in self._all]
        self.runs = [run for run, problem in zip(self._all, problems, strict=True) if problem is None]
        called = Counter(run.name for run in self.runs)
        self._names = [
            run.name if called[run.name] == 1 else f"{run.name} ({folder})"
            for run, folder in zip(self.runs, folder_names(self.runs), strict=True)
        ]
        self._left_out = [problem for problem in problems if problem is not None]

    def _found(
        self,
        known: Sequence[_Known],
        told: Mapping[int, Mapping[str, float]],
        elsewhere: Mapping[int, Sequence[str]],
    ) -> dict[str, Any]:
        epochs = np.array([entry.epoch for entry in known])
        clocks = len(epochs) > 0 and bool(np.isfinite(epochs).all())
        offsets = epochs - epochs.min() if clocks else np.zeros(len(epochs))
        people = [
            self._person(number, name, tracks, known, offsets.tolist(), told)
            | {"records": self._records(tracks, known, elsewhere)}
            for (number, name), tracks in self._groups(known).items()
        ]
        people.sort(key=lambda person: person["spans"][0]["from"])
        cameras = [
            {"run": run.key, "name": name, "fps": run.fps, "frames": run.frames(), "offset": offset}
            for run, name, offset in zip(self.runs, self._names, offsets.round(3).tolist(), strict=True)
        ]
        return {
            "cameras": cameras,
            "clocks": clocks,
            "people": people[:_MOST],
            "people_in_all": len(people),
            "described": any(told.values()),
            "left_out": self._left_out,
            "identified": any(entry.identity for entry in known),
        }

    def _person(
        self,
        number: int,
        name: str,
        tracks: _Tracks,
        known: Sequence[_Known],
        offsets: list[float],
        told: Mapping[int, Mapping[str, float]],
    ) -> dict[str, Any]:
        spans = [
            {
                "camera": place,
                "run": self.runs[place].key,
                "track": track,
                "first": first,
                "last": last,
                "from": round(offsets[place] + (first - 1) / self.runs[place].fps, 3),
                "to": round(offsets[place] + last / self.runs[place].fps, 3),
            }
            for place, track, stretches in tracks
            for first, last in stretches
        ]
        records = [entry for place, track, _ in tracks for entry in known[place].records.get(track, [])]
        words: dict[str, float] = {}
        for row, boxes in records:
            for word, value in told.get(row, {}).items():
                if (told_so := _told_so(word)) and not _WITHOUT.intersection(told_so.split()):
                    words[told_so] = words.get(told_so, 0.0) + value * boxes
        total = sum(boxes for _, boxes in records)
        likely = sorted(((value, word) for word, value in words.items() if value >= _LIKELY * total))
        first_place, first_track, _ = tracks[0]
        several = f"{self._names[first_place]}:" if len(self.runs) > 1 else "id "
        return {
            "label": name or (f"person {number}" if number > 0 else f"{several}{first_track}"),
            "named": bool(name),
            "identity": max(number, 0),
            "spans": sorted(spans, key=lambda span: (span["from"], span["camera"])),
            "seconds": round(sum(float(str(span["to"])) - float(str(span["from"])) for span in spans), 2),
            "attributes": [word for _, word in likely[::-1][:_MOST_TOLD]],
        }

    def fits(self, text: str) -> dict[str, Any]:
        """How well each track fits a description, by what the gallery knows of it.

        Raises:
            ValueError: there is no gallery, it knows no attributes, or none is called so.
        """
        if self.gallery is None:
            raise ValueError("what people look like is known of a gallery alone: serve ... --gallery GALLERY")
        with self.lock:
            self._look()
            table = self.gallery.table()
            hits = self.gallery.describe(text, len(table))
            probability = np.zeros(len(table))
            for hit in hits:
                probability[hit.row] = hit.probability
            found = []
            for run, known in zip(self.runs, self._known()[0], strict=True):
                for track, records in known.records.items():
                    weight = sum(boxes for _, boxes in records)
                    mean = sum(probability[row] * boxes for row, boxes in records) / max(weight, 1)
                    found.append({"run": run.key, "track": track, "probability": round(float(mean), 4)})
        return {"tracks": sorted(found, key=lambda entry: -float(str(entry["probability"])))}

    def identify(self) -> dict[str, Any]:
        """Joins the gallery's tracklets anew, and obeys what was corrected here.

        Raises:
            ValueError: there is no gallery.
        """
        if self.gallery is None:
            raise ValueError("there is no gallery: serve ... --gallery GALLERY")
        with self.lock:
            table = self.gallery.table()
            said: dict[str, RunCorrections] = {}
            for run in self._all:  # also one that cannot be read: what was corrected there shall stay
                mine = rows_of(table, run)
                if run.applied and len(mine):
                    said |= dict.fromkeys(map(str, table.run[mine]), RunCorrections(run))
            self.gallery.identify(corrected=said)
        return self.found()

    def _records(
        self, tracks: _Tracks, known: Sequence[_Known], elsewhere: Mapping[int, Sequence[str]]
    ) -> list[str]:
        """Names of all that the gallery has of somebody, also of what is not shown here."""
        names, numbers = set(), set()
        for place, track, _ in tracks:
            names |= {str(self._table.record[row]) for row, _ in known[place].records.get(track, [])}
            numbers.add(_most(known[place].identity.get(track, {})))
        return sorted(names.union(*(elsewhere.get(number, ()) for number in numbers)))

    def _elsewhere(self, known: Sequence[_Known], numbers: Mapping[str, int]) -> dict[int, list[str]]:
        """By identity, the records of tracks that are not shown here."""
        here = {row for one in known for records in one.records.values() for row, _ in records}
        shown = {str(self._table.record[row]) for row in here}
        found: dict[int, list[str]] = {}
        for part, number in numbers.items():
            if (name := part.partition("#")[0]) not in shown:
                found.setdefault(number, []).append(name)
        return found

    def _known(self) -> tuple[list[_Known], dict[str, int]]:
        """What the gallery knows of each run, and the numbers of all its records."""
        if self.gallery is None or not self.gallery.exists():
            self._table = RecordTable.empty()
            return [_Known() for _ in self.runs], {}
        table, numbers = self.gallery.table(), self.gallery.identities()
        self._table, found = table, []
        for run in self.runs:
            known = _Known()
            mine = rows_of(table, run)
            said = RunCorrections(run) if run.applied and len(mine) else None
            for row in mine.tolist():
                known.epoch = float(table.epoch[row])
                track = int(table.track_id[row])
                first, last = int(table.first_frame[row]), int(table.last_frame[row])
                name, boxes = str(table.record[row]), int(table.boxes[row])
                parts = [(track, first, boxes)]
                if said is not None:
                    parts = [(part.id, part.first, part.boxes) for part in said.parts(track, first, last)]
                for owner, start, count in parts:
                    known.records.setdefault(owner, []).append((row, count))
                    number = numbers.get(f"{name}#{owner}@{start}", numbers.get(name))
                    if number is not None:
                        votes = known.identity.setdefault(owner, {})
                        votes[number] = votes.get(number, 0) + count
            found.append(known)
        return found, numbers

    def _told_attributes(self, known: Sequence[_Known]) -> Mapping[int, Mapping[str, float]]:
        """Attributes by row of the gallery's table, of the records of these runs."""
        if self.gallery is None or not self.gallery.exists():
            return {}
        entries = [entry for one in known for records in one.records.values() for entry in records]
        rows, table = sorted({row for row, _ in entries}), self._table
        names = {row: str(table.record[row]) for row in rows}
        new = [row for row, name in names.items() if name not in self._attributes]
        if new:
            found = record_attributes(self.gallery.store, table, np.array(new, np.intp))
            self._attributes.update((names[row], entry) for row, entry in zip(new, found, strict=True))
        self._attributes = {name: self._attributes[name] for name in names.values()}  # others were forgotten
        return {row: self._attributes[name] for row, name in names.items()}

    def _groups(self, known: Sequence[_Known]) -> dict[tuple[int, str], _Tracks]:
        """Tracks of each person, by identity and name; a track of nobody known is a person of its own."""
        groups: dict[tuple[int, str], _Tracks] = {}
        named: dict[int, str] = {}  # identities that somebody of them was given a name for
        lanes = [run.columns.lanes() for run in self.runs]
        for place, run in enumerate(self.runs):
            for track, name in run.names.items():
                number = _most(known[place].identity.get(track, {}))
                if number:
                    named.setdefault(number, name)
        alone = 0
        for place, run in enumerate(self.runs):
            for lane in lanes[place]:
                track = lane["id"]
                number = _most(known[place].identity.get(track, {}))
                name = run.names.get(track) or named.get(number, "")
                key = (0, name) if name else (number, "")
                if key == (0, ""):
                    alone -= 1
                    key = (alone, "")
                groups.setdefault(key, []).append((place, track, lane["spans"]))
        return groups


def _told_so(attribute: str) -> str:
    """How an attribute is told: in words that can be searched for; not at all where they would say little."""
    kind, _, value = attribute.partition("=")
    if kind in _COLOURS:
        return f"{value} {_COLOURS[kind]}"
    if attribute in _WORDS or kind in _UNTOLD:
        return _WORDS.get(attribute, "")
    return " ".join(re.split(r"[\s_=:-]+", attribute))


def _most(votes: dict[int, int]) -> int:
    return max(votes, key=lambda number: (votes[number], -number)) if votes else 0
