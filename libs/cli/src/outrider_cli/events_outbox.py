"""`outrider events outbox`: what services have said and Kafka has not taken yet, and what it will never take."""

import json
from typing import Annotated, Literal

import typer
from outrider_contracts.operations import Outbox, Released, StuckRequest
from rich.markup import escape

from outrider_cli.connection import Connection, NotConnected
from outrider_cli.context import out
from outrider_cli.events_context import AsJson, Reason, confirm, connected
from outrider_cli.events_format import ago, length, size, table, visible
from outrider_cli.events_services import ask_each, post

app = typer.Typer(invoke_without_command=True)
Rows = Annotated[list[str] | None, typer.Argument(metavar="ROW...", help="As `outbox ls` shows them: storage/17.")]
All = Annotated[bool, typer.Option("--all", help="Every stuck row.")]


@app.callback()
def default(context: typer.Context) -> None:
    """What services have said and Kafka has not taken yet; some rows for a moment are usual. Alone: `ls`."""
    if context.invoked_subcommand is None:
        ls(context)


@app.command()
def ls(context: typer.Context, as_json: AsJson = False) -> None:
    """Show per service and topic how many rows wait and for how long, and each row that Kafka refuses (stuck).

    Rows wait while Kafka is away, or while their topic is absent or forbidden. A stuck row holds nobody up.

    \b
    Examples:
      outrider events outbox
      outrider events outbox ls --json

    Ends with 0; 1 where no service answers.
    """
    with connected(context) as connection:
        answers = ask_each(connection, "/v1/bus/outbox", Outbox)
    if as_json:
        print(json.dumps({service: one.model_dump(mode="json") for service, one in answers.items()}, indent=1))
        return
    waiting = table("service", "topic", "waiting", "oldest", right=("waiting", "oldest"))
    stuck = table("row", "age", "team", "topic", "size", "why", right=("size",))
    for service, one in answers.items():
        for row in one.waiting:
            waiting.add_row(service, escape(visible(row.topic)), f"{row.rows:,}", length(row.seconds))
        for left in one.stuck:
            told = (f"{service}/{left.row}", ago(left.said_at), left.team, escape(visible(left.topic)))
            stuck.add_row(*told, size(left.bytes), escape(visible(left.why)))
    out.print(waiting if waiting.rows else "nothing waits")
    if stuck.rows:
        out.print(
            "\n[red]stuck[/]: Kafka refuses these as they are; `outbox retry` tries again, `outbox discard` drops them"
        )
        out.print(stuck)


@app.command()
def retry(context: typer.Context, rows: Rows = None, all_: All = False, reason: Reason = "") -> None:
    """Have stuck rows carried once more, after what refused them was changed (the topic's largest record, say).

    \b
    Examples:
      outrider events outbox retry storage/17
      outrider events outbox retry --all --reason "max.message.bytes raised"

    Ends with 0; 1 where a row is unknown or a service does not answer; 2 where none is named.
    """
    with connected(context) as connection:
        _release(connection, "retry", _choose(connection, rows or [], all_), reason)


@app.command()
def discard(
    context: typer.Context,
    rows: Rows = None,
    all_: All = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    reason: Reason = "",
) -> None:
    """Drop stuck rows for good: what they say is never said.

    \b
    Examples:
      outrider events outbox discard storage/17 --reason "a test's record"

    Ends with 0; 1 where a row is unknown or a service does not answer; 2 where none is named or it is not confirmed.
    """
    with connected(context) as connection:
        chosen = _choose(connection, rows or [], all_)
        confirm(f"drop {sum(map(len, chosen.values()))} row(s) for good?", yes)
        _release(connection, "discard", chosen, reason)


def _choose(connection: Connection, names: list[str], all_: bool) -> dict[str, list[int]]:
    if bool(names) == all_:
        raise typer.BadParameter("name rows as `outrider events outbox` shows them, or say --all")
    answers = ask_each(connection, "/v1/bus/outbox", Outbox)
    stuck = {f"{service}/{one.row}": (service, one.row) for service, box in answers.items() for one in box.stuck}
    if unknown := [name for name in names if name not in stuck]:
        raise NotConnected(f"no stuck row is called {', '.join(unknown)}; see `outrider events outbox`")
    chosen: dict[str, list[int]] = {}
    for service, row in (stuck[name] for name in names or stuck):
        chosen.setdefault(service, []).append(row)
    return chosen


def _release(
    connection: Connection, what: Literal["retry", "discard"], chosen: dict[str, list[int]], reason: str
) -> None:
    done = 0
    for service, rows in chosen.items():
        request = StuckRequest(rows=tuple(rows), reason=reason)
        done += post(connection, service, f"/v1/bus/outbox/{what}", request, Released).rows
    out.print(f"{done} row(s) {'carried once more' if what == 'retry' else 'dropped'}")
