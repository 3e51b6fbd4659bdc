"""Collects the tracklet records of one source while its tracks come in."""

from __future__ import annotations

import itertools
import time as clock
import uuid
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from mot_reid import kernels
from mot_reid.boxes import areas, clip
from mot_reid.gallery.online import OnlineIdentities
from mot_reid.gallery.pictures import Picture, best_crops, cut, sharpness
from mot_reid.gallery.pooling import medoids, spread_choice, view_quality, weighted_mean
from mot_reid.gallery.records import Tracklet
from mot_reid.gallery.settings import RecorderSettings
from mot_reid.gallery.splitting import split_points
from mot_reid.gallery.track_memory import TrackMemory
from mot_reid.pixels import checked_frame
from mot_reid.structures import Tracks
from mot_reid.typing import Embeddings, Floats, Image, Indices, Ints

__all__ = ["RecorderSettings", "TrackletRecorder"]

EmbedCrops = Callable[[Sequence[Image]], Embeddings]
"""Embeds pictures of one person each: a list of ``(h, w, 3)`` uint8 BGR to ``(N, D)`` float32 unit rows."""
Describe = Callable[[Embeddings], Sequence[Mapping[str, float]]]
"""Attributes from embeddings ``(N, D)``: a mapping from name to probability for each."""


