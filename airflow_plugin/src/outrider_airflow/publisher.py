"""Gives facts to Kafka: one lazily made producer per process, and the spool for what the broker does not take."""

import contextlib
import os
import threading
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outrider_contracts.envelope import Record, encode
from outrider_contracts.event import Event

from outrider_airflow.settings import Settings, settings
from outrider_airflow.spool import Spool, Spooled

if TYPE_CHECKING:
    from confluent_kafka import Message, Producer

FLUSH_SECONDS = 2.0
_DRAIN_SECONDS = 5.0
_FLUSHES = 10


class Publisher:
    """Says facts. What it was given is delivered, or lies in the spool, once `settle` has returned."""

    def __init__(self, site: Settings) -> None:
        self._site = site
        self._spool = Spool(site.spool)
        self._producer: Producer | None = None
        self._lock = threading.Lock()

    def say(self, events: Iterable[Event], *, traceparent: str = "") -> None:
        """Hand *events* to the producer without waiting for the broker."""
        for event in events:
            record = encode(event, source=self._site.source, traceparent=traceparent)
            if self._spool.away() or self._spool.holds_any(record):  # what is said later is sent later
                self._spool.add(record)
            else:
                self._produce(record, partial(self._report, record))

    def settle(self, seconds: float = FLUSH_SECONDS) -> None:
        """Wait until the broker has taken everything; what it has not taken after *seconds* goes to the spool."""
        if self._producer is not None:
            self._settle(self._producer, seconds)

    def serve(self) -> None:
        """Hear the broker's answers so far. For processes that never settle."""
        if self._producer is not None:
            self._producer.poll(0)

    def drain(self, *, limit: int = 500, seconds: float = _DRAIN_SECONDS) -> None:
        """Say what lies in the spool, oldest first, unless the broker is away."""
        if not self._spool.away():
            self._spool.drain(partial(self._deliver, seconds=seconds), limit=limit)

    def _settle(self, producer: "Producer", seconds: float) -> None:
        if producer.flush(seconds):
            self._spool.mark_away()
            producer.purge()
            for _ in range(_FLUSHES):  # calls back for each that was purged; a process that stood still may miss one
                if not producer.flush(0.5):
                    break

    def _deliver(self, spooled: Sequence[Spooled], *, seconds: float) -> None:
        for each in spooled:
            self._produce(each.record, partial(_remove_delivered, each.file))
        producer = self._connected()
        self._settle(producer, seconds)

    def _produce(self, record: Record, report: Any) -> None:
        try:
            producer = self._connected()
        except OSError as error:  # the password's file is not there, or for another user (run_as_user)
            report(error, None)
            return
        try:
            producer.produce(
                record.topic, key=record.key, value=record.value, headers=list(record.headers), on_delivery=report
            )
        except BufferError:
            report("the producer's queue is full", None)
        producer.poll(0)

    def _report(self, record: Record, error: object, _message: "Message | None") -> None:
        if error is not None:
            self._spool.add(record)

    def _connected(self) -> "Producer":
        with self._lock:
            if self._producer is None:
                from confluent_kafka import Producer

                self._producer = Producer(_configuration(self._site))
            return self._producer


def _remove_delivered(file: Path, error: object, _message: "Message | None") -> None:
    if error is None:
        with contextlib.suppress(PermissionError):  # another user's (run_as_user), who will say it again and remove it
            file.unlink(missing_ok=True)


def _configuration(site: Settings) -> dict[str, Any]:
    configuration: dict[str, Any] = {
        "bootstrap.servers": site.bootstrap_servers,
        "client.id": "outrider-airflow",
        "acks": "all",
        # the first delivery of an idempotent producer takes half a second; facts carry ids and are heard once
        "enable.idempotence": False,
        "linger.ms": 0,
        "message.timeout.ms": 30_000,
        # as the Java and Python clients do, so that all tellers of a run meet in one partition
        "partitioner": "murmur2_random",
        "log_level": 2,
    }
    if site.kafka_username:
        configuration |= {
            "security.protocol": site.kafka_security_protocol or "SASL_PLAINTEXT",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.username": site.kafka_username,
            "sasl.password": Path(site.kafka_password_file).read_text().strip(),
        }
    elif site.kafka_security_protocol:
        configuration["security.protocol"] = site.kafka_security_protocol
    if site.kafka_ca_file:
        configuration["ssl.ca.location"] = site.kafka_ca_file
    return configuration


_mine: Publisher | None = None
_abandoned: list[Publisher | None] = []
_making = threading.Lock()


def publisher() -> Publisher:
    """This process's publisher."""
    global _mine
    with _making:
        if _mine is None:
            _mine = Publisher(settings())
        return _mine


def _forget() -> None:
    """After a fork: the parent's producer has no threads here. It is kept, for to destroy it would wait for them."""
    global _mine, _making
    _abandoned.append(_mine)
    _mine, _making = None, threading.Lock()


with contextlib.suppress(AttributeError):  # not on Windows
    os.register_at_fork(after_in_child=_forget)
