"""Replays of one service: planned and ordered by operators, worked off by whichever instance holds the lease."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from contextlib import suppress

import structlog
from aiokafka.errors import KafkaError
from outrider_contracts.replays import Replay, ReplayPlan, ReplayRequest

from outrider_bus.database import PostgresDatabase
from outrider_bus.groups import Group
from outrider_bus.handling import again
from outrider_bus.kafka import KafkaAddress
from outrider_bus.ports import UnavailableError
from outrider_bus.replay import jobs
from outrider_bus.replay.plan import choose_topic, plan
from outrider_bus.replay.reader import RangeReader
from outrider_bus.replay.replaying import Replaying, audit
from outrider_bus.replay.sieve import ReplayRefused
from outrider_bus.timing import Timing, backoff

_LOG = structlog.get_logger()
_FAREWELL_SECONDS = 5.0
_KAFKA_SECONDS = 25.0


class Replays:
    """What operators can do, and the worker beside the service: one job at a time per instance."""

    def __init__(
        self, groups: Mapping[str, Group], database: PostgresDatabase, kafka: KafkaAddress, *, service: str,
        timing: Timing,
    ) -> None:  # fmt: skip
        self._groups = groups
        self._database = database
        self._kafka = kafka
        self._service = service
        self._timing = timing
        self._wake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def plan(self, request: ReplayRequest, *, look: bool = True) -> ReplayPlan:
        """What the replay would do, with its ends frozen; *look* at the records. Raises ReplayRefused,
        UnavailableError.
        """
        group = self._groups.get(request.group)
        if group is None:
            fix = f"{self._service} hears as {', '.join(self._groups)}"
            raise ReplayRefused("unknown_group", f"{self._service} has no group {request.group}", fix)
        request = choose_topic(request, group)

        async def unknown(ids: Sequence[str]) -> set[str]:
            return await again.unknown(self._database, group.name, request.topic, ids)

        try:
            async with (
                asyncio.timeout(_KAFKA_SECONDS),
                RangeReader(self._kafka, service=self._service, topic=request.topic) as reader,
            ):
                return await plan(
                    request, group, reader, unknown=unknown, inbox_days=self._timing.inbox_days, look=look
                )
        except (KafkaError, OSError, TimeoutError) as error:
            raise UnavailableError(f"{request.topic} can't be read now: {error!r}") from error

    async def order(self, request: ReplayRequest, *, actor: str) -> Replay:
        """Enter the job that *request* plans; it begins at once. Raises ReplayRefused, UnavailableError."""
        if not request.reason.strip():
            raise ReplayRefused("no_reason", "a replay is audited and needs a reason", 'say why: --reason "…"')
        planned = await self.plan(request, look=False)
        id = f"r-{secrets.token_hex(4)}"
        async with self._database.begin() as tx:
            await jobs.add(tx.connection, id, planned, actor=actor, reason=request.reason)
            [job] = await jobs.read(tx.connection, self._groups, id)
            await tx.say(audit(job, "order", actor, request.reason))
        self._wake.set()
        return job

    async def jobs(self) -> list[Replay]:
        """Every job of this service's groups, newest first."""
        async with self._database.begin() as tx:
            return await jobs.read(tx.connection, self._groups)

    async def get(self, id: str) -> Replay:
        """One job. Raises ReplayRefused where there is none."""
        async with self._database.begin() as tx:
            found = await jobs.read(tx.connection, self._groups, id)
        if not found:
            raise ReplayRefused("unknown_replay", f"{self._service} has no replay {id}", "outrider events replays")
        return found[0]

    async def cancel(self, id: str, *, actor: str) -> Replay:
        """Stop a job; what it has handled stays. Raises ReplayRefused where it is over."""
        return await self._turn(id, "cancel", "cancelled", ("queued", "running"), actor)

    async def resume(self, id: str, *, actor: str) -> Replay:
        """Go on where a cancelled or failed job was. Raises ReplayRefused."""
        return await self._turn(id, "resume", "queued", ("cancelled", "failed"), actor)

    def start(self) -> None:
        """Begin to work off jobs; waits for Kafka and PostgreSQL by itself."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """End the records in hand and let the job go; another instance, or the next start, goes on with it."""
        self._stopping.set()
        self._wake.set()
        if self._task:
            _, late = await asyncio.wait([self._task], timeout=_FAREWELL_SECONDS)
            for task in late:
                task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _turn(self, id: str, act: str, status: str, among: tuple[str, ...], actor: str) -> Replay:
        job = await self.get(id)
        async with self._database.begin() as tx:
            turned = await jobs.turn(tx.connection, id, status, among=among)
            if turned:
                await tx.say(audit(job, act, actor, job.reason))
        if not turned:
            message, fix = f"replay {id} is {job.status}: nothing to {act}", f"see outrider events replays show {id}"
            raise ReplayRefused("not_now", message, fix)
        self._wake.set()
        return await self.get(id)

    async def _run(self) -> None:
        waits = backoff(self._timing.outage_first, self._timing.outage_cap)
        while not self._stopping.is_set():
            self._wake.clear()
            try:
                async with self._database.begin() as tx:
                    claimed = await jobs.claim(tx.connection, self._groups, lease=self._timing.replay_lease)
                if claimed:
                    group = self._groups[claimed.job.group]
                    work = Replaying(claimed, group, self._database, self._timing, self._stopping)
                    await work.run(lambda topic: RangeReader(self._kafka, service=self._service, topic=topic))
                    continue
            except UnavailableError:
                await asyncio.sleep(next(waits))
            except Exception:  # noqa: BLE001 - the job is safe in its table; say so and go on
                _LOG.exception("a replay stumbled and is taken up again", service=self._service)
                await asyncio.sleep(next(waits))
            else:
                waits = backoff(self._timing.outage_first, self._timing.outage_cap)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wake.wait(), self._timing.relay_poll)
