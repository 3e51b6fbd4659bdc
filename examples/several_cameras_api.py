"""A web service: several cameras post their frames, one detector and embedder serve them all.

    pip install fastapi uvicorn
    uvicorn examples.several_cameras_api:app --host 127.0.0.1
    curl --data-binary @frame.jpg http://127.0.0.1:8000/cameras/door/frames

Each camera has a tracker of its own, made at its first frame; ids belong to the camera.
"""

import threading
import time
from typing import Any

import cv2
import numpy as np
from fastapi import FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from mot_reid import Tracker

app = FastAPI(title="mot_reid")
models = Tracker()  # its detector and embedder are everybody's
trackers: dict[str, Tracker] = {}
locks: dict[str, threading.Lock] = {}
start = time.monotonic()


def track(camera: str, image: np.ndarray) -> list[dict[str, Any]]:
    """Tracks one frame ``(H, W, 3)`` BGR of a camera; frames of one camera take turns."""
    with locks.setdefault(camera, threading.Lock()):
        if camera not in trackers:
            trackers[camera] = Tracker(models.detector, models.embedder, config=models.config)
        tracks = trackers[camera].update(image, time=time.monotonic() - start)
    return [
        {"id": row.id, "xyxy": [round(edge, 1) for edge in row.xyxy], "score": round(row.score, 3)}
        for row in tracks
    ]


@app.post("/cameras/{camera}/frames")
async def frame(camera: str, request: Request) -> list[dict[str, Any]]:
    """Takes a JPEG or PNG as the body and gives the tracks in it."""
    image = cv2.imdecode(np.frombuffer(await request.body(), np.uint8), cv2.IMREAD_COLOR)
    if image is None:
        raise HTTPException(415, "the body is no picture that can be read")
    try:
        return await run_in_threadpool(track, camera, image)  # other cameras go on meanwhile
    except ValueError as error:  # such as a picture of another size than before
        raise HTTPException(422, str(error)) from None


@app.delete("/cameras/{camera}")
def forget(camera: str) -> None:
    """Forgets a camera and everybody in it."""
    trackers.pop(camera, None)
