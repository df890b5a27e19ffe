"""Clients of Kafka, all made here: one place for security, acknowledgement and client names."""

from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaProducer
from faststream.kafka import KafkaBroker
from faststream.security import SASLScram512

from outrider_bus.timing import Timing

LARGEST_RECORD = 67_108_864
"""Bytes, uncompressed. What a topic takes is measured compressed, so a record, and the dead letter it becomes, may be
many times as large as that."""
LARGEST_BATCH = 2_097_152
"""Bytes: twice what an ordinary topic takes, for a dead letter has headers of its own."""
LARGE_RECORD = 500_000
"""Bytes. Records beyond are compressed on their way out, so that what came in compressed goes out as well."""


@dataclass(frozen=True)
class KafkaAddress:
    """Where Kafka is and who we are there; no username means a plain, unauthenticated listener."""

    bootstrap_servers: str
    username: str = ""
    password: str = field(default="", repr=False)

    @property
    def client_options(self) -> dict[str, Any]:
        """What any aiokafka client needs to connect."""
        options: dict[str, Any] = {"bootstrap_servers": self.bootstrap_servers}
        if self.username:
            options |= {
                "security_protocol": "SASL_PLAINTEXT",
                "sasl_mechanism": "SCRAM-SHA-512",
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return options


def make_shell(address: KafkaAddress, *, service: str, timing: Timing) -> KafkaBroker:
    """The FastStream broker that owns connections, subscriptions and their lifecycle. It may create no topic."""
    return KafkaBroker(
        address.bootstrap_servers.split(","),
        security=SASLScram512(address.username, address.password) if address.username else None,
        client_id=service,
        consumer_only=True,
        allow_auto_create_topics=False,
        metadata_max_age_ms=int(timing.metadata_age * 1000),
        apply_types=False,
        logger=None,
    )


def make_producer(address: KafkaAddress, *, service: str, compress: bool = False) -> AIOKafkaProducer:
    """The relay's producer: every record acknowledged by all replicas, once, in order. Anybody can read gzip."""
    return AIOKafkaProducer(
        **address.client_options,
        client_id=f"{service}-relay",
        acks="all",
        enable_idempotence=True,
        compression_type="gzip" if compress else None,
        max_batch_size=262_144,
        max_request_size=LARGEST_RECORD,
        request_timeout_ms=15_000,
    )
