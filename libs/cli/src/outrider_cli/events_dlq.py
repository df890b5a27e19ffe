"""`outrider events dlq ls | show`: dead letters, and all that is known of one. `events_redrive` deals with them."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from outrider_local.names import SERVICES
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from outrider_cli.connection import NotConnected
from outrider_cli.context import err, out
from outrider_cli.events_broker import Broker
from outrider_cli.events_context import AsJson, connected
from outrider_cli.events_format import ago, size, table, visible
from outrider_cli.events_letters import Letter, Wanted, fetch, find, states
from outrider_cli.events_records import hex_lines, value_text
from outrider_cli.events_tail import read_moment

app = typer.Typer(no_args_is_help=True, help="Dead letters: records that services could not take, untouched.")
Id = Annotated[str, typer.Argument(metavar="ID", help="As `dlq ls` shows it: service/partition/offset.")]
OfService = Annotated[list[str] | None, typer.Option("--service", help="Only this service's; may be repeated.")]
OfTeam = Annotated[str | None, typer.Option("--team", help="Only records that concern this team.")]
OfStage = Annotated[str | None, typer.Option("--stage", help="Where it failed: headers, value, validate, handle, …")]
OfGroup = Annotated[str | None, typer.Option("--group", help="Only this consumer group's.")]
Since = Annotated[str | None, typer.Option(help="Given up since then: 2h, 3d ago, or 2026-11-22T10:00Z.")]
_MUCH = 65_536


@app.command()
def ls(
    context: typer.Context,
    service: OfService = None,
    team: OfTeam = None,
    stage: OfStage = None,
    group: OfGroup = None,
    since: Since = None,
    all_: Annotated[bool, typer.Option("--all", help="Also those that were redriven or discarded.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show dead letters, oldest first: whose, where they lay, why they were given up.

    They are kept for 30 days. Where a service is down its letters are shown all the same, settled ones among them.

    \b
    Examples:
      outrider events dlq ls
      outrider events dlq ls --service storage --team ops --since 2d
      outrider events dlq ls --all --json | jq -r '.[] | select(.stage == "validate") | .id'

    Ends with 0; 1 where Kafka does not answer or shows no dead letters' topic; 2 for an unknown service or a time that
    can't be read.
    """
    wanted = wanted_of(service, team, stage, group, since)
    with connected(context) as connection, err.status("reading …"):
        letters = find(Broker(connection.kafka), connection, wanted, settled=all_)
    if as_json:
        print(json.dumps([letter.as_json() for letter in letters], indent=1))
    elif letters:
        out.print(letter_table(letters, states_too=all_))
        out.print("\n`outrider events dlq show ID` tells all of one; `redrive` and `discard` deal with them")
    else:
        out.print("no dead letters" + ("" if all_ else " are open"))


@app.command()
def show(
    context: typer.Context,
    id_: Id,
    raw: Annotated[Path | None, typer.Option(help="Write the value to this file, byte for byte.")] = None,
    hex_: Annotated[bool, typer.Option("--hex", help="Show the value in hexadecimal.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show all of a dead letter: origin, reason, what was done with it, headers, value. Control characters are escaped.

    \b
    Examples:
      outrider events dlq show storage/0/123
      outrider events dlq show storage/0/123 --hex
      outrider events dlq show storage/0/123 --raw value.bin

    Ends with 0; 1 where there is no such letter or Kafka does not answer.
    """
    with connected(context) as connection:
        letter = fetch(Broker(connection.kafka), id_)
        known = states(connection, [letter.service])
        state = known.get((letter.service, letter.record.partition, letter.record.offset))
        letter = Letter(letter.service, letter.record, state)
        value = letter.record.value
        if raw is not None:
            if value is None:
                raise NotConnected(f"{id_} has no value; nothing written")
            raw.write_bytes(value)
            out.print(f"{size(len(value))} written to {escape(str(raw))}", soft_wrap=True)
            return
    if as_json:
        print(json.dumps(letter.as_json(), indent=1))
        return
    out.print(_facts(letter))
    out.print("\n[bold]headers[/]")
    for name, content in letter.record.headers:
        out.print(Text(f"  {visible(name)}: {'(null)' if content is None else visible(content)}"), soft_wrap=True)
    out.print(f"\n[bold]value[/]  {size(len(value)) if value is not None else 'none'}")
    if value is not None:
        part = value[:_MUCH]
        text = (
            hex_lines(part)
            if hex_ or _is_binary(part)
            else value_text(value if len(value) <= _MUCH else part, indent=2)
        )
        out.print(Text(text), soft_wrap=True)
        if len(value) > _MUCH:
            out.print(f"[dim]… the first {size(_MUCH)}; --raw FILE writes all of it[/]")


def wanted_of(
    services: list[str] | None, team: str | None, stage: str | None, group: str | None, since: str | None
) -> Wanted:
    """The filters as options say them. Ends with status 2 where one can't be."""
    if unknown := [name for name in services or () if name not in SERVICES]:
        raise typer.BadParameter(f"there is no service {', '.join(unknown)}; there are {', '.join(SERVICES)}")
    begin = None if since is None else read_moment(since, datetime.now(UTC))
    return Wanted(tuple(services or ()), team, stage, group, begin)


def letter_table(letters: list[Letter], *, states_too: bool = False) -> Table:
    """A line per letter."""
    states_of = ("state",) if states_too else ()
    shown = table("id", "age", "team", "stage", "tries", *states_of, "why", right=("tries",))
    for one in letters:
        tries = one.said("attempts") + (f"+{one.state.redrives}" if one.state and one.state.redrives else "")
        state = (one.state.state if one.state else "open",) if states_too else ()
        told = (ago(one.record.at), visible(one.team), visible(one.said("stage")), tries, *state)
        shown.add_row(*map(escape, (one.id, *told, visible(one.said("reason"))[:160])))
    return shown


def _facts(letter: Letter) -> Table:
    facts = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    told = {
        "letter": f"{letter.id}, given up {ago(letter.record.at)} ago",
        "record": f"{letter.origin}, said {letter.said('origin-timestamp')}",
        "group": letter.said("group"),
        "team": letter.team,
        "stage": f"{letter.said('stage')}, tries {letter.said('attempts')}",
        "reason": letter.said("reason"),
        "readable": letter.record.fault or "yes, by the present contract",
        "key": "(none)" if letter.record.key is None else letter.record.key.decode(errors="backslashreplace"),
    }
    if one := letter.state:
        told["state"] = f"{one.state} {one.outcome}".strip()
        told["by"] = f"{one.actor}, {ago(one.changed_at)} ago: {one.reason} (redrives so far: {one.redrives})"
    for name, text in told.items():
        facts.add_row(name, Text(visible(text)))
    return facts


def _is_binary(value: bytes) -> bool:
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return True
    return "\0" in text
