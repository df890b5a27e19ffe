"""A team on Kafka: its two topics, its SCRAM user, its rights, its quota."""

from dataclasses import dataclass

from outrider_contracts.topics import TopicSpec, team_topics

from tenancy.adapters.credentials import new_password
from tenancy.adapters.kafka_admin import KafkaAdmin
from tenancy.adapters.kafka_quotas import KafkaQuotas
from tenancy.domain.quantities import parse_quantity
from tenancy.domain.rights import Right, wanted_rights
from tenancy.domain.teams import Wanted
from tenancy.ports import Applied, Change, ProvisioningFailed, SecretStore


@dataclass(frozen=True)
class _Gap:
    """What is not as wanted."""

    topics: tuple[TopicSpec, ...]
    missing: tuple[Right, ...]
    extra: tuple[Right, ...]
    user: str | None
    quota: tuple[str, int | None] | None
    """User and bytes per second; None: as wanted."""

    @property
    def changes(self) -> tuple[Change, ...]:
        return (
            *(Change("topic.create", topic.name) for topic in self.topics),
            *(Change("user.set", self.user) for _ in [1] if self.user),
            *([Change("quota.set", f"{self.quota[0]}={self.quota[1]}")] if self.quota else []),
            *(Change("right.create", str(right)) for right in self.missing),
            *(Change("right.delete", str(right)) for right in self.extra),
        )


class KafkaProvisioner:
    """Makes and keeps a team's part of Kafka. It touches the rights of the team's own principal alone."""

    name = "kafka"

    def __init__(self, admin: KafkaAdmin, quotas: KafkaQuotas, secrets: SecretStore, bootstrap_servers: str) -> None:
        self._admin, self._quotas, self._secrets, self._bootstrap = admin, quotas, secrets, bootstrap_servers

    async def plan(self, wanted: Wanted) -> tuple[Change, ...]:
        return (await self._observe(wanted)).changes

    async def apply(self, wanted: Wanted) -> Applied:
        gap = await self._observe(wanted)
        for topic in gap.topics:
            await self._admin.create_topic(topic)
        if gap.user:
            await self._set_password(wanted.team, gap.user)
        if gap.quota:
            await self._quotas.set_produce_rate(*gap.quota)
        await self._admin.allow(gap.missing)
        await self._admin.disallow(gap.extra)
        return Applied(gap.changes, {self.name: self._secrets.reference(wanted.team, self.name)})

    async def _observe(self, wanted: Wanted) -> _Gap:
        present = await self._admin.topics()
        topics = team_topics(wanted.team)
        user = wanted.names.kafka_user
        held = await self._admin.rights_of(f"User:{user}")
        rate = _rate(wanted)
        own = wanted_rights(wanted.team) if wanted.active else frozenset()
        ready = not wanted.active or (
            await self._secrets.get(wanted.team, self.name) is not None and await self._admin.has_user(user)
        )
        return _Gap(
            topics=tuple(topic for topic in topics if topic.name not in present),
            missing=tuple(sorted(own - held)),
            extra=tuple(sorted(held - own)),
            user=None if ready else user,
            quota=None if rate == await self._quotas.produce_rate(user) else (user, rate),
        )

    async def _set_password(self, team: str, user: str) -> None:
        """Mint, set, keep. After a crash before the last step there is no secret, so a new one is minted."""
        password = new_password()
        await self._admin.set_password(user, password)
        secret = {
            "bootstrap_servers": self._bootstrap, "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "SCRAM-SHA-512", "username": user, "password": password,
        }  # fmt: skip
        await self._secrets.put(team, self.name, secret)


def _rate(wanted: Wanted) -> int | None:
    text = wanted.spec.kafka.produce_bytes_per_second
    try:
        return None if text is None else parse_quantity(text)
    except ValueError as error:
        raise ProvisioningFailed(f"kafka.produceBytesPerSecond: {error}") from None
