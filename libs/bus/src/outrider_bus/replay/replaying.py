"""Working off one replay: read, sift, ask the inbox in sets, handle what is left, keep how far it is.

While a portion is handled, the inbox is asked about those that come next, and more is read.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

import structlog
from aiokafka.errors import KafkaError
from outrider_contracts.names import PLATFORM
from outrider_contracts.replays import Replay, ReplayCounts, ReplayFailure
from outrider_contracts.tenants import AuditRecorded

from outrider_bus.database import PostgresDatabase
from outrider_bus.deadletters import cleaned
from outrider_bus.groups import Group
from outrider_bus.handling import again
from outrider_bus.handling.patience import spell
from outrider_bus.ports import UnavailableError
from outrider_bus.records import RawRecord, raw
from outrider_bus.replay import jobs
from outrider_bus.replay.ahead import ahead
from outrider_bus.replay.jobs import Claimed
from outrider_bus.replay.reader import RangeReader, Slice
from outrider_bus.replay.sieve import Sieve, Verdict
from outrider_bus.timing import Timing, backoff

_LOG = structlog.get_logger()
_PER_READ = 2000
_AHEAD = 3
_SAVE_SECONDS = 0.5
_SLICE = 500
_LONGEST_REASON = 500
T = TypeVar("T")


class Ended(Exception):
    """The job is no longer ours: cancelled, taken over, or the service stops."""


@dataclass(slots=True)
class _Portion:
    """What was read together: how far the reading is behind it, the ids of what matches ("" where only the content
    tells), and which of these are unknown."""

    part: Slice[tuple[Verdict, str, str]]
    cursors: dict[int, int]
    left_out: int
    ids: list[str]
    unknown: set[str] | None = None


class Replaying:
    """One claimed job. Cursors and counts are kept twice a second; what a crash repeats, the inbox knows."""

    def __init__(
        self, claimed: Claimed, group: Group, database: PostgresDatabase, timing: Timing, stopping: asyncio.Event
    ) -> None:
        self._claimed = claimed
        self._job = claimed.job
        self._group = group
        self._database = database
        self._timing = timing
        self._stopping = stopping
        self._scope = group.name if self._job.mode == "missing" else f"{group.name}#{self._job.id}"
        self._bucket = _Bucket(self._job.rate)
        self._counts = Counter(self._job.counts.model_dump())
        self._cursors = {part.partition: part.cursor for part in self._job.partitions}
        self._failures: list[ReplayFailure] = []
        self._saved_at = time.monotonic()
        self._gone = 0
        self._note = ""
        """What is waited for."""

    async def run(self, open_reader: Callable[[str], RangeReader]) -> None:
        """Work it off, however often Kafka or PostgreSQL go away; returns when it is done or no longer ours."""
        _LOG.info("replay begins", replay=self._job.id, group=self._group.name, topic=self._job.topic)
        waits = backoff(self._timing.outage_first, self._timing.outage_cap)
        try:
            self._sieve = Sieve(self._job, self._group)
            while True:
                try:
                    async with open_reader(self._job.topic) as reader:
                        await self._read(reader)
                    break
                except (KafkaError, OSError) as error:
                    self._note = f"waits for Kafka: {error!r}"
                    with suppress(UnavailableError):
                        await self._save(note=self._note)
                    await self._rest(next(waits))
            expired = f"{self._gone} offsets had expired before they were read" if self._gone else ""
            await self._end("done", expired)
        except Ended:
            with suppress(UnavailableError, Ended):
                await self._save(lease=0.0)
        except UnavailableError:
            raise
        except Exception as error:  # noqa: BLE001 - a bug must not make it run for ever; an operator may resume it
            _LOG.exception("replay failed", replay=self._job.id)
            await self._end("failed", spell(error))

    async def _read(self, reader: RangeReader) -> None:
        ends = {part.partition: part.end for part in self._job.partitions}
        await self._check_kept(reader, ends)
        self._note = ""
        reader.seek({number: (self._cursors[number], end) for number, end in ends.items()})
        limit = _PER_READ if self._job.rate is None else max(1, min(_PER_READ, int(self._job.rate / 4)))
        one_at_a_time = asyncio.Lock()

        async def read_and_ask() -> _Portion | None:
            async with one_at_a_time:
                part = None
                while part is None:
                    if reader.is_over:
                        return None
                    part = await reader.read(limit, self._sieve.judge)
                portion = _sift(part, reader.cursors)
            with suppress(UnavailableError):  # asked again when its turn comes, and then waited for
                portion.unknown = await self._unknown(portion)
            return portion

        async with ahead(read_and_ask, _AHEAD) as next_portion:
            while portion := await next_portion():
                counts, failures = await self._work_off(portion)
                self._counts += counts
                self._failures += failures
                self._cursors = portion.cursors
                await self._save_now_and_then()

    async def _check_kept(self, reader: RangeReader, ends: dict[int, int]) -> None:
        for number, (first, last) in (await reader.bounds(ends)).items():
            if ends[number] > last:
                raise RuntimeError(f"{self._job.topic}/{number} ends at {last}, not {ends[number]}: it was made anew")
            if (gone := min(first, ends[number]) - self._cursors[number]) > 0:
                self._gone += gone
                self._cursors[number] += gone

    async def _unknown(self, portion: _Portion) -> set[str]:
        ids = list(filter(None, portion.ids))
        return await again.unknown(self._database, self._scope, self._job.topic, ids) if ids else set()

    async def _work_off(self, portion: _Portion) -> tuple[Counter[str], list[ReplayFailure]]:
        counts: Counter[str] = Counter(read=len(portion.part.taken), left_out=portion.left_out)
        failures: list[ReplayFailure] = []
        unknown = portion.unknown
        if unknown is None:
            unknown = await self._surely(lambda: self._unknown(portion))
        missing = [id_ for id_ in portion.ids if not id_ or id_ in unknown] if unknown or "" in portion.ids else []
        known = len(portion.ids) - len(missing)
        counts.update(matching=known, known=known)
        await self._rest(self._bucket.take(known))
        new = self._of(portion.part, unknown) if missing else []
        for begin in range(0, len(new), _SLICE):
            part = new[begin : begin + _SLICE]
            await self._rest(self._bucket.take(len(part)))
            for record, outcome in await self._handle(part):
                if outcome.kind != "skipped":
                    counts["matching"] += outcome.kind != "left_out"
                    counts[outcome.kind] += 1
                if outcome.kind == "failed":
                    reason = cleaned(outcome.reason)[:_LONGEST_REASON]
                    failures.append(ReplayFailure(partition=record.partition, offset=record.offset, reason=reason))
            await self._save_now_and_then()
        return counts, failures

    def _of(self, part: Slice[Any], unknown: set[str]) -> list[RawRecord]:
        """Those records of the slice that match and that the inbox does not know."""
        records = []
        for record in part.records():
            verdict, _, id_ = self._sieve.judge(record)
            if verdict == "matches" and (not id_ or id_ in unknown):
                records.append(raw(part.partition, record))
        return records

    async def _handle(self, records: Sequence[RawRecord]) -> Iterable[tuple[RawRecord, again.Outcome]]:
        """Handle *records*, keeping the lease however long that takes. Raises Ended."""
        attempt = again.Attempt(self._group, self._database, self._scope, self._sieve.types, self._surely)
        handling = asyncio.create_task(attempt.all(records))
        try:
            while not (await asyncio.wait([handling], timeout=2 * _SAVE_SECONDS))[0]:
                await self._keep_lease()
        finally:
            handling.cancel()
            await asyncio.gather(handling, return_exceptions=True)
        return zip(records, handling.result(), strict=True)

    async def _surely(self, act: Callable[[], Awaitable[T]]) -> T:
        waits = backoff(self._timing.outage_first, self._timing.outage_cap)
        while True:
            try:
                done = await act()
            except UnavailableError as error:
                self._note = f"waits: {error}"
                with suppress(UnavailableError):
                    await self._save(note=self._note)
                await self._rest(next(waits))
            else:
                self._note = ""
                return done

    async def _rest(self, seconds: float) -> None:
        """Wait, keeping the lease where that can be: what is waited for may be the database. Raises Ended."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), min(left, 2 * _SAVE_SECONDS))
            await self._keep_lease()
        if self._stopping.is_set():
            raise Ended

    @property
    def _save_is_due(self) -> bool:
        return time.monotonic() - self._saved_at > _SAVE_SECONDS

    async def _keep_lease(self) -> None:
        """Try once to save, now and then."""
        if self._save_is_due:
            with suppress(UnavailableError):
                await self._save(note=self._note)

    async def _save_now_and_then(self) -> None:
        if self._save_is_due:
            await self._surely(self._save)

    async def _save(self, *, note: str = "", status: str = "running", lease: float | None = None) -> None:
        counts = ReplayCounts.model_validate(self._counts)
        lease = self._timing.replay_lease if lease is None else lease
        async with self._database.begin() as tx:
            if not await jobs.save(
                tx.connection, self._claimed, counts, self._cursors, self._failures, note=note, status=status,
                lease=lease,
            ):  # fmt: skip
                raise Ended
            if status != "running":
                told = ", ".join(f"{name} {count}" for name, count in counts.model_dump().items() if count)
                await tx.say(audit(self._job, "end", self._job.actor, note or told or "nothing read", status=status))
        self._failures = []
        self._saved_at = time.monotonic()

    async def _end(self, status: str, note: str) -> None:
        await self._surely(lambda: self._save(status=status, note=note))
        _LOG.info("replay ended", replay=self._job.id, status=status, **self._counts)


