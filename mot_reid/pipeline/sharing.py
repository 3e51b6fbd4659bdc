"""One detector and one embedder for several runs at the same time, with batches across them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from typing import Generic, TypeVar

import numpy as np

from mot_reid.appearance.base import Embedder, as_embedder
from mot_reid.detection.base import Detector, as_detector
from mot_reid.gallery.fingerprint import embedder_fingerprint
from mot_reid.structures import Detections
from mot_reid.typing import Boxes, Embeddings, Image

__all__ = ["Combiner", "SharedDetector", "SharedEmbedder"]

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class Combiner(Generic[Request, Answer]):
    """Lets several threads call a function that takes batches and is not made for threads.

    Calls come one at a time. Whoever's turn it is takes along what others have asked for meanwhile, so that
    batches form by themselves when the function is busy and nobody waits for one when it is not.

    Args:
        answer: gives an answer for each request, in their order.
        limit: most requests in a batch.
        kind: only requests of equal kind go into one batch.
    """

    def __init__(
        self,
        answer: Callable[[list[Request]], Sequence[Answer]],
        limit: int,
        kind: Callable[[Request], Hashable],
    ) -> None:
        self._answer, self._limit, self._kind = answer, limit, kind
        self._waiting: list[tuple[Request, Future[Answer]]] = []
        self._noting = threading.Lock()
        self._turn = threading.Lock()

    def __call__(self, requests: Sequence[Request]) -> list[Answer]:
        """The answers to all requests.

        Raises:
            Exception: what the function raises for one of them, asked for that one alone.
        """
        futures: list[Future[Answer]] = [Future() for _ in requests]
        with self._noting:
            self._waiting.extend(zip(requests, futures, strict=True))
        with self._turn:
            while not all(future.done() for future in futures):
                self._answer_batch(self._next_batch())
        return [future.result() for future in futures]

    def _next_batch(self) -> list[tuple[Request, Future[Answer]]]:
        """Takes those that have waited longest, of one kind."""
        with self._noting:
            kind = self._kind(self._waiting[0][0])
            batch = [entry for entry in self._waiting if self._kind(entry[0]) == kind][: self._limit]
            taken = {id(future) for _, future in batch}
            self._waiting = [entry for entry in self._waiting if id(entry[1]) not in taken]
        return batch

    def _answer_batch(self, batch: list[tuple[Request, Future[Answer]]]) -> None:
        try:
            answers = self._answer([request for request, _ in batch])
            if len(answers) != len(batch):
                raise ValueError(f"{len(answers)} answers to {len(batch)} requests")
            for (_, future), answer in zip(batch, answers, strict=True):
                future.set_result(answer)
        except BaseException as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            for entry in batch:  # the fault is one run's: the others shall not suffer
                if not entry[1].done():
                    self._answer_batch([entry])


class SharedDetector(Detector):
    """A detector that several runs use at the same time; frames of one size go into batches together.

    Args:
        detector: the one to share.
        runs: how many there will be.

    Attributes:
        name: the detector's.
        batch_size: the detector's.
        calls_at_once: each run's share of the calls that the detector takes at the same time.
    """

    def __init__(self, detector: Detector, runs: int) -> None:
        detector = as_detector(detector)
        self.name, self.class_names = detector.name, detector.class_names
        self.batch_size = detector.batch_size
        at_once = detector.calls_at_once
        self.calls_at_once = max(1, at_once // runs)
        self._detect: Callable[[Sequence[Image]], list[Detections]] = detector.detect
        if at_once <= 1:
            self._detect = Combiner(detector.detect, self.batch_size, lambda frame: frame.shape)

    def detect(self, frames: Sequence[Image]) -> list[Detections]:
        """See `Detector.detect`."""
        return self._detect(frames)


class SharedEmbedder(Embedder):
    """An embedder that several runs use at the same time; people of several runs go into one batch.

    Args:
        embedder: the one to share.

    Attributes:
        name: the embedder's.
        frames_at_once: the embedder's.
    """

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder = as_embedder(embedder)
        self.name, self.frames_at_once = embedder.name, embedder.frames_at_once
        self._direct = embedder.calls_at_once > 1
        self._embed = Combiner(self._of_pairs, self.frames_at_once, lambda pair: pair[0].shape)

    @property
    def fingerprint(self) -> str:
        """The embedder's own: what it embeds can be compared with what this does."""
        return embedder_fingerprint(self._embedder)[1]

    def embed(self, frame: Image, xyxy: Boxes) -> Embeddings:
        """See `Embedder.embed`."""
        if self._direct:
            return np.asarray(self._embedder.embed(frame, xyxy))
        return self._embed([(frame, xyxy)])[0]

    def embed_batch(self, frames: Sequence[Image], xyxy: Sequence[Boxes]) -> list[Embeddings]:
        """See `Embedder.embed_batch`."""
        return self._embed(list(zip(frames, xyxy, strict=True)))

    def _of_pairs(self, pairs: list[tuple[Image, Boxes]]) -> Sequence[Embeddings]:
        if self.frames_at_once == 1:
            return [self._embedder.embed(frame, xyxy) for frame, xyxy in pairs]
        frames, xyxy = zip(*pairs, strict=True)
        return list(self._embedder.embed_batch(frames, xyxy))
