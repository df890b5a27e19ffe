"""Kafka's administration, awaited, in tenancy's own words and errors."""

import asyncio
from collections.abc import Awaitable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, TypeVar, cast

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewTopic,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from outrider_bus.ports import UnavailableError
from outrider_contracts.topics import TopicSpec

from tenancy.domain.rights import Right
from tenancy.ports import ProvisioningFailed

T = TypeVar("T")
Futures = Mapping[Any, Future[Any]]

_SECONDS = 20.0
_ITERATIONS = 8192
_NO_SUCH_USER = 91  # RESOURCE_NOT_FOUND, for which confluent-kafka has no name


class KafkaRefused(ProvisioningFailed):
    """The broker's no, with its code. Its long text dumps broker internals and stays out."""

    def __init__(self, error: KafkaError) -> None:
        super().__init__(f"Kafka refused: {error.name()}")
        self.code = error.code()


class KafkaAdmin:
    """What tenancy asks of a broker. Creating what is there and deleting what is gone are successes."""

    def __init__(self, client: AdminClient) -> None:
        self._client = client

    async def topics(self) -> frozenset[str]:
        """Names of all topics."""
        found = await _done(asyncio.to_thread(self._client.list_topics, timeout=_SECONDS))
        return frozenset(found.topics)

    async def create_topic(self, topic: TopicSpec) -> None:
        """Make *topic* with the broker's default replication."""
        new = NewTopic(topic.name, num_partitions=topic.partitions, config=topic.configuration)
        try:
            await _each(self._client.create_topics([new]))
        except KafkaRefused as refused:
            if refused.code != KafkaError.TOPIC_ALREADY_EXISTS:
                raise

    async def rights_of(self, principal: str) -> frozenset[Right]:
        """Everything *principal* may do."""
        anything: Any = None
        matching = AclBindingFilter(
            ResourceType.ANY, anything, ResourcePatternType.ANY, principal, anything, AclOperation.ANY,
            AclPermissionType.ANY,
        )  # fmt: skip
        bindings = await _done(asyncio.wrap_future(self._client.describe_acls(matching)))
        return frozenset(_right(binding) for binding in bindings)

    async def allow(self, rights: Iterable[Right]) -> None:
        """Create *rights*."""
        if bindings := [_binding(right) for right in rights]:
            await _each(self._client.create_acls(bindings))

    async def disallow(self, rights: Iterable[Right]) -> None:
        """Delete *rights*. In force at the next request, on open connections too."""
        if filters := [_filter(_binding(right)) for right in rights]:
            await _each(self._client.delete_acls(filters))

    async def has_user(self, user: str) -> bool:
        """Whether *user* has a SCRAM credential."""
        try:
            await _each(cast(Futures, self._client.describe_user_scram_credentials([user])))
        except KafkaRefused as refused:
            if refused.code == _NO_SUCH_USER:
                return False
            raise
        return True

    async def set_password(self, user: str, password: str) -> None:
        """Make *user* log in by *password* (SCRAM-SHA-512)."""
        scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, _ITERATIONS)
        change = UserScramCredentialUpsertion(user, scram, password.encode())
        await _each(self._client.alter_user_scram_credentials([change]))


async def _each(futures: Futures) -> list[Any]:
    return list(await _done(asyncio.gather(*map(asyncio.wrap_future, futures.values()))))


async def _done(asked: Awaitable[T]) -> T:
    try:
        return await asked
    except KafkaException as raised:
        error: KafkaError = raised.args[0]
        if error.retriable() or error.code() < 0:  # negative codes are the client's own: transport, timeouts
            raise UnavailableError(f"Kafka is away: {error.name()}") from None
        raise KafkaRefused(error) from None


def _binding(right: Right) -> AclBinding:
    return AclBinding(
        ResourceType[right.kind], right.name, ResourcePatternType[right.pattern], right.principal, "*",
        AclOperation[right.operation], AclPermissionType.ALLOW,
    )  # fmt: skip


def _filter(binding: AclBinding) -> AclBindingFilter:
    return AclBindingFilter(
        binding.restype, binding.name, binding.resource_pattern_type, binding.principal, binding.host,
        binding.operation, binding.permission_type,
    )  # fmt: skip


def _right(binding: AclBinding) -> Right:
    kind, pattern = cast(ResourceType, binding.restype), cast(ResourcePatternType, binding.resource_pattern_type)
    return Right(kind.name, binding.name, pattern.name, cast(AclOperation, binding.operation).name, binding.principal)
