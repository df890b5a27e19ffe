"""`outrider events topics`: what lies in the broker, beside what the registry wants."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import typer
from outrider_contracts.topics import TopicSpec, team_of_topic
from rich.markup import escape
from rich.table import Table

from outrider_cli.context import out
from outrider_cli.events_broker import Broker, expected
from outrider_cli.events_context import AsJson, broker_of
from outrider_cli.events_format import ago, length, table
from outrider_cli.events_times import times_at

_WIDE = 130


@dataclass(frozen=True)
class TopicReport:
    """One topic as it is; `faults` says how it differs from the registry."""

    name: str
    partitions: int
    records: int
    """Offsets between first and last; a compacted topic holds fewer."""
    oldest: datetime | None
    newest: datetime | None
    kept: str
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    faults: tuple[str, ...]


def topics(context: typer.Context, as_json: AsJson = False) -> None:
    """Show every topic of the broker: how much lies there, how old it is, who writes and reads it.

    What differs from the registry is said: missing topics (`outrider topics apply` makes them), foreign ones,
    other partitions or configuration. Nobody may write or read but those named (a terminal of 130 columns or more,
    and --json, show them).

    \b
    Examples:
      outrider events topics
      outrider events topics --json | jq -r '.[] | select(.faults != []) | .name'

    Ends with 0, also where topics differ; 1 where Kafka does not answer.
    """
    with broker_of(context) as broker:
        reports = look(broker)
    if as_json:
        print(json.dumps([asdict(report) for report in reports], indent=1, default=str))
        return
    out.print(_table(reports, wide=out.width >= _WIDE))
    for one in reports:
        for fault in one.faults:
            out.print(f"[red]{escape(one.name)}:[/] {escape(fault)}", soft_wrap=True)


def _table(reports: Sequence[TopicReport], *, wide: bool) -> Table:
    who = ("writers", "readers") if wide else ()
    shown = table("topic", "parts", "records", "oldest", "newest", "kept", *who, right=("records",))
    for one in reports:
        name = f"[{'red' if one.faults else 'default'}]{escape(one.name)}[/]"
        age = (ago(one.oldest), ago(one.newest))
        names = (" ".join(one.writers), " ".join(one.readers)) if wide else ()
        shown.add_row(name, str(one.partitions), f"{one.records:,}", *age, one.kept, *names)
    return shown


def look(broker: Broker) -> list[TopicReport]:
    """Every topic there is or should be."""
    partitions = broker.partitions()
    configurations = broker.configurations(partitions)
    wanted = expected(partitions)
    ends = broker.ends((name, number) for name, count in partitions.items() for number in range(count))
    filled = {place: span for place, span in ends.items() if span[1] > span[0]}
    oldest = times_at(broker, {place: low for place, (low, _) in filled.items()})
    newest = times_at(broker, {place: end - 1 for place, (_, end) in filled.items()})
    reports = []
    for name in sorted(partitions.keys() | wanted.keys()):
        spec, configuration = wanted.get(name), configurations.get(name, {})
        firsts = [at for (topic, _), at in oldest.items() if topic == name]
        lasts = [at for (topic, _), at in newest.items() if topic == name]
        reports.append(
            TopicReport(
                name=name,
                partitions=partitions.get(name, 0),
                records=sum(end - low for (topic, _), (low, end) in ends.items() if topic == name),
                oldest=min(firsts, default=None),
                newest=max(lasts, default=None),
                kept=_kept(configuration),
                writers=_with_team(name, spec.writers) if spec else (),
                readers=spec.readers if spec else (),
                faults=tuple(faults_of(spec, partitions.get(name), configuration)),
            )
        )
    return reports


def faults_of(spec: TopicSpec | None, partitions: int | None, configuration: Mapping[str, str]) -> list[str]:
    """How a topic (None: not there) differs from what the registry says of it (None: nothing)."""
    if partitions is None:
        return ["is missing; make it with `outrider topics apply`"]
    if spec is None:
        return ["is not in the registry: nothing of the platform made it"]
    found = []
    if partitions != spec.partitions:
        found.append(f"has {partitions} partitions, the registry says {spec.partitions}")
    for name, value in spec.configuration.items():
        if configuration and configuration.get(name) != value:
            found.append(f"has {name}={configuration.get(name)}, the registry says {value}")
    return found


def _with_team(name: str, writers: tuple[str, ...]) -> tuple[str, ...]:
    team = team_of_topic(name)
    return (*writers, f"team {team}") if team and name.endswith(".inbox.v1") else writers


def _kept(configuration: Mapping[str, str]) -> str:
    if "compact" in configuration.get("cleanup.policy", ""):
        return "compacted"
    retention = int(configuration.get("retention.ms", "0"))
    return "for ever" if retention < 0 else length(retention / 1000).replace(".0 ", " ") if retention else "?"
