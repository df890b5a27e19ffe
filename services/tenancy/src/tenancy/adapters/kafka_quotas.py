"""How fast a user may produce. Kafka's quota requests, of which no Python client offers the second as a method.

AlterClientQuotas is api key 49 (KIP-546); it is spelt with aiokafka's own protocol classes.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.admin import DescribeClientQuotasRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import Array, Boolean, Float64, Int16, Int32, Schema, String
from outrider_bus.kafka import KafkaAddress
from outrider_bus.ports import UnavailableError

from tenancy.ports import ProvisioningFailed

_RATE = "producer_byte_rate"
_EXACT = 0
_SEEN_SECONDS = 10.0
_ENTITY = ("entity", Array(("entity_type", String("utf-8")), ("entity_name", String("utf-8"))))


class _AlterResponse(Response):  # type: ignore[misc]  # aiokafka ships no types
    API_KEY = 49
    API_VERSION = 0
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        ("entries", Array(("error_code", Int16), ("error_message", String("utf-8")), _ENTITY)),
    )


class _AlterStruct(RequestStruct):  # type: ignore[misc]
    API_KEY = 49
    API_VERSION = 0
    RESPONSE_TYPE = _AlterResponse
    SCHEMA = Schema(
        (
            "entries",
            Array(_ENTITY, ("ops", Array(("key", String("utf-8")), ("value", Float64), ("remove", Boolean)))),
        ),
        ("validate_only", Boolean),
    )


class _Alter(Request[_AlterStruct]):  # type: ignore[misc]
    API_KEY = 49

    def __init__(self, user: str, rate: float | None) -> None:
        self._entries = [([("user", user)], [(_RATE, rate or 0.0, rate is None)])]

    def build(self, struct: type[_AlterStruct]) -> _AlterStruct:
        return struct(self._entries, False)


class KafkaQuotas:
    """Reads and sets one user's produce rate, in bytes per second and broker."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address

    async def produce_rate(self, user: str) -> float | None:
        """The rate that is set for *user*, None where there is none."""
        async with self._client() as client:
            return await self._described(client, user)

    async def set_produce_rate(self, user: str, rate: float | None) -> None:
        """Set the rate, None to take it away; returns when the brokers say it themselves."""
        async with self._client() as client:
            answer = await client._send_request(_Alter(user, rate))
            for error_code, *_ in answer.entries:
                if error_code:
                    raise ProvisioningFailed(f"Kafka refused the quota: {for_code(error_code).__name__}")
            async with asyncio.timeout(_SEEN_SECONDS):
                while await self._described(client, user) != rate:  # noqa: ASYNC110  the broker notifies nobody
                    await asyncio.sleep(0.1)

    async def _described(self, client: Any, user: str) -> float | None:
        answer = await client._send_request(DescribeClientQuotasRequest([("user", _EXACT, user)], True))
        if answer.error_code:
            raise ProvisioningFailed(f"Kafka refused to tell quotas: {for_code(answer.error_code).__name__}")
        return next((value for _, values in answer.entries for name, value in values if name == _RATE), None)

    @asynccontextmanager
    async def _client(self) -> AsyncIterator[Any]:
        client = AIOKafkaAdminClient(**self._address.client_options, client_id="tenancy-quotas")
        try:
            await client.start()
            yield client
        except (KafkaError, OSError, TimeoutError) as error:
            raise UnavailableError(f"Kafka is away: {type(error).__name__}") from None
        finally:
            await client.close()
