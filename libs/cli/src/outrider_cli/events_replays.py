"""`outrider events replays …`: replays that run or ran, how far they are, and how to stop one or go on with it."""

import json
import time
from contextlib import nullcontext
from typing import Annotated

import typer
from outrider_contracts.replays import Replay, ReplayPlan, Replays
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from outrider_cli.connection import Connection, NotConnected, outlasting
from outrider_cli.context import out
from outrider_cli.events_context import AsJson, connected
from outrider_cli.events_format import ago, length, table, visible
from outrider_cli.events_services import ask_each

app = typer.Typer(help="Replays: list them, watch one, stop it, go on with it.", rich_markup_mode=None)
Id = Annotated[str, typer.Argument(help="The replay's id; `outrider events replays` lists them.")]
_COLOURS = {"done": "green", "running": "cyan", "queued": "cyan", "failed": "red", "cancelled": "yellow"}
_LOOK_SECONDS = 1.0


@app.callback(invoke_without_command=True)
def replays(context: typer.Context, as_json: AsJson = False) -> None:
    """List replays of all services, newest first; with a command: show, cancel or resume one.

    \b
    Examples:
      outrider events replays
      outrider events replays --json | jq -r '.[] | select(.status == "running") | .id'
      outrider events replays show r-1a2b3c4d --follow

    Ends with 0; 1 where no service answers.
    """
    if context.invoked_subcommand:
        return
    with connected(context) as connection:
        found = [job for jobs in _all(connection).values() for job in jobs]
    found.sort(key=lambda job: job.created_at, reverse=True)
    if as_json:
        print(json.dumps([job.model_dump(mode="json") for job in found], indent=1))
        return
    shown = table("replay", "status", "read", "done", "known", "failed", "group", "topic", "by", "began", "reason",
                  right=("read", "done", "known", "failed"))  # fmt: skip
    for job in found:
        counts, status = job.counts, f"[{_COLOURS[job.status]}]{job.status}[/]"
        numbers = (f"{_share(job):.0f} %", *(f"{n:,}" for n in (counts.done, counts.known, counts.failed)))
        names = (escape(visible(text)) for text in (job.group, job.topic, job.actor))
        shown.add_row(job.id, status, *numbers, *names, f"{ago(job.created_at)} ago", escape(visible(job.reason)))
    out.print(shown if found else "There are no replays. Plan one: outrider events replay GROUP --from 2h")


