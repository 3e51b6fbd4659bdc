"""What a user does, for as long as a program waits before it reports: run by ``test_nothing_leaves.py``."""

import sys
import time

from mot_reid import Tracker
from mot_reid.cli import main
from mot_reid.video import open_source

clip, output, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
start = time.monotonic()
for name, settings in {
    "onnx": ("--csv",),
    "torch": ("--set", "detector.runtime=torch", "--set", "embedder.runtime=torch"),
}.items():
    sys.argv = ["mot-reid", "track", clip, "-o", f"{output}/{name}", "--stop", "3", "-q", *settings]
    try:
        main()
    except SystemExit as ended:
        if ended.code:
            raise
tracker = Tracker()
with open_source(clip, stop=3) as source:
    for frame in source:
        tracker.update(frame.image)
while (left := seconds - (time.monotonic() - start)) > 0:
    time.sleep(min(left, 5))
    tracker.update(frame.image)
