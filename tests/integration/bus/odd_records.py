"""Writes what no well-meaning client can: a record whose header name is no UTF-8."""

import struct

from aiokafka import AIOKafkaProducer
from aiokafka.record.util import calc_crc32c
from outrider_bus.records import RawHeaders

_CRC_AT, _BODY_AT = 17, 21
_NAME, _ODD = b"an-odd-name", b"an\xff\xfe\xfdd-name"


async def send_odd_name(
    producer: AIOKafkaProducer, topic: str, records: list[tuple[bytes, RawHeaders]], *, odd: int
) -> None:
    """Send *records* (value, headers) as one batch to partition 0; the one at *odd* gets one more, ill-named header."""
    batch = producer.create_batch()
    for place, (value, headers) in enumerate(records):
        extra = [(_NAME.decode(), b"1")] if place == odd else []
        batch.append(key=b"key", value=value, timestamp=None, headers=[*headers, *extra])
    batch.close()
    batch._build()
    spoilt = bytearray(batch._buffer).replace(_NAME, _ODD)
    struct.pack_into(">I", spoilt, _CRC_AT, calc_crc32c(bytes(spoilt[_BODY_AT:])))
    batch._buffer = spoilt
    await (await producer.send_batch(batch, topic, partition=0))
