"""Planning a replay: which offsets it reads, a look at what is there, and what it will leave out. Changes nothing."""

import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import TopicPartition
from outrider_contracts.envelope import UndecodableError
from outrider_contracts.replays import (
    LeftOut,
    OffsetRange,
    PartitionPlan,
    RecordPreview,
    ReplayPlan,
    ReplayRequest,
    digest_of,
)

from outrider_bus import inbox
from outrider_bus.groups import Group
from outrider_bus.records import RawRecord, raw, read
from outrider_bus.replay.reader import RangeReader
from outrider_bus.replay.sieve import ReplayRefused, Sieve

_LOOKS_SECONDS = 5.0
_PREVIEWS = 5
_PER_READ = 2000
_PER_READ_DECODED = 100
"""Few where each has to be decoded: nothing else happens meanwhile."""
_SPELT = 200
Ask = Callable[[Sequence[str]], Awaitable[Collection[str]]]
"""Those of some ids that the inbox does not know."""


def choose_topic(request: ReplayRequest, group: Group) -> ReplayRequest:
    """The request with its topic named. Raises ReplayRefused for what this group can't or may not handle again."""
    if group.types <= group.never_again.keys():
        why = "; ".join(sorted(set(group.never_again.values())))
        raise ReplayRefused(
            "never_again", f"{group.name} handles nothing again: {why}", "nothing to do here; see what groups allow: "
            "outrider events groups",
        )  # fmt: skip
    topic = request.topic or (group.topics[0] if len(group.topics) == 1 else "")
    hears = [name for name in (topic, f"outrider.{topic}") if _hears(group, name)]
    if not topic or not hears:
        heard = group.pattern or " or ".join(group.topics)
        raise ReplayRefused("which_topic", f"{group.name} hears {heard}", "name one of them: --topic TOPIC")
    if request.since and request.until and request.since >= request.until:
        raise ReplayRefused("empty_range", "the range ends before it begins", "give --from a time before that of --to")
    ends = request.until_offsets
    if crossed := [number for number, start in request.offsets.items() if start >= ends.get(number, start + 1)]:
        message = f"the range of partition {crossed[0]} ends before it begins"
        raise ReplayRefused("empty_range", message, "give --from an offset before that of --to")
    return request.model_copy(update={"topic": hears[0]})


def _hears(group: Group, topic: str) -> bool:
    return topic in group.topics or bool(group.pattern and re.match(group.pattern, topic))


async def plan(
    request: ReplayRequest,
    group: Group,
    reader: RangeReader,
    *,
    unknown: Ask,
    inbox_days: float,
    look: bool,
) -> ReplayPlan:
    """Say what *request* would do. Raises ReplayRefused, UnavailableError."""
    sieve = Sieve(request, group)
    ranges, warnings = await _ranges(request, reader)
    oldest = datetime.now(UTC) - timedelta(days=inbox_days)
    reader.seek({r.partition: (r.start, r.end) for r in ranges})
    looks = _Looks(sieve, group, ask=unknown if request.mode == "missing" else None)
    at_once = _PER_READ if sieve.tells_by_headers else _PER_READ_DECODED
    began = time.monotonic()
    while look and not reader.is_over and time.monotonic() - began < _LOOKS_SECONDS:
        if part := await reader.read(at_once, lambda record: record):
            for record in part.taken:
                looks.at(part.partition, record)
        await looks.count_missing()
    took = max(time.monotonic() - began, 0.001)
    complete = reader.is_over
    parts = [
        PartitionPlan(
            **r.model_dump(), records=r.end - r.start, looked_at=looks.seen[r.partition],
            matching=looks.matching[r.partition],
        )
        for r in ranges
    ]  # fmt: skip
    records, seen, found = sum(p.records for p in parts), looks.seen.total(), looks.matching.total()
    share = 1 if complete else records / max(seen, 1)
    matching = round(found * share)
    if looks.earliest and looks.earliest < oldest and request.mode == "missing":
        warnings.append(f"inboxes remember {inbox_days:.0f} days: what is older counts as missing and is handled again")
    left_out = tuple(
        LeftOut(type=kind.type or kind.__name__, why=why, looked_at=looks.left_out[kind.type])
        for kind, why in sorted(group.never_again.items(), key=lambda item: item[0].type)
        if kind in sieve.types
    )
    made = ReplayPlan(
        **{**request.model_dump(include=set(ReplayPlan.model_fields)), "partitions": parts}, complete=complete,
        matching=matching, missing=round(looks.missing * share) if look and request.mode == "missing" else None,
        seconds=matching / request.rate if request.rate else records * took / max(seen, 1),
        left_out=left_out, previews=tuple(looks.previews), warnings=tuple(warnings),
    )  # fmt: skip
    made = made.model_copy(update={"digest": digest_of(made, made.ranges)})
    if request.digest and request.digest != made.digest:
        raise ReplayRefused(
            "another_plan", f"this is not what plan {request.digest} has shown", "plan again, and run what you then see"
        )
    return made