@app.command()
def show(
    context: typer.Context,
    id: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on showing until it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show one replay: what was asked, how far it is, what became of the records, which ones failed and why.

    \b
    Examples:
      outrider events replays show r-1a2b3c4d
      outrider events replays show r-1a2b3c4d --follow
      outrider events replays show r-1a2b3c4d --json | jq .failures

    Ends with 0; 1 where there is no such replay; with --follow also 3 where records failed and 4 where the replay was
    cancelled or failed.
    """
    with connected(context) as connection:
        service, job = _find(connection, id)
        if follow:
            raise typer.Exit(follow_to_its_end(connection, service, id, as_json=as_json))
    _print(job, as_json)


@app.command()
def cancel(context: typer.Context, id: Id, as_json: AsJson = False) -> None:
    """Stop a replay within a second or so. What it has handled stays handled.

    Example:  outrider events replays cancel r-1a2b3c4d

    Ends with 0; 1 where there is no such replay, or it is over.
    """
    _act(context, id, "cancel", as_json)


@app.command()
def resume(context: typer.Context, id: Id, as_json: AsJson = False) -> None:
    """Go on with a cancelled or failed replay where it was, up to the end its plan has frozen.

    Example:  outrider events replays resume r-1a2b3c4d

    Ends with 0; 1 where there is no such replay, or it is over.
    """
    _act(context, id, "resume", as_json)


def follow_to_its_end(connection: Connection, service: str, id: str, *, as_json: bool) -> int:
    """Show a replay until it ends, a bar on a terminal and a line of JSON per look with *as_json*; gives the status
    to end with."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, console=out) if not as_json and out.is_terminal else None
    try:
        with bar or nullcontext():
            task = bar.add_task(id) if bar else None
            while True:
                job = _look(connection, service, id)
                if bar and task is not None:
                    name = f"{id} {job.status} {escape(visible(job.note[:60]))}".rstrip()
                    bar.update(task, description=name, total=_total(job), completed=_read(job))
                if as_json:
                    print(job.model_dump_json(), flush=True)
                if job.is_over:
                    break
                time.sleep(_LOOK_SECONDS)
    except KeyboardInterrupt:
        out.print(f"\nIt goes on. Stop it: outrider events replays cancel {id}", soft_wrap=True)
        return 0
    if not as_json:
        _print(job, as_json)
    return 4 if job.status != "done" else 3 if job.counts.failed else 0


def _look(connection: Connection, service: str, id: str) -> Replay:
    """The replay as it is now; it outlives its service."""
    return Replay.model_validate(outlasting(lambda: connection.ask(service, f"/v1/bus/replays/{id}")))


def show_plan(plan: ReplayPlan) -> None:
    """Print a plan for a person."""
    what = "what it has not handled" if plan.mode == "missing" else "everything, handled before or not"
    out.print(f"{escape(plan.group)} is to handle {what} of {escape(plan.topic)}:", soft_wrap=True)
    shown = table(
        "partition", "from", "to (frozen)", "looked at", "matching", right=("partition", "looked at", "matching")
    )
    for part in plan.partitions:
        if part.records:
            shown.add_row(
                str(part.partition), str(part.start), str(part.end), f"{part.looked_at:,}", f"{part.matching:,}"
            )
    out.print(shown)
    for one in plan.previews:
        name = visible(one.type) or "(its type is told by its content)"
        out.print(f"  {one.partition}:{one.offset}  {one.said_at:%Y-%m-%d %H:%M:%S}Z  {escape(name)}  "
                  f"{escape(visible(one.key))}  {one.bytes} bytes", soft_wrap=True)  # fmt: skip
    about = "" if plan.complete else "about "
    pace = f"at {plan.rate:g} a second" if plan.rate else "as fast as it goes"
    missing = "" if plan.missing is None else f", {plan.missing:,} of them are missing"
    out.print(f"{about}{plan.matching:,} records match{missing}; {pace} about {length(plan.seconds)}", soft_wrap=True)
    for left in plan.left_out:
        count = f"{left.looked_at:,} " if plan.complete else ""
        out.print(f"[yellow]left out:[/] {count}{escape(left.type)}: {escape(left.why)}", soft_wrap=True)
    for warning in plan.warnings:
        out.print(f"[yellow]note:[/] {escape(warning)}", soft_wrap=True)


def _act(context: typer.Context, id: str, act: str, as_json: bool) -> None:
    with connected(context) as connection:
        service, _ = _find(connection, id)
        job = Replay.model_validate(connection.ask(service, f"/v1/bus/replays/{id}/{act}", "POST"))
    _print(job, as_json)


def _all(connection: Connection) -> dict[str, tuple[Replay, ...]]:
    answers = ask_each(connection, "/v1/bus/replays", Replays)
    return {service: answer.replays for service, answer in answers.items()}


def _find(connection: Connection, id: str) -> tuple[str, Replay]:
    for service, jobs in _all(connection).items():
        for job in jobs:
            if job.id == id:
                return service, job
    raise NotConnected(f"there is no replay {id}; see `outrider events replays`")


def _print(job: Replay, as_json: bool) -> None:
    if as_json:
        print(job.model_dump_json(indent=1))
        return
    chosen = {"teams": job.teams, "keys": job.keys, "types": job.types}
    only = "; ".join(f"{name} {', '.join(values)}" for name, values in chosen.items() if values) or "all records"
    counts = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in job.counts.model_dump().items())
    lines = [
        f"[bold]{job.id}[/]  [{_COLOURS[job.status]}]{job.status}[/]  {_share(job):.0f} % read",
        f"  {escape(job.group)} handles {job.mode} of {escape(job.topic)}: {escape(visible(only))}",
        f"  ordered by {escape(visible(job.actor))} {ago(job.created_at)} ago: {escape(visible(job.reason))}",
        f"  {counts}",
        *([f"  {escape(visible(job.note))}"] if job.note else []),
        *(f"  [red]failed[/] {f.partition}:{f.offset}  {escape(visible(f.reason))}" for f in job.failures),
    ]
    for line in lines:
        out.print(line, soft_wrap=True)


def _total(job: Replay) -> int:
    return sum(part.end - part.start for part in job.partitions)


def _read(job: Replay) -> int:
    return sum(part.cursor - part.start for part in job.partitions)


def _share(job: Replay) -> float:
    return 100 * _read(job) / _total(job) if _total(job) else 100.0
