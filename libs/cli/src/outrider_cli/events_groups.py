"""`outrider events groups | lag`: who reads what, and how far behind they are in records and seconds."""

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from outrider_cli.context import out
from outrider_cli.events_broker import Broker, Group, Place
from outrider_cli.events_context import AsJson, broker_of
from outrider_cli.events_format import length, table
from outrider_cli.events_times import times_at

_BEHIND = 3
_WIDE = 120


@dataclass(frozen=True)
class Lag:
    """How far one group is in one partition."""

    group: str
    topic: str
    partition: int
    committed: int | None
    end: int
    records: int
    seconds: float | None
    """Age of the first record that is not committed; 0 where all are, None where that record can't be seen."""


def groups(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every consumer group: whose it is, its state, its members and what it reads.

    A terminal of 120 columns or more, and --json, name the members.

    \b
    Examples:
      outrider events groups
      outrider events groups --json | jq -r '.[] | select(.state == "empty") | .name'

    Ends with 0; 1 where Kafka does not answer or shows no group.
    """
    with broker_of(context) as broker:
        found = broker.groups()
    if as_json:
        print(json.dumps([_plain(one) for one in found], indent=1))
        return
    shown = table("group", "owner", "state", "members", "topics")
    for one in found:
        colour = {"stable": "green", "empty": "yellow"}.get(one.state, "red")
        wide = out.width >= _WIDE
        named = ", ".join(f"{client} at {host}: {parts} parts" for client, host, parts in one.members)
        members = named if wide and named else f"{len(one.members)}, {sum(parts for *_, parts in one.members)} parts"
        topics = one.topics or ["-"]
        state = f"[{colour}]{one.state}[/]"
        shown.add_row(escape(one.name), one.owner or "nobody's", state, escape(members), escape(topics[0]))
        for topic in topics[1:]:
            shown.add_row("", "", "", "", escape(topic))
    out.print(shown)


def lag(
    context: typer.Context,
    group: Annotated[list[str] | None, typer.Argument(help="Only these groups; all without.")] = None,
    partitions: Annotated[bool, typer.Option("--partitions", help="Show also partitions that are not behind.")] = False,
    max_records: Annotated[int | None, typer.Option(help="End with 3 where a group is further behind.")] = None,
    max_seconds: Annotated[float | None, typer.Option(help="End with 3 where a group is further behind.")] = None,
    watch: Annotated[float | None, typer.Option(help="Look again every so many seconds, until Ctrl-C.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show how far groups are behind: records not committed, and the age of the first of them.

    Partitions that are behind are shown below their group. A group without members goes on being behind: see
    `outrider events groups`. An age is unknown (null as JSON) where you may not read the topic or its record does not
    come in time; for --max-seconds that is too far.

    \b
    Examples:
      outrider events lag
      outrider events lag storage --partitions
      outrider events lag --watch 2
      outrider events lag storage --watch 10 --json >> lag.jsonl
      outrider events lag --max-seconds 60 --max-records 10000 || page-somebody

    Ends with 0; 1 where Kafka does not answer, shows no group or does not know one; 3 where a group is further behind
    than allowed.
    """
    with broker_of(context) as broker:
        if watch is not None:
            _watch(_looks(broker, group or (), watch), every_partition=partitions, as_json=as_json)
            return
        found = measure(broker, group or ())
    if as_json:
        print(json.dumps([asdict(one) for one in found], indent=1))
    else:
        out.print(lag_table(found, every_partition=partitions))
    behind = [
        name
        for name, records, seconds in totals(found)
        if (max_records is not None and records > max_records)
        or (max_seconds is not None and (seconds is None or seconds > max_seconds))
    ]
    if behind:
        raise typer.Exit(_BEHIND)


def measure(broker: Broker, only: Sequence[str]) -> list[Lag]:
    """The lag of every partition that the groups read."""
    found = [
        (group.name, place, committed) for group in broker.groups(only) for place, committed in group.committed.items()
    ]
    there = broker.partitions()
    live = [(name, place, committed) for name, place, committed in found if place[1] < there.get(place[0], 0)]
    ends = broker.ends({place for _, place, _ in live})
    first = {(name, place): max(ends[place][0], committed or 0) for name, place, committed in live}
    times: dict[tuple[str, Place], datetime] = {}
    for name in {name for name, _ in first}:
        behind = {place: at for (owner, place), at in first.items() if owner == name and at < ends[place][1]}
        times |= {(name, place): at for place, at in times_at(broker, behind).items()}
    now = datetime.now(UTC)
    ages = {key: round(max(0.0, (now - at).total_seconds()), 1) for key, at in times.items()}
    lags = []
    for name, place, committed in sorted(live, key=lambda one: (one[0], one[1])):
        records = max(0, ends[place][1] - first[name, place])
        seconds = ages.get((name, place)) if records else 0.0
        lags.append(Lag(name, *place, committed, ends[place][1], records, seconds))
    return lags


def totals(found: Sequence[Lag]) -> list[tuple[str, int, float | None]]:
    """Per group: all its records, and the age of the oldest of them; None where one's is unknown."""
    rows: list[tuple[str, int, float | None]] = []
    for name in sorted({one.group for one in found}):
        of = [one for one in found if one.group == name]
        ages = [one.seconds for one in of if one.seconds is not None]
        rows.append((name, sum(one.records for one in of), max(ages) if len(ages) == len(of) else None))
    return rows


def lag_table(found: Sequence[Lag], *, every_partition: bool) -> Table:
    """Totals per group, and the partitions that are behind below each."""
    numbers = ("records", "behind", "committed", "end")
    shown = table("group", "partition", *numbers, right=numbers)
    for name, records, seconds in totals(found):
        colour = "green" if not records else "yellow"
        shown.add_row(escape(name), "", f"[{colour}]{records:,}[/]", f"[{colour}]{_age(seconds)}[/]", "", "")
        for one in found:
            if one.group == name and (one.records or every_partition):
                committed = "none" if one.committed is None else str(one.committed)
                place = escape(f"{one.topic}/{one.partition}")
                shown.add_row("", place, f"{one.records:,}", _age(one.seconds), committed, str(one.end))
    return shown


def _age(seconds: float | None) -> str:
    return "unknown" if seconds is None else length(seconds)


def _looks(broker: Broker, only: Sequence[str], seconds: float) -> Iterator[list[Lag]]:
    while True:
        yield measure(broker, only)
        time.sleep(max(0.2, seconds))


def _watch(looks: Iterable[list[Lag]], *, every_partition: bool, as_json: bool) -> None:
    """On a terminal in place; elsewhere one look after the other, as JSON each on a line."""
    try:
        if as_json:
            for found in looks:
                print(json.dumps([asdict(one) for one in found]), flush=True)
        elif not out.is_terminal:
            for found in looks:
                out.print(lag_table(found, every_partition=every_partition))
        else:
            with Live(console=out, auto_refresh=False, screen=True) as live:
                for found in looks:
                    live.update(lag_table(found, every_partition=every_partition), refresh=True)
    except KeyboardInterrupt:
        return


def _plain(group: Group) -> dict[str, object]:
    members = [{"client": client, "host": host, "partitions": parts} for client, host, parts in group.members]
    return {
        "name": group.name, "owner": group.owner, "state": group.state, "members": members, "topics": group.topics,
    }  # fmt: skip