async def _ranges(request: ReplayRequest, reader: RangeReader) -> tuple[list[OffsetRange], list[str]]:
    there = await reader.partitions()
    named = {*request.partitions, *request.offsets, *request.until_offsets, *(r.partition for r in request.ranges)}
    if unknown := named - set(there):
        fix = f"{request.topic} has partitions {there[0]} to {there[-1]}"
        raise ReplayRefused("unknown_partition", f"there is no partition {', '.join(map(str, sorted(unknown)))}", fix)
    chosen = sorted(named or there)
    bounds = await reader.bounds(chosen)
    since = await reader.at(request.since, chosen) if request.since else {}
    until = await reader.at(request.until, chosen) if request.until else {}
    planned = {r.partition: r for r in request.ranges}
    ranges, warnings = [], []
    for number in chosen:
        first, last = bounds[number]
        start, end = first, last
        if number in planned:
            start, end = planned[number].start, planned[number].end
        else:
            if request.since:
                start = last if (found := since[number]) is None else found
            start = request.offsets.get(number, start)
            if (found := until.get(number)) is not None:
                end = found
            end = min(end, request.until_offsets.get(number, end))
        if start > last or end > last:
            fix = f"it ends at {last} now; plan again"
            raise ReplayRefused("beyond_the_end", f"partition {number} has no offset {max(start, end)}", fix)
        if start < first:
            warnings.append(f"partition {number}: offsets {start} to {first - 1} are no longer kept")
        elif start == first > 0 and not planned and number not in request.offsets:
            warnings.append(f"partition {number}: what lay before offset {first} is no longer kept")
        ranges.append(OffsetRange(partition=number, start=max(start, first), end=max(start, first, end)))
    return ranges, warnings


class _Looks:
    """Counts what a plan has looked at."""

    def __init__(self, sieve: Sieve, group: Group, *, ask: Ask | None) -> None:
        self._sieve = sieve
        self._group = group
        self._ask = ask
        self.seen: Counter[int] = Counter()
        self.matching: Counter[int] = Counter()
        self.left_out: Counter[str] = Counter()
        self.previews: list[RecordPreview] = []
        self.missing = 0
        self._asked: dict[str, RawRecord] = {}
        """What matches by its id, since it was asked for last."""
        self.earliest: datetime | None = None

    def at(self, place: TopicPartition, record: Any) -> None:
        """Look at one record."""
        partition = place.partition
        self.seen[partition] += 1
        verdict, kind, id_ = self._sieve.judge(record)
        if verdict == "left_out":
            self.left_out[kind] += 1
        if verdict != "matches":
            return
        self.matching[partition] += 1
        found = raw(place, record)
        if self._ask and (told := id_ or self._told_by_content(found)):
            self._asked[told] = found
        self.earliest = min(self.earliest or found.timestamp, found.timestamp)
        if len(self.previews) < _PREVIEWS:
            key = (found.key or b"").decode(errors="replace")
            self.previews.append(
                RecordPreview(
                    partition=partition, offset=found.offset, said_at=found.timestamp, key=key[:_SPELT],
                    type=kind[:_SPELT], id=id_[:_SPELT], bytes=len(found.value or b""),
                )
            )  # fmt: skip

    async def count_missing(self) -> None:
        """Ask for what was looked at since. What was given up as unreadable and still is has its dead letter."""
        if not self._ask or not self._asked:
            return
        asked, self._asked = self._asked, {}
        new = [asked[id_] for id_ in await self._ask(list(asked))]
        places = {inbox.place(record): record for record in new}
        never = set(await self._ask(list(places))) if places else set()
        given_up = [
            place for place, record in places.items() if place not in never and self._told_by_content(record) == place
        ]
        self.missing += len(new) - len(given_up)

    def _told_by_content(self, record: RawRecord) -> str:
        """Its id; its place where it can't be read; "" where there is nothing to handle."""
        try:
            heard = read(record, self._group.decoder)
        except UndecodableError:
            return inbox.place(record)
        return heard.envelope.id if heard else ""
