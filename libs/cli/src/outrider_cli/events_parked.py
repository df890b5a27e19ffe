"""`outrider events parked`: lanes that are sick, and what to do with the record they stumble over."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Literal

import typer
from outrider_contracts.operations import LaneName, LaneOutcomes, Parked, ParkedLane, ParkedRequest
from rich.markup import escape

from outrider_cli.connection import Connection, NotConnected
from outrider_cli.context import out
from outrider_cli.events_context import AsJson, Reason, confirm, connected
from outrider_cli.events_format import ago, length, visible
from outrider_cli.events_services import ask_each, post

app = typer.Typer(invoke_without_command=True)
OfGroup = Annotated[str | None, typer.Option("--group", help="Only this consumer group's.")]
OfTeam = Annotated[str | None, typer.Option("--team", help="Only this team's.")]
_AT_ONCE = 1000
"""Lanes that one request may name."""
Found = tuple[str, ParkedLane]
"""A sick lane and its service."""
_SAYS = {
    "done": {"retry": "tried now", "give-up": "given up: a dead letter now"},
    "well": {"retry": "is well again", "give-up": "is well again"},
    "handled": {"give-up": "was handled just now; nothing given up"},
}


@app.callback()
def default(context: typer.Context) -> None:
    """Lanes that are sick: a record that fails parks its lane (a run, a team); later ones of the lane wait behind it.

    It is tried five times in two minutes, then becomes a dead letter. Without a command: `ls`.
    """
    if context.invoked_subcommand is None:
        ls(context)


@app.command()
def ls(context: typer.Context, group: OfGroup = None, team: OfTeam = None, as_json: AsJson = False) -> None:
    """Show sick lanes: the record they stumble over, tries so far, when the next is due, how many wait behind.

    \b
    Examples:
      outrider events parked
      outrider events parked ls --team ops --json

    Ends with 0; 1 where no service answers (one of several that does not is named on stderr).
    """
    with connected(context) as connection:
        found = find(connection, group, team)
    if as_json:
        print(json.dumps([{"service": s, **lane.model_dump(mode="json")} for s, lane in found], indent=1))
        return
    if not found:
        out.print("no lane is sick")
        return
    for _, one in found:
        left = (one.next_try_at - datetime.now(UTC)).total_seconds()
        due = f"next in {length(left)}" if left > 0 else "next now"
        behind = f", {one.behind} behind" if one.behind else ""
        told = f"sick for {ago(one.parked_at)}, tries {one.attempts}, {due}{behind}: {visible(one.reason)}"
        out.print(f"[bold]{escape(visible(one.lane))}[/]  [dim]{one.group}  {escape(one.record)}[/]", soft_wrap=True)
        out.print(f"  {escape(told)}", soft_wrap=True)


@app.command()
def retry(
    context: typer.Context,
    lanes: Annotated[list[str] | None, typer.Argument(metavar="LANE...", help="As `parked ls` shows them.")] = None,
    all_: Annotated[bool, typer.Option("--all", help="Every sick lane (of --group, of --team).")] = False,
    group: OfGroup = None,
    team: OfTeam = None,
    reason: Reason = "",
) -> None:
    """Try the first record of a lane now instead of waiting for its time. Where it fails, its tries count on.

    \b
    Examples:
      outrider events parked retry ops/flights/manual__2026-11-22
      outrider events parked retry --all --group storage --reason "bug fixed"

    Ends with 0; 1 where a lane is unknown or a service does not answer; 2 where none is named.
    """
    with connected(context) as connection:
        act(connection, "retry", _choose(connection, lanes or [], all_, group, team), reason)


@app.command("give-up")
def give_up(
    context: typer.Context,
    lanes: Annotated[list[str], typer.Argument(metavar="LANE...", help="As `parked ls` shows them.")],
    group: OfGroup = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    reason: Reason = "",
) -> None:
    """Put the first record of a lane with the dead letters now; what is queued behind it is tried next.

    \b
    Examples:
      outrider events parked give-up ops/flights/manual__2026-11-22 --reason "bucket is gone"
      outrider events parked give-up ops --group tenancy --yes

    Ends with 0; 1 where a lane is unknown or a service does not answer; 2 where it is not confirmed.
    """
    with connected(context) as connection:
        chosen = _choose(connection, lanes, False, group, None)
        for _, one in chosen:
            why = escape(visible(one.reason))
            out.print(f"{escape(visible(one.lane))}  {escape(one.record)}  tries {one.attempts}  {why}", soft_wrap=True)
        confirm(f"give up {len(chosen)} record(s)?", yes)
        act(connection, "give-up", chosen, reason)


def find(connection: Connection, group: str | None, team: str | None) -> list[Found]:
    """The sick lanes there are, with their services."""
    answers = ask_each(connection, "/v1/bus/parked", Parked)
    found = [(service, lane) for service, parked in answers.items() for lane in parked.lanes]
    return [(s, one) for s, one in found if group in (None, one.group) and team in (None, one.team)]


def _choose(connection: Connection, names: list[str], all_: bool, group: str | None, team: str | None) -> list[Found]:
    if bool(names) == all_:
        raise typer.BadParameter("name lanes as `outrider events parked` shows them, or say --all")
    found = find(connection, group, team)
    for name in names:
        groups = [one.group for _, one in found if one.lane == name]
        if not groups:
            raise NotConnected(f"no lane {name} is sick; see `outrider events parked`")
        if len(groups) > 1:
            raise NotConnected(f"lane {name} is sick in {', '.join(groups)}; say which with --group")
    return [(service, one) for service, one in found if all_ or one.lane in names]


def act(connection: Connection, what: Literal["retry", "give-up"], chosen: Sequence[Found], reason: str) -> None:
    """Have the services try lanes, or give their first records up, and say what became of each."""
    for service in sorted({service for service, _ in chosen}):
        lanes = [LaneName(group=one.group, lane=one.lane) for owner, one in chosen if owner == service]
        for at in range(0, len(lanes), _AT_ONCE):
            request = ParkedRequest(lanes=tuple(lanes[at : at + _AT_ONCE]), reason=reason)
            answer = post(connection, service, f"/v1/bus/parked/{what}", request, LaneOutcomes)
            for one in answer.lanes:
                out.print(f"{escape(visible(one.lane))}: {_SAYS[one.outcome][what]}", soft_wrap=True)
    if not chosen:
        out.print("no lane is sick")
