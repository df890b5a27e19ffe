"""`outrider storage pending | places | hold | restore | freeze | unfreeze`: what is stored, and what goes when."""

import os
from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

import typer
from outrider_contracts.holdings import (
    Environments,
    FreezeRequest,
    Frozen,
    HoldRequest,
    Pending,
    RestoreRequest,
    Touched,
)
from outrider_contracts.model import Model
from rich.markup import escape

from outrider_cli.connection import Connection, NotConnected
from outrider_cli.context import fail, home_of, out, stack_of
from outrider_cli.storage_tables import show_pending, show_places

app = typer.Typer(no_args_is_help=True, help="What is stored, what is removed when and why, and how to stop it.")
Output = Annotated[Literal["table", "json"], typer.Option("-o", "--output", help="For people or for programs.")]
Path = Annotated[str, typer.Argument(help="A version's directory, or a whole place; `pending` and `places` show them.")]
M = TypeVar("M", bound=Model)


@app.command()
def pending(
    context: typer.Context,
    team: Annotated[str | None, typer.Option(help="Only this team's.")] = None,
    output: Output = "table",
) -> None:
    """Show what will be removed, when and why, and what keeps it meanwhile; soonest first.

    \b
    Examples:
      outrider storage pending
      outrider storage pending --team ops -o json
    """
    answer = _ask(context, Pending, "/v1/pending", params={"team": team} if team else {})
    _show(answer, output, show_pending)


@app.command()
def places(
    context: typer.Context,
    team: str,
    dag: Annotated[str | None, typer.Option(help="Only this DAG's.")] = None,
    run: Annotated[str | None, typer.Option(help="Only this run's.")] = None,
    task: Annotated[str | None, typer.Option(help="Only this task's.")] = None,
    output: Output = "table",
) -> None:
    """Show a team's places: which try wrote which generation, what it holds, which version readers get.

    \b
    Examples:
      outrider storage places ops
      outrider storage places ops --dag flights --run manual__2026-11-01 -o json
    """
    told = {"team": team, "dag_id": dag, "run_id": run, "task_id": task}
    chosen = {name: value for name, value in told.items() if value is not None}
    _show(_ask(context, Environments, "/v1/environments", params=chosen), output, show_places)


@app.command()
def hold(
    context: typer.Context,
    path: Path,
    duration: Annotated[str, typer.Option("--for", help="How long: 12h, 7d, 2w.")] = "7d",
    reason: Annotated[str, typer.Option(help="Why; others see it.")] = "",
    output: Output = "table",
) -> None:
    """Keep versions from being removed for a while, whatever their retention says.

    Example:  outrider storage hold ops/flights/extract/20260101T000000.000000Z/rows/g1/ --for 14d --reason audit
    """
    request = HoldRequest(path=path, duration=duration, reason=reason)
    _show(_post(context, Touched, "/v1/holds", request), output, lambda touched: _list(touched, f"held for {duration}"))


@app.command()
def restore(context: typer.Context, path: Path, output: Output = "table") -> None:
    """Take back doomed versions within their undo window; they are held for a week, so that they stay.

    Example:  outrider storage restore ops/flights/extract/20260101T000000.000000Z/rows/g1/
    """
    request = RestoreRequest(path=path)
    _show(_post(context, Touched, "/v1/restore", request), output, lambda touched: _list(touched, "restored"))


@app.command()
def freeze(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why; it is shown and audited.")] = "",
    output: Output = "table",
) -> None:
    """Stop every removal, of all teams, until somebody unfreezes.

    Example:  outrider storage freeze --reason "restoring a backup"
    """
    request = FreezeRequest(frozen=True, reason=reason)
    _show(_post(context, Frozen, "/v1/freeze", request), output, _frozen)


@app.command()
def unfreeze(
    context: typer.Context,
    reason: Annotated[str, typer.Option(help="Why; it is audited.")] = "",
    output: Output = "table",
) -> None:
    """Allow removals again, after looking at what is pending.

    Example:  outrider storage pending && outrider storage unfreeze --reason checked
    """
    request = FreezeRequest(frozen=False, reason=reason)
    _show(_post(context, Frozen, "/v1/freeze", request), output, _frozen)


def _post(context: typer.Context, kind: type[M], path: str, request: Model) -> M:
    return _ask(context, kind, path, "POST", json=request.model_dump(mode="json"))


def _ask(context: typer.Context, kind: type[M], path: str, method: str = "GET", **options: Any) -> M:
    try:
        if "OUTRIDER_TENANCY_URL" not in os.environ:
            stack_of(context)  # says so where there is none
        return kind.model_validate(Connection.find(home_of(context)).ask("storage", path, method, **options))
    except NotConnected as error:
        fail(error)
        raise typer.Exit(1) from None


def _show(answer: M, output: str, table: Callable[[M], None]) -> None:
    if output == "json":
        print(answer.model_dump_json(indent=2))
    else:
        table(answer)


def _list(touched: Touched, what: str) -> None:
    for path in touched.paths:
        out.print(f"{what}: {escape(path)}", soft_wrap=True)


def _frozen(state: Frozen) -> None:
    if state.frozen:
        out.print(
            f"[bold red]frozen[/] by {escape(state.by)}: {escape(state.reason)}. Nothing is removed.", soft_wrap=True
        )
    else:
        out.print("not frozen; removals go on")