class TrackletRecorder:
    """Turns the tracks of one source, frame by frame, into tracklet records.

    Memory is bounded by the number of live tracks. Records leave when their track has ended, or goes on for
    very long; `close` writes those that are left. A context manager.

    Args:
        take: called with finished records; `mot_reid.gallery.gallery.Gallery.add`, say.
        camera: its name.
        source: the file, folder or address, without passwords.
        embed: embeds pictures, for tracks of which too few embeddings came; None: such tracks make do with
            what they have, and those that have none are left out (and counted).
        describe: attributes of embeddings; None where the embedder gives none.
        class_names: of class numbers.
        epoch: seconds since 1970 (UTC) at the source's start; NaN where nobody knows.
        settings: what is kept; the defaults where None.
        online: says who is who while the source runs; None where that is not wanted.

    Attributes:
        written: how many records were handed over.
        identities: of the last frame's tracks ``(N,)``, 0 where not known; None without ``online``.
        numbers: identity of each record by name, as it was known at the track's end.
        left_out: tracks without any embedding.

    Raises:
        TypeError, ValueError: the camera's or source's name is no text, or none in UTF-8.
    """

    def __init__(
        self,
        take: Callable[[list[Tracklet]], None],
        camera: str,
        source: str,
        *,
        embed: EmbedCrops | None = None,
        describe: Describe | None = None,
        class_names: Mapping[int, str] | None = None,
        epoch: float = float("nan"),
        settings: RecorderSettings | None = None,
        online: OnlineIdentities | None = None,
    ) -> None:
        for argument, text in (("camera", camera), ("source", source)):
            _require_text(argument, text)
        self.camera, self.source, self.epoch = camera, source, epoch
        self.settings = settings or RecorderSettings()
        self.run = uuid.uuid4().hex[:12]
        self.written = self.left_out = 0
        self.identities: Ints | None = None
        self.numbers: dict[str, int] = {}
        self._online = online
        self._take, self._embed, self._describe = take, embed, describe
        self._names = dict(class_names or {})
        self._tracks: dict[int, TrackMemory] = {}
        self._parts: dict[int, int] = {}  # of tracks that went on after a part of them was written
        self._time = -np.inf
        self._next_look = -np.inf
        self._closed = False
        self._ready: list[Tracklet] = []
        self._handed = clock.monotonic()

    def update(
        self,
        tracks: Tracks,
        image: NDArray[Any] | None,
        frame_number: int,
        time: float,
        embeddings: tuple[Indices, Embeddings] | None = None,
    ) -> None:
        """Takes in one frame.

        Args:
            tracks: of this frame, as `mot_reid.tracker.Tracker.update` gives them.
            image: ``(H, W, 3)`` uint8 BGR; None where there are no pixels: then no pictures are kept.
            frame_number: ascending, from 1.
            time: seconds from the source's start, ascending.
            embeddings: rows of the frame's detections ``(K,)`` and their embeddings ``(K, D)``, as
                `mot_reid.tracker.Tracker.last_embeddings` gives them; None where there are none.

        Raises:
            TypeError, ValueError: the image is no frame, time goes backwards, or the recorder is closed.
        """
        if self._closed:
            raise ValueError("update: the recorder is closed")
        if time < self._time:
            raise ValueError(f"time: expected at least {self._time:.3f} s as before, got {time:.3f}")
        picture = None if image is None else checked_frame(image)
        self._time = time
        self.identities = None if self._online is None else np.zeros(len(tracks), np.int64)
        if len(tracks):
            self._note(tracks, picture, frame_number, time, embeddings)
        if time >= self._next_look:  # who has left is not asked for in every frame
            self._next_look = time + 1.0
            self._retire(time)
            waited = clock.monotonic() - self._handed > self.settings.wait
            if len(self._ready) >= self.settings.batch or (self._ready and waited):
                self.flush()

    def close(self) -> None:
        """Writes the records of all tracks that are left; safe to call more than once."""
        if not self._closed:
            self._closed = True
            try:
                self._finish(list(self._tracks))
            finally:
                self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _note(
        self,
        tracks: Tracks,
        image: Image | None,
        frame_number: int,
        time: float,
        embeddings: tuple[Indices, Embeddings] | None,
    ) -> None:
        size = None if image is None else (image.shape[0], image.shape[1])
        boxes = tracks.xyxy.astype(np.float64)
        covered = kernels.covered_in_front(boxes, boxes)
        quality = view_quality(tracks.xyxy, tracks.scores, covered, tracks.id_confidence, size)
        places = _places(tracks.detection_index, embeddings)
        if size is not None:  # a box outside of the picture shows nobody
            places[areas(clip(boxes, size[1], size[0])) == 0] = -1
        if self._online is not None:
            self.identities = self._asked(self._online, tracks, time, embeddings, places, quality)
        columns = zip(
            tracks.ids.tolist(),
            tracks.xyxy.tolist(),
            tracks.classes.tolist(),
            tracks.detection_index.tolist(),
            tracks.id_confidence.tolist(),
            quality.tolist(),
            covered.tolist(),
            places.tolist(),
            strict=True,
        )
        for track_id, box, class_id, detection, sure, good, hidden, place in columns:
            track = self._tracks.get(track_id)
            if track is None:
                track = TrackMemory(class_id, self._parts.get(track_id, 0), first=(frame_number, time))
                self._tracks[track_id] = track
            track.crossed |= hidden > 0.3 or time - track.last[1] > 0.5
            track.last, track.confidence = (frame_number, time), min(track.confidence, sure)
            track.class_id = class_id  # the latest is the class that most of the evidence speaks for
            if track.boxes % track.thinned == 0:
                track.rows.append((frame_number, time, *box))
            track.boxes += 1
            if detection < 0:
                continue  # a predicted box shows whoever stands before
            if place >= 0 and embeddings is not None:
                track.offered += 1
            if place >= 0 and embeddings is not None and track.offered % track.skipped == 0:
                track.embeddings.append(embeddings[1][place].copy())  # not the whole frame's
                track.views.append((time, good, sure, track.crossed))
                track.crossed = False
            if image is not None and self.settings.crops:
                self._consider(track, image, box, frame_number, time, good)
            track.thin(self.settings.path, self.settings.most_views)

    def _asked(
        self,
        online: OnlineIdentities,
        tracks: Tracks,
        time: float,
        embeddings: tuple[Indices, Embeddings] | None,
        places: Indices,
        quality: Floats,
    ) -> Ints:
        rows = np.flatnonzero((places >= 0) & (tracks.detection_index >= 0))
        looks = np.zeros((0, 1), np.float32) if embeddings is None else embeddings[1][places[rows]]
        return online.observe(self.run, self.camera, time, tracks.ids, rows, looks, quality[rows])

    def _consider(
        self,
        track: TrackMemory,
        image: Image,
        box: list[float],
        frame_number: int,
        time: float,
        quality: float,
    ) -> None:
        """Keeps a picture if it may be among the best: at first a few, then better ones or later ones."""
        pictures, most = track.pictures, 2 * self.settings.crops
        if pictures:
            since = time - pictures[-1][0]
            if since < 0.2 or (since < 1.0 and quality < 1.1 * pictures[-1][2]):
                return
        if len(pictures) == most:
            times = np.array([entry[0] for entry in pictures] + [time])
            marks = np.array([entry[2] for entry in pictures] + [quality])
            kept = spread_choice(times, marks, most)
            if most not in kept:
                return
            pictures[:] = [pictures[place] for place in kept.tolist() if place < most]
        picture = cut(image, box, self.settings.crop_height)
        if picture is not None:
            pictures.append((time, frame_number, quality * sharpness(picture), picture))

    def _retire(self, time: float) -> None:
        ended: list[int] = []
        long: list[int] = []
        for track_id, track in self._tracks.items():
            if time - track.last[1] > self.settings.patience:
                ended.append(track_id)
            elif track.last[1] - track.first[1] > self.settings.longest:
                long.append(track_id)
        self._finish(ended + long)

    def _finish(self, ids: list[int]) -> None:
        """Makes the records of these tracks, also where embedding more pictures of them fails."""
        finished = [(track_id, self._tracks.pop(track_id)) for track_id in ids]
        try:
            self._complete([track for _, track in finished])
        finally:
            self._make_ready(finished)

    def _make_ready(self, finished: list[tuple[int, TrackMemory]]) -> None:
        for track_id, track in finished:
            if self._online is not None and self._closed_or_gone(track):
                self._online.finish(self.run, track_id)
            if not track.embeddings:
                self.left_out += 1
                continue
            parts = self._records(track_id, track)
            if self._online is not None:
                number = self._online.identity(self.run, track_id)
                self.numbers.update((part.record, number) for part in parts if number)
            self._parts.pop(track_id, None)  # it goes to the end: those written last are kept
            self._parts[track_id] = track.part + len(parts)
            self._ready += parts
        if len(self._parts) > 10_000:  # who was written long ago does not come back
            self._parts = dict(list(self._parts.items())[-5_000:])

    def _closed_or_gone(self, track: TrackMemory) -> bool:
        return self._closed or self._time - track.last[1] > self.settings.patience

    def flush(self) -> None:
        """Hands over the records of all tracks that have ended; where that fails, they wait for the next."""
        ready = self._ready
        self._handed = clock.monotonic()
        if ready:
            self._take(ready)
            self._ready = []
            self.written += len(ready)

    def _complete(self, tracks: list[TrackMemory]) -> None:
        """Embeds the pictures of tracks of which too few embeddings came, all in one batch."""
        if self._embed is None:
            return
        poor = [track for track in tracks if len(track.views) < self.settings.views and track.pictures]
        wanted = [(track, picture) for track in poor for picture in track.pictures]
        if not wanted:
            return
        found = self._embed([picture[3] for _, picture in wanted])
        for (track, (time, _, quality, _)), embedding in zip(wanted, found, strict=True):
            track.embeddings.append(embedding)
            track.views.append((time, quality, track.confidence, False))
        for track in poor:
            order = sorted(range(len(track.views)), key=lambda place: track.views[place][0])
            track.views = [track.views[place] for place in order]
            track.embeddings = [track.embeddings[place] for place in order]

    def _records(self, track_id: int, track: TrackMemory) -> list[Tracklet]:
        embeddings = np.stack(track.embeddings).astype(np.float32)
        times, quality, sure = (np.array([view[i] for view in track.views]) for i in range(3))
        cuts = np.zeros(0, np.intp)
        if self.settings.split is not None:
            crossed = np.array([view[3] for view in track.views], bool)
            cuts = split_points(embeddings, quality, sure, crossed, self.settings.split)
        bounds = [0, *cuts.tolist(), len(times)]
        # A cut lies half way between the views on its two sides.
        edges = [-np.inf, *((times[cut - 1] + times[cut]) / 2 for cut in cuts.tolist()), np.inf]
        rows = np.array(track.rows, np.float64)
        records = []
        for part, (first, last) in enumerate(itertools.pairwise(bounds)):
            inside = (rows[:, 1] > edges[part]) & (rows[:, 1] <= edges[part + 1])
            path = rows[inside] if inside.any() else rows[[int(np.abs(rows[:, 1] - times[first]).argmin())]]
            start = track.first if part == 0 else (int(path[0, 0]), float(path[0, 1]))
            end = track.last if part == len(bounds) - 2 else (int(path[-1, 0]), float(path[-1, 1]))
            pictures = [entry for entry in track.pictures if edges[part] < entry[0] <= edges[part + 1]]
            own = slice(first, last)
            records.append(
                self._record(
                    track_id,
                    track.part + part,
                    track.class_id,
                    (start, end),
                    path,
                    max(1, round(track.boxes * float(inside.mean()))),
                    (embeddings[own], quality[own], sure[own]),
                    pictures,
                )
            )
        return records

    def _record(
        self,
        track_id: int,
        part: int,
        class_id: int,
        span: tuple[tuple[int, float], tuple[int, float]],
        path: Floats,
        boxes: int,
        views: tuple[Embeddings, Floats, Floats],
        pictures: list[Picture],
    ) -> Tracklet:
        (first_frame, start), (last_frame, end) = span
        embeddings, quality, sure = views
        mean = weighted_mean(embeddings, quality)
        different = medoids(embeddings, quality, self.settings.medoids, self.settings.apart)
        kept = np.unique(np.linspace(0, len(path) - 1, min(len(path), self.settings.path)).astype(np.intp))
        attributes: Mapping[str, float] = {}
        if self._describe is not None:
            attributes = self._describe(mean[None])[0]
        return Tracklet(
            camera=self.camera,
            source=self.source,
            run=self.run,
            track_id=track_id,
            part=part,
            class_id=class_id,
            class_name=self._names.get(class_id, ""),
            first_frame=first_frame,
            last_frame=last_frame,
            start=start,
            end=max(start, end),
            epoch=self.epoch,
            path=path[kept].astype(np.float32),
            boxes=boxes,
            views=len(embeddings),
            quality=float(quality.mean()),
            confidence=float(sure.min()),
            mean=mean,
            medoids=embeddings[different],
            attributes=attributes,
            crops=best_crops(pictures, self.settings.crops),
        )


def _require_text(argument: str, text: object) -> None:
    """Refuses now what no gallery can keep: the first record is written when its track has ended."""
    if not isinstance(text, str):
        raise TypeError(f"{argument}: expected a text, got {type(text).__name__}")
    try:
        text.encode()
    except UnicodeEncodeError:  # bytes of a file's name, or of a terminal's, in another encoding
        raise ValueError(f"{argument}: {text!r} is no text in UTF-8") from None


def _places(detection_index: Ints, embeddings: tuple[Indices, Embeddings] | None) -> Indices:
    """The row of the embeddings that belongs to each track ``(N,)``, or -1."""
    places = np.full(len(detection_index), -1, np.intp)
    if embeddings is None or not len(embeddings[0]):
        return places
    rows = embeddings[0]
    lookup = np.full(int(max(rows.max(), detection_index.max())) + 2, -1, np.intp)
    lookup[rows] = np.arange(len(rows))
    return lookup[detection_index]  # -1 reads the last entry, which is -1
