"""What every contender's process does: load once, then track folders of pictures as it is told, timing each.

It needs nothing but Python, for it runs in the peers' own environments too.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import Any

__all__ = ["Run", "serve"]

Run = Callable[[str], dict[str, Any]]
"""Tracks a folder of pictures; gives ``frames``, ``rows``, and its own ``seconds`` and ``cpu`` if it must."""


def serve(load: Callable[[dict[str, Any]], tuple[str, Run]]) -> None:
    """Answers each folder named on stdin with a line of JSON on stdout.

    Args:
        load: takes the settings, JSON on the command line; gives the version and what tracks.
    """
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # whatever the packages print is no answer

    def answer(content: dict[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")

    try:
        version, run = load(json.loads(sys.argv[1]))
    except Exception as error:
        answer({"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"})
        return
    answer({"ready": version})
    for line in sys.stdin:
        start, cpu = time.perf_counter(), time.process_time()
        try:
            done = run(json.loads(line))
        except Exception as error:
            answer({"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"})
            continue
        answer({"seconds": time.perf_counter() - start, "cpu": time.process_time() - cpu} | done)