def _sift(part: Slice[tuple[Verdict, str, str]], cursors: Mapping[int, int]) -> _Portion:
    ids = [id_ for verdict, _, id_ in part.taken if verdict == "matches"]
    left_out = sum(verdict == "left_out" for verdict, _, _ in part.taken) if len(ids) < len(part.taken) else 0
    return _Portion(part, dict(cursors), left_out, ids)


class _Bucket:
    """A token bucket: *rate* a second, none saved up but for a moment."""

    def __init__(self, rate: float | None) -> None:
        self._rate = rate
        self._free_at = time.monotonic()

    def take(self, count: int) -> float:
        """How long to wait before *count* more."""
        if self._rate is None:
            return 0.0
        now = time.monotonic()
        wait = max(0.0, self._free_at - now)
        self._free_at = now + wait + count / self._rate
        return wait


def audit(job: Replay, act: str, actor: str, detail: str, *, status: str = "done") -> AuditRecorded:
    """What the audit trail says of a replay. The actor of its end is who ordered it."""
    return AuditRecorded(
        team=job.teams[0] if len(job.teams) == 1 else PLATFORM, actor=actor, action=f"replay.{act}",
        resource=f"replay/{job.group}/{job.id}", outcome="failed" if status == "failed" else "done",
        detail=f"{job.mode} {job.topic}: {detail}", because=job.id, at=datetime.now(UTC),
    )  # fmt: skip
