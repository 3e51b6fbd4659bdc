"""A real Ray cluster of several node processes: calls, failures, dead workers, nodes that go and come."""

import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mot_reid.cluster.engines import RayEngine, Report

ray = pytest.importorskip("ray", reason="needs Ray: pip install 'mot_reid[cluster]'")
sys.path.insert(0, str(Path(__file__).parent))
import worker_calls as calls  # noqa: E402


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    here = str(Path(__file__).parent)
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join([here, str(Path(__file__).parents[2]), before or ""])
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False})
    made.add_node(num_cpus=1)
    made.wait_for_nodes()
    yield made
    made.shutdown()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


def collect(engine: RayEngine, count: int) -> dict[Any, Report]:
    found: dict[Any, Report] = {}
    until = time.monotonic() + 200
    while len(found) < count and time.monotonic() < until:
        found.update(engine.reports(timeout=1))
    return found


def test_calls_failures_dead_workers_and_lost_nodes(cluster: Any, tmp_path: Path) -> None:
    with RayEngine(cluster.address) as engine:
        assert engine.room == 2
        engine.submit("good", calls.double, 21)
        engine.submit("bad", calls.fail, "no such thing")
        engine.submit("dies", calls.die)
        found = collect(engine, 3)
        assert found["good"].value == 42
        assert "doubling 21" in found["good"].log[0]
        assert (found["bad"].error, found["bad"].lost) == ("no such thing", False)
        assert (found["dies"].lost, found["dies"].blameless) == (True, False)

        node = cluster.add_node(num_cpus=1, resources={"mine": 1})
        cluster.wait_for_nodes()
        engine._remote = engine._remote.options(resources={"mine": 0.5})
        mark = tmp_path / "there"
        engine.submit("there", calls.note_and_sleep, mark, 600)
        until = time.monotonic() + 200
        while not mark.exists() and time.monotonic() < until:
            time.sleep(0.05)
        cluster.remove_node(node, allow_graceful=False)
        lost = collect(engine, 1)["there"]
        assert (lost.lost, lost.blameless) == (True, True)


def test_no_cluster_at_that_address() -> None:
    with pytest.raises(ConnectionError, match=r"127\.0\.0\.1:1"):
        RayEngine("127.0.0.1:1")
