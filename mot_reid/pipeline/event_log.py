"""Where events go: a log of JSON lines, and from there to standard output, a webhook or an MQTT broker.

Every event is in the log before it is sent. A receiver is told of each at least once: what it has not
confirmed is sent again, also by the next run into the same folder; the event's ``id`` tells repeats.
"""

from __future__ import annotations

import json
import sys
import threading
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from mot_reid.extras import require
from mot_reid.files import atomic
from mot_reid.video.files import remove_file
from mot_reid.wording import counted

__all__ = ["EventLog", "MqttReceiver", "Receiver", "Refused", "WebhookReceiver", "make_receivers"]

LOG = "events.jsonl"
UNSENT = "events.unsent.jsonl"
REFUSED = "events.refused.jsonl"
_RETRY_AFTER = (0.5, 1.0, 2.0, 5.0, 10.0, 30.0)  # seconds, the last one again and again


class Refused(Exception):
    """The receiver will not take this event, however often it is sent."""


class Receiver(ABC):
    """Somebody who is told of events. `send` returns when he has confirmed."""

    name: str

    @abstractmethod
    def send(self, record: Mapping[str, Any]) -> None:
        """Sends one event.

        Raises:
            Refused: he will not take it.
            OSError: he cannot be reached now.
        """

    def close(self) -> None:  # noqa: B027  # most have nothing to close
        """Lets go of the connection."""


class WebhookReceiver(Receiver):
    """One POST of JSON for each event; the header ``Idempotency-Key`` has its id.

    Args:
        url: http or https.
        headers: more headers, such as a token.
        timeout: seconds for each answer.

    Raises:
        ValueError: the URL is of another kind.
    """

    def __init__(self, url: str, headers: Mapping[str, str] | None = None, timeout: float = 5.0) -> None:
        if not isinstance(url, str) or not url.startswith(("http://", "https://")):
            raise ValueError(f"events: webhook: url: expected http:// or https://, got {url!r}")
        if not isinstance(headers, Mapping | None):
            raise ValueError(f"events: webhook: headers: expected names and values, got {headers!r}")
        self.name = "webhook"
        self._url, self._headers, self._timeout = url, dict(headers or {}), timeout

    def send(self, record: Mapping[str, Any]) -> None:
        """Posts one event; any answer of 2xx confirms it."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": str(record.get("id", ""))}
        body = json.dumps(record, ensure_ascii=False).encode()
        request = urllib.request.Request(self._url, body, headers | self._headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=self._timeout):
                pass
        except urllib.error.HTTPError as error:
            error.close()
            if 400 <= error.code < 500 and error.code not in (408, 425, 429):
                raise Refused(f"{self._url} answered {error.code}") from None
            raise OSError(f"{self._url} answered {error.code}") from None


class MqttReceiver(Receiver):
    """Publishes each event with quality of service 1 on ``TOPIC/SOURCE/KIND/PLACE``.

    Args:
        host: of the broker.
        port: of the broker.
        topic: the first part of the topics.
        username: for the broker, if it wants one.
        password: the same.
        timeout: seconds for each confirmation.

    Raises:
        ImportError: paho-mqtt is not installed.
    """

    def __init__(
        self,
        host: str,
        port: int = 1883,
        topic: str = "mot_reid",
        username: str = "",
        password: str = "",
        timeout: float = 5.0,
    ) -> None:
        require("paho", "an event log over MQTT")
        from paho.mqtt import client, enums

        self.name = "mqtt"
        self._address, self._topic, self._timeout = (host, port), topic, timeout
        self._client = client.Client(enums.CallbackAPIVersion.VERSION2)
        if username:
            self._client.username_pw_set(username, password or None)
        self._running = False

    def send(self, record: Mapping[str, Any]) -> None:
        """Publishes one event and waits for the broker's confirmation."""
        if not self._running:
            self._client.connect(*self._address, keepalive=30)
            self._client.loop_start()
            self._running = True
        levels = (self._topic, *(str(record.get(key) or "-") for key in ("source", "kind", "place")))
        topic = "/".join(part.replace("+", "_").replace("#", "_") for part in levels)
        told = self._client.publish(topic, json.dumps(record, ensure_ascii=False), qos=1)
        try:
            told.wait_for_publish(self._timeout)
        except (RuntimeError, ValueError) as error:
            raise OSError(f"MQTT broker {self._address[0]}: {error}") from None
        if not told.is_published():
            raise OSError(f"MQTT broker {self._address[0]}:{self._address[1]} does not confirm")

    def close(self) -> None:
        """Says goodbye to the broker."""
        if self._running:
            self._client.disconnect()
            self._client.loop_stop()
            self._running = False


def make_receivers(settings: Any) -> tuple[list[Receiver], bool]:
    """Makes the receivers of a scene file's part ``events``.

    Args:
        settings: such as ``{"stdout": True, "webhook": {"url": ...}, "mqtt": {"host": ...}}``; None for none.

    Returns:
        The receivers, and whether events go to standard output.

    Raises:
        ValueError: something in it is wrong.
        ImportError: a package is missing.
    """
    if settings is None:
        return [], False
    if not isinstance(settings, Mapping):
        raise ValueError(f"events: expected names and values, got {type(settings).__name__}")
    known = {"stdout", "webhook", "mqtt"}
    for key in settings:
        if key not in known:
            raise ValueError(f"events: {key} does not exist; known: {', '.join(sorted(known))}")
    receivers: list[Receiver] = []
    makers: dict[str, Callable[..., Receiver]] = {"webhook": WebhookReceiver, "mqtt": MqttReceiver}
    for name, make in makers.items():
        entry = settings.get(name)
        if entry is None:
            continue
        entry = {"url": entry} if name == "webhook" and isinstance(entry, str) else entry
        try:
            receivers.append(make(**entry))
        except TypeError as error:
            raise ValueError(f"events: {name}: {error}") from None
    return receivers, bool(settings.get("stdout", False))


