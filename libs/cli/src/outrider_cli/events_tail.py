"""`outrider events tail`: the records of topics, as they lie there and as they come."""

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from confluent_kafka import KafkaError, TopicPartition
from outrider_contracts.declarations import parse_duration

from outrider_cli.connection import NotConnected
from outrider_cli.context import err, out
from outrider_cli.events_broker import Broker, Place
from outrider_cli.events_context import AsJson, broker_of
from outrider_cli.events_records import Shown, as_json, as_text, matches, shown

Topics = Annotated[list[str], typer.Argument(help="Topics; `outrider.` may be left out.", metavar="TOPIC...")]
_LAST = 10


def tail(
    context: typer.Context,
    topics: Topics,
    team: Annotated[str | None, typer.Option(help="Only records that concern this team.")] = None,
    type_: Annotated[str | None, typer.Option("--type", help="Only this event type; * and ? stand for others.")] = None,
    key: Annotated[str | None, typer.Option(help="Only this key; * and ? stand for others.")] = None,
    since: Annotated[str | None, typer.Option(help="From then on: 90s, 2h, 3d ago, or 2026-11-22T10:00Z.")] = None,
    from_: Annotated[int | None, typer.Option("--from", help="From this offset on, in each partition.")] = None,
    partition: Annotated[int | None, typer.Option(min=0, help="Only this partition.")] = None,
    last: Annotated[
        int | None, typer.Option("-n", min=0, help="At most so many, the newest [10; all with --since or --from].")
    ] = None,
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Go on with what comes, until Ctrl-C.")] = False,
    json_: AsJson = False,
) -> None:
    """Show the last records of topics, oldest first; with --json one per line. Joins no group, commits nothing.

    Records that can't be read are shown as they are, and say what is wrong with them. Control characters are escaped.

    \b
    Examples:
      outrider events tail airflow.v1
      outrider events tail outrider.airflow.v1 outrider.environments.v1 --team ops --follow
      outrider events tail environments.v1 --type 'outrider.environment.sealed.*' --since 2h --json | jq .key
      outrider events tail dlq.storage --partition 0 --from 120 -n 1

    Ends with 0; 1 where Kafka does not answer or a topic is unknown; 2 for a time that can't be read.
    """
    begin = None if since is None else read_moment(since, datetime.now(UTC))
    with broker_of(context) as broker:
        places = _places(broker, topics, partition)
        ends = broker.ends(places)
        wanted = [name for name in (team, type_, key) if name is not None]
        count = last if last is not None else None if begin or from_ is not None else _LAST
        starts = _starts(broker, ends, begin, from_, count if not wanted else None)
        stop = {place: end for place, (_, end) in ends.items()}
        newest: deque[Shown] = deque(maxlen=count)
        with err.status("reading …"):
            for record in read(broker, starts, stop):
                if matches(record, team=team, type_=type_, key=key):
                    newest.append(record)
        for record in sorted(newest, key=lambda one: (one.at, one.topic, one.partition, one.offset)):
            _print(record, json_)
        if follow:
            try:
                for record in read(broker, stop, None):
                    if matches(record, team=team, type_=type_, key=key):
                        _print(record, json_)
            except KeyboardInterrupt:
                return


def read_moment(text: str, now: datetime) -> datetime:
    """`2h` ago, or a moment of its own (UTC where it names no zone). Ends with status 2 where it is neither."""
    try:
        if re.fullmatch(r"\d.*[a-z]", text):
            return now - parse_duration(text)
        at = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(f"{text!r} is no time: write 90s, 2h, 3d or 2026-11-22T10:00Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def read(broker: Broker, starts: Mapping[Place, int], stop: Mapping[Place, int] | None) -> Iterator[Shown]:
    """The records from *starts* up to *stop*; without it for ever, as they come."""
    left = {place for place, offset in starts.items() if stop is None or offset < stop[place]}
    if not left:
        return
    consumer = broker.consumer(**{"queued.max.messages.kbytes": 65_536})
    try:
        consumer.assign([TopicPartition(*place, starts[place]) for place in left])
        while left:
            for message in consumer.consume(500, 0.2):
                place = (message.topic() or "", message.partition() or 0)
                fault = message.error()
                if fault is not None and fault.code() != KafkaError._PARTITION_EOF:
                    raise NotConnected(
                        f"Kafka refused to read {place[0] or 'at all'}: {fault.name()}; may the operator read it?"
                    )
                behind = (message.offset() or 0) + (0 if fault is not None else 1)
                if fault is None and (stop is None or behind <= stop[place]):
                    yield shown(message)
                if stop is not None and behind >= stop[place]:
                    left.discard(place)
    finally:
        consumer.close()


def _places(broker: Broker, topics: Sequence[str], partition: int | None) -> list[Place]:
    there = broker.partitions()
    found = []
    for spelt in topics:
        name = spelt if spelt in there else f"outrider.{spelt}"
        if name not in there:
            raise NotConnected(f"there is no topic {spelt}; see `outrider events topics`")
        if partition is not None and partition >= there[name]:
            raise NotConnected(f"{name} has {there[name]} partitions, the first is 0")
        found += [(name, number) for number in range(there[name]) if partition in (None, number)]
    return found


def _starts(
    broker: Broker, ends: Mapping[Place, tuple[int, int]], begin: datetime | None, offset: int | None, count: int | None
) -> dict[Place, int]:
    """Where to begin in each partition; the last *count* of each hold the last *count* of all."""
    starts = {place: low if count is None else max(low, end - count) for place, (low, end) in ends.items()}
    if offset is not None:
        starts = {place: min(max(low, offset), end) for place, (low, end) in ends.items()}
    elif begin is not None:
        at = broker.offsets_at(ends, int(begin.timestamp() * 1000))
        starts = {place: at[place] if at[place] >= 0 else ends[place][1] for place in ends}
    return starts


def _print(record: Shown, json_: bool) -> None:
    if json_:
        print(json.dumps(as_json(record)), flush=True)
    else:
        out.print(as_text(record), soft_wrap=True)
