"""`outrider tenants apply | get | plan | list`: what is wanted of teams, and what is so."""

import json
import os
import time
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from getpass import getuser
from pathlib import Path
from typing import Annotated, Literal

import typer
from outrider_contracts.tenants import TeamStatus
from rich.markup import escape
from rich.table import Table

from outrider_cli.connection import Connection, NotConnected
from outrider_cli.context import err, fail, home_of, out, stack_of
from outrider_cli.team_changes import TeamChange, judge_status, plan_change, provisioners_of
from outrider_cli.team_files import BadDocuments, Written, read_documents
from outrider_cli.team_progress import TeamProgress
from outrider_cli.team_topics import TeamTopics

app = typer.Typer(no_args_is_help=True, help="Teams: what is wanted of them, and what is so.")
Output = Annotated[Literal["table", "json"], typer.Option("-o", "--output", help="For people or for programs.")]


@app.command()
def apply(
    context: typer.Context,
    file: Annotated[Path, typer.Option("-f", "--file", help="A YAML file, or a directory of them.")],
    timeout: Annotated[float, typer.Option(help="Seconds to wait until everything is so.")] = 180.0,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait until everything is so.")] = True,
    confirm_deletion: Annotated[
        list[str] | None, typer.Option(help="The id of a team whose document says lifecycle: Deleted.")
    ] = None,
) -> None:
    """Say what is wanted of teams, and wait until it is so.

    A document that says what is in force already sends nothing. Somebody else's change of the same moment wins or
    loses as a whole: the loser is told. Nothing is sent while any document has a mistake.

    \b
    Examples:
      outrider tenants apply -f team.yaml
      outrider tenants apply -f teams/
      outrider tenants apply -f team.yaml --no-wait

    Ends with 0 when all is as wanted, 1 for a conflict, a refusal or no answer in time, 2 for a mistake in a document.
    """
    try:
        documents = read_documents(file)
        _check_deletions(documents, confirm_deletion or [])
    except BadDocuments as bad:
        for mistake in bad.mistakes:
            err.print(f"[red]error:[/] {escape(mistake)}", soft_wrap=True)
        raise typer.Exit(2) from None
    try:
        with TeamTopics(_connection(context).kafka) as topics:
            topics.read_to_end()
            changes = [_plan(written, topics) for written in documents]
            topics.send([change.send for change in changes if change.send is not None])
            well = _follow(changes, topics, timeout) if wait else _tell_sent(changes)
    except NotConnected as error:
        fail(error)
    raise typer.Exit(0 if well else 1)


@app.command()
def get(context: typer.Context, team: str, output: Output = "table") -> None:
    """Show one team: phase, what each provisioner says, names, where its credentials lie, what it may read.

    Example:  outrider tenants get ops
    """
    try:
        status = TeamStatus.model_validate(_connection(context).ask("tenancy", f"/v1/teams/{team}"))
    except NotConnected as error:
        fail(error)
    if output == "json":
        print(status.model_dump_json(by_alias=True, indent=2))
        return
    out.print(f"[bold]{status.team}[/]  {status.phase}  generation {status.observed_generation}  uid {status.uid}")
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for condition in status.conditions:
        table.add_row(
            condition.type, condition.reason, f"{condition.since:%Y-%m-%d %H:%M:%S}", escape(condition.message)
        )
    for system, name in sorted(status.names.items()):
        table.add_row("name", system, "", escape(name))
    for system, reference in sorted(status.secret_refs.items()):
        table.add_row("secret", system, "", escape(reference))
    for grant in status.readable:
        table.add_row("may read", grant.from_, "", escape(grant.output))
    out.print(table)


@app.command()
def plan(context: typer.Context, team: str, output: Output = "table") -> None:
    """Show what would be done now to bring TEAM to what is wanted, and change nothing: drift, and who caused it.

    Example:  outrider tenants plan ops

    Ends with 0 when all is as wanted, 3 when something would be done or a system can't tell, 1 when tenancy is away.
    """
    try:
        planned = _connection(context).ask("tenancy", f"/v1/teams/{team}/plan", method="POST")
    except NotConnected as error:
        fail(error)
    if output == "json":
        print(json.dumps(planned, indent=2))
    elif not any(planned.values()):
        out.print(f"{team}: all is as wanted")
    else:
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        for provisioner, changes in planned.items():
            for change in changes:
                table.add_row(provisioner, escape(change))
        out.print(table)
    raise typer.Exit(3 if any(planned.values()) else 0)


@app.command(name="list")
def list_(context: typer.Context, output: Output = "table") -> None:
    """Show all teams.

    Examples:  outrider tenants list      outrider tenants list -o json
    """
    try:
        answer = _connection(context).ask("tenancy", "/v1/teams")
    except NotConnected as error:
        fail(error)
    if output == "json":
        print(json.dumps(answer, indent=2))
        return
    statuses = [TeamStatus.model_validate(one) for one in answer]
    if not statuses:
        out.print("no teams yet; onboard one with `outrider tenants apply -f team.yaml`")
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("team", "phase", "generation", "provisioners", "may read", "display name"):
        table.add_column(heading, no_wrap=heading != "provisioners")
    for status in statuses:
        words = " ".join(f"{name}:{word}" for name, word, _ in provisioners_of(status))
        reads = " ".join(f"{grant.from_}:{grant.output}" for grant in status.readable)
        display = status.spec.display_name if status.spec else ""
        row = (status.team, status.phase, str(status.observed_generation), words, reads, display)
        table.add_row(*map(escape, row))
    out.print(table)


def _connection(context: typer.Context) -> Connection:
    if "OUTRIDER_TENANCY_URL" not in os.environ:
        stack_of(context)  # says so where there is none
    return Connection.find(home_of(context))


def _plan(written: Written, topics: TeamTopics) -> TeamChange:
    team = written.document.metadata.name
    return plan_change(
        written.document, topics.desired.get(team), topics.status.get(team),
        new_uid=uuid.uuid4().hex, by=getuser(), now=datetime.now(UTC),
    )  # fmt: skip


def _check_deletions(documents: Sequence[Written], confirmed: Sequence[str]) -> None:
    mistakes = [
        f"{written.source}: this deletes team {name}: its access ends at once, its data is kept for now. "
        f"If that is meant, add --confirm-deletion {name}"
        for written in documents
        if written.document.spec.lifecycle == "Deleted" and (name := written.document.metadata.name) not in confirmed
    ]
    if mistakes:
        raise BadDocuments(mistakes)


def _tell_sent(changes: Sequence[TeamChange]) -> bool:
    for change in changes:
        said = "unchanged, nothing sent" if change.send is None else f"generation {change.generation} sent"
        out.print(f"{change.team}: {said}")
    return True


def _follow(changes: Sequence[TeamChange], topics: TeamTopics, timeout: float) -> bool:
    """Show how each provisioner gets on until every change is settled; say whether all went well."""
    open_changes = {change.team: change for change in changes}
    well = True
    with TeamProgress(out, changes) as progress:
        for status in topics.changes(time.monotonic() + timeout):
            if status is not None and status.team in open_changes:
                progress.update(status)
            for team, change in list(open_changes.items()):
                verdict, message = judge_status(change, topics.status.get(team))
                if verdict != "waiting":
                    progress.settle(team, verdict, message)
                    well = well and verdict == "done"
                    del open_changes[team]
            if not open_changes:
                return well
        for team, change in open_changes.items():
            _, message = judge_status(change, topics.status.get(team))
            progress.settle(
                team, "waiting", f"not so after {timeout:.0f} s: {message}; see `outrider tenants get {team}`"
            )
    return False
