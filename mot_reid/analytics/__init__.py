"""Counting and timing tracks: lines, zones, queues, heat maps, speeds. Arrays in, arrays and events out.

`Analytics` does all of it for one camera, frame by frame or over finished tracks::

    scene = scene_from_mapping({"lines": {"door": {"from": [100, 300], "to": [220, 300]}}})
    analytics, events = analyse(scene, Observations.from_arrays(frames, times, ids, xyxy))
    print(analytics.summary()["lines"])

Nothing here reads or writes files.
"""

from mot_reid.analytics.engine import Analytics, analyse
from mot_reid.analytics.events import Event
from mot_reid.analytics.observations import Observations
from mot_reid.analytics.reading import scene_from_mapping
from mot_reid.analytics.scene import Ground, Line, Queue, Scene, Zone

__all__ = [
    "Analytics",
    "Event",
    "Ground",
    "Line",
    "Observations",
    "Queue",
    "Scene",
    "Zone",
    "analyse",
    "scene_from_mapping",
]