class EventLog:
    """Writes events to ``events.jsonl`` in a folder and tells receivers of them, in their order.

    Sending runs in a thread for each receiver; it never holds up the run. `close` waits a moment for what is
    open; what could not be sent lies in ``events.unsent.jsonl`` then, and goes first next time. So does what
    an attempt failed to send before a run is killed.

    Args:
        folder: of the run.
        receivers: who is told.
        stdout: where events are printed as well, or None.
        patience: seconds that `close` waits for receivers.
    """

    def __init__(
        self,
        folder: Path,
        receivers: Sequence[Receiver] = (),
        stdout: TextIO | None = None,
        patience: float = 10.0,
    ) -> None:
        self._folder, self._stdout, self._patience = folder, stdout, patience
        remove_file(folder / LOG)
        self._file = open(folder / LOG, "wb", buffering=0)  # noqa: SIM115  # closed by close()
        self._senders = [_Sender(receiver, folder) for receiver in receivers]
        self.written = 0

    def write(self, record: Mapping[str, Any]) -> None:
        """Logs one event and sends it on.

        Raises:
            OSError: it cannot be logged.
        """
        line = json.dumps(record, ensure_ascii=False)
        self._file.write(line.encode() + b"\n")
        self.written += 1
        for sender in self._senders:
            sender.put(line)
        if self._stdout is not None:
            print(line, file=self._stdout, flush=True)

    def close(self) -> list[str]:
        """Ends sending; safe to call more than once.

        Returns:
            What could not be sent and why, one line for each receiver.
        """
        self._file.close()
        told = [line for sender in self._senders for line in sender.stop(self._patience)]
        self._senders = []
        return told


class _Sender:
    """Sends lines to one receiver, in a thread; what is not confirmed is kept in a file."""

    def __init__(self, receiver: Receiver, folder: Path) -> None:
        self._receiver = receiver
        self._unsent = folder / f"{receiver.name}.{UNSENT}"
        self._refusals = folder / f"{receiver.name}.{REFUSED}"
        self._condition = threading.Condition()
        self._lines: list[str] = []
        if self._unsent.exists():
            # Names may hold what splitlines() takes for the end of a line.
            self._lines = [line for line in self._unsent.read_text(encoding="utf-8").split("\n") if line]
        self._stopping = self._idle = False
        self._problem = ""
        self._refused = 0
        self._thread = threading.Thread(target=self._run, name=f"events {receiver.name}", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        with self._condition:
            self._lines.append(line)
            self._condition.notify()

    def stop(self, patience: float) -> list[str]:
        with self._condition:
            self._condition.wait_for(lambda: not self._lines, timeout=patience)
            self._stopping = True
            self._condition.notify_all()
        self._thread.join(timeout=patience + 1)
        with suppress(OSError):
            self._receiver.close()
        told = []
        if self._refused:
            told.append(
                f"{self._receiver.name}: {counted(self._refused, 'event')} refused: {self._refusals.name}"
            )
        with self._condition:
            if self._lines:
                self._keep(self._lines)
                told.append(
                    f"{self._receiver.name}: {counted(len(self._lines), 'event')} not sent "
                    f"({self._problem}); kept in {self._unsent.name} and sent by "
                    "the next run into this folder"
                )
            else:
                self._unsent.unlink(missing_ok=True)
        return told

    def _run(self) -> None:
        failures, kept = 0, self._unsent.exists()
        while True:
            with self._condition:
                self._condition.wait_for(lambda: self._lines or self._stopping)
                if self._stopping:
                    return
                line = self._lines[0]
            try:
                self._receiver.send(json.loads(line))
            except (Refused, json.JSONDecodeError) as error:  # what is no event would hold up all others
                self._refuse(line, str(error))
            except Exception as error:  # also what a foreign package may raise: it must not end the thread
                self._problem = str(error) or type(error).__name__
                wait = _RETRY_AFTER[min(failures, len(_RETRY_AFTER) - 1)]
                failures += 1
                with self._condition:
                    lines = self._lines.copy()
                with suppress(OSError):  # now: a run that is killed has no end
                    self._keep(lines)
                    kept = True
                with self._condition:
                    self._condition.wait_for(lambda: self._stopping, timeout=wait)
                continue
            failures = 0
            with self._condition:
                del self._lines[0]
                if kept and not self._lines:
                    self._unsent.unlink(missing_ok=True)
                    kept = False
                self._condition.notify_all()

    def _keep(self, lines: list[str]) -> None:
        with atomic(self._unsent) as part:
            part.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _refuse(self, line: str, why: str) -> None:
        self._problem = why
        self._refused += 1
        with open(self._refusals, "a", encoding="utf-8") as file:
            file.write(line + "\n")


def standard_output(wanted: bool) -> TextIO | None:
    """Standard output where it is wanted."""
    return sys.stdout if wanted else None
