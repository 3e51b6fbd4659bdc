"""Who does the work: processes on this machine, or a Ray cluster; each worker one call at a time."""

from __future__ import annotations

import logging
import multiprocessing
import os
import platform
import signal
import socket
import threading
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any

from mot_reid.concurrency import ENDINGS
from mot_reid.extras import require

__all__ = ["Engine", "LocalEngine", "RayEngine", "Report"]


@dataclass(frozen=True)
class Report:
    """What came of a call.

    Attributes:
        value: what the function returned; None where it failed.
        error: why it failed, in one line; None where it did not.
        lost: the worker ended in the middle of the call.
        blameless: it ended because its machine did, which says nothing about the call.
        trace: the traceback of a failure.
        log: what was logged meanwhile.
        worker: machine and process that did it.
    """

    value: Any = None
    error: str | None = None
    lost: bool = False
    blameless: bool = False
    trace: str = ""
    log: tuple[str, ...] = ()
    worker: str = ""


class _Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


def _call(function: Callable[..., Any], arguments: tuple[Any, ...]) -> Report:
    """Calls a function on a worker; whatever it raises becomes plain text, which any process can read."""
    worker, lines = f"{platform.node()}:{os.getpid()}", _Lines()
    log = logging.getLogger("mot_reid")
    log.addHandler(lines)
    try:
        return Report(function(*arguments), log=tuple(lines.lines), worker=worker)
    except Exception as error:
        told = " ".join(str(error).split()) or type(error).__name__
        return Report(error=told, trace=traceback.format_exc(), log=tuple(lines.lines), worker=worker)
    finally:
        log.removeHandler(lines)


class Engine(ABC):
    """Runs calls on workers; a context manager that stops what still runs."""

    name: str

    @property
    @abstractmethod
    def room(self) -> int:
        """How many more calls are worth handing in now: work beyond that would only wait."""

    @property
    @abstractmethod
    def busy(self) -> int:
        """How many calls are under way."""

    @abstractmethod
    def submit(self, key: Hashable, function: Callable[..., Any], *arguments: Any) -> None:
        """Hands in a call; function and arguments are pickled, and ``key`` comes back with the report."""

    @abstractmethod
    def reports(self, timeout: float) -> list[tuple[Any, Report]]:
        """What has ended, after at most ``timeout`` seconds of waiting for something to end."""

    @abstractmethod
    def close(self) -> None:
        """Stops all workers, also in the middle of a call."""

    def __enter__(self) -> Engine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _worker(connection: Connection) -> None:
    """A worker process: takes calls until nobody sends any, and does not outlive who started it."""
    for number in ENDINGS:  # Ctrl-C is the parent's, who ends this process
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_follow, args=(parent,), daemon=True).start()
    while True:
        try:
            function, arguments = connection.recv()
        except EOFError:
            return
        connection.send(_call(function, arguments))


def _follow(parent: multiprocessing.process.BaseProcess) -> None:
    parent.join()
    os._exit(1)  # whoever takes the work up again shall not find somebody at it


@dataclass
class _Slot:
    process: multiprocessing.process.BaseProcess
    connection: Connection
    key: Hashable | None = None


@dataclass
class LocalEngine(Engine):
    """Processes on this machine, each with models of its own.

    A process that dies takes only its own call along; another one takes its place.

    Args:
        workers: how many, at least 1.
    """

    workers: int
    name: str = "processes on this machine"
    _idle: list[_Slot] = field(default_factory=list, repr=False)
    _running: list[_Slot] = field(default_factory=list, repr=False)

    @property
    def room(self) -> int:
        """Workers without a call."""
        return self.workers - len(self._running)

    @property
    def busy(self) -> int:
        """Workers with a call."""
        return len(self._running)

    def submit(self, key: Hashable, function: Callable[..., Any], *arguments: Any) -> None:
        """Hands a call to a free worker, started if need be.

        Raises:
            RuntimeError: no worker is free.
        """
        if self.room <= 0:
            raise RuntimeError("submit: all workers are busy")
        slot = self._start()
        slot.key = key
        self._running.append(slot)
        with suppress(OSError):  # it died just now: then `reports` tells
            slot.connection.send((function, arguments))

    def _start(self) -> _Slot:
        while self._idle:
            if (slot := self._idle.pop()).process.is_alive():
                return slot
            slot.connection.close()
        context = multiprocessing.get_context("spawn")  # a fork would copy threads' locks in any state
        ours, theirs = context.Pipe()
        process = context.Process(target=_worker, args=(theirs,), daemon=False)
        process.start()
        theirs.close()
        return _Slot(process, ours)

    def reports(self, timeout: float) -> list[tuple[Any, Report]]:
        """What has ended; a worker that died meanwhile is told as lost."""
        waited: list[Any] = [slot.connection for slot in self._running]
        waited += [slot.process.sentinel for slot in self._running]
        if not waited:
            return []
        ready = set(map(id, wait(waited, timeout)))
        gone = [slot for slot in self._running if not slot.process.is_alive()]
        ended = []
        for slot in list(self._running):
            if id(slot.connection) not in ready and slot not in gone:
                continue
            try:
                if not slot.connection.poll():
                    raise EOFError
                report = slot.connection.recv()
            except (EOFError, OSError):
                slot.process.join()
                code = slot.process.exitcode
                report = Report(error=f"the worker process died (exit code {code})", lost=True)
                slot.connection.close()
            else:
                self._idle.append(slot)
            self._running.remove(slot)
            ended.append((slot.key, report))
        return ended

    def close(self) -> None:
        """Ends all processes."""
        for slot in [*self._running, *self._idle]:
            slot.process.terminate()
        for slot in [*self._running, *self._idle]:
            slot.process.join(5)
            if slot.process.is_alive():
                slot.process.kill()
                slot.process.join()
            slot.connection.close()
        self._running, self._idle = [], []


class RayEngine(Engine):
    """A Ray cluster: each call is a Ray task, which Ray places, and moves its arguments and result.

    Ray itself retries nothing here: who is to blame for a loss, the call or its machine, decides whether it
    counts, and that is for the caller to say.

    Args:
        address: of the cluster: ``auto``, ``HOST:PORT``, ``ray://HOST:PORT``, or ``local`` for a new one on
            this machine.
        cpus: processor cores that a call takes.
        gpus: accelerators that a call takes; a fraction shares one.

    Raises:
        ImportError: Ray is not installed.
        ConnectionError: there is no cluster at that address.
    """

    def __init__(self, address: str, cpus: float = 1, gpus: float = 0) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
        ray = self._ray = require("ray", "--ray")
        self.name = f"Ray cluster {address}"
        self._started = not ray.is_initialized()
        if self._started:
            _require_answer(address)
            options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
            if address == "local":
                options["include_dashboard"] = False
            try:
                ray.init(address=address, **options)
            except (ConnectionError, RuntimeError, ValueError) as error:
                told = " ".join(str(error).split())
                raise ConnectionError(f"--ray {address}: no Ray cluster answers ({told})") from None
        self._cpus, self._gpus = cpus, gpus
        self._remote = ray.remote(num_cpus=cpus, num_gpus=gpus, max_retries=0)(_call)
        self._running: dict[Any, Hashable] = {}

    @property
    def room(self) -> int:
        """Twice what runs at a time: the next call is at its worker when one ends. Nodes may come and go."""
        resources = dict(self._ray.cluster_resources())
        fits = [resources.get("CPU", 0) / self._cpus] if self._cpus else []
        fits += [resources.get("GPU", 0) / self._gpus] if self._gpus else []
        return max(1, int(2 * min(fits, default=1))) - len(self._running)

    @property
    def busy(self) -> int:
        """Calls that Ray has."""
        return len(self._running)

    def submit(self, key: Hashable, function: Callable[..., Any], *arguments: Any) -> None:
        """Makes a call a Ray task."""
        self._running[self._remote.remote(function, arguments)] = key

    def reports(self, timeout: float) -> list[tuple[Any, Report]]:
        """What has ended, also because a worker or its node did."""
        if not self._running:
            return []
        done, _ = self._ray.wait(list(self._running), num_returns=1, timeout=timeout)
        more, _ = self._ray.wait(list(self._running), num_returns=len(self._running), timeout=0)
        return [(self._running.pop(reference), self._report(reference)) for reference in {*done, *more}]

    def _report(self, reference: Any) -> Report:
        errors = self._ray.exceptions
        try:
            report: Report = self._ray.get(reference)
        except errors.WorkerCrashedError as error:
            return Report(error="the worker process died", lost=True, trace=str(error))
        except errors.OutOfMemoryError as error:
            return Report(error="the worker ran out of memory", lost=True, trace=str(error))
        except (errors.NodeDiedError, errors.ObjectLostError, errors.LocalRayletDiedError) as error:
            return Report(error="its machine was lost", lost=True, blameless=True, trace=str(error))
        except errors.RayError as error:
            told = " ".join(str(error).split())
            return Report(error=told[:300], lost=True, trace=str(error))
        return report

    def close(self) -> None:
        """Cancels what runs, and leaves the cluster."""
        for reference in self._running:
            self._ray.cancel(reference, force=True)
        self._running = {}
        if self._started:
            self._ray.shutdown()


def _require_answer(address: str) -> None:
    """Raises ConnectionError where nobody listens: Ray itself would wait for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not (host and port.isdigit()):
        return  # a name that Ray looks up, such as auto
    try:
        socket.create_connection((host, int(port)), timeout=5).close()
    except (OSError, OverflowError) as error:
        raise ConnectionError(f"--ray {address}: no Ray cluster answers ({error})") from None
