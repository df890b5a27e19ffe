"""`outrider up | down | status | logs | reset`: the real stack on one machine."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from outrider_local import prerequisites
from outrider_local.component import Component
from outrider_local.components import EXTRAS, all_components, prerequisites_of, usual_components
from outrider_local.errors import StackError
from outrider_local.kubernetes import given
from outrider_local.removal import remove
from outrider_local.runner import Outcome, bring_down, bring_up, with_needs
from outrider_local.stack import Stack
from rich.markup import escape

from outrider_cli import followed
from outrider_cli.context import err, home_of, out, stack_of
from outrider_cli.progress import progress
from outrider_cli.report import Report, report_of, show

Names = Annotated[list[str] | None, typer.Argument(help="Components; all of them when none is named.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]


def up(
    context: typer.Context,
    components: Names = None,
    port: Annotated[list[str] | None, typer.Option(help="NAME=NUMBER: use this port, e.g. lineage=8085.")] = None,
    extras: Annotated[list[str] | None, typer.Option("--with", help=f"Also start: {', '.join(EXTRAS)}.")] = None,
    kubeconfig: Annotated[
        Path | None,
        typer.Option(envvar="OUTRIDER_KUBECONFIG", help="With kubernetes: use this cluster instead of a local one."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Start the stack, or what of it is not running; what runs is left alone.

    Examples:  outrider up   ·   outrider up kafka postgres   ·   outrider up --port airflow=8080
               outrider up --with kubernetes
    """
    stack = stack_of(context, make=True)
    wanted = _chosen(stack, components, extras or ())
    with stack.exclusively():
        if kubeconfig and any(component.name == "kubernetes" for component in wanted):
            given.use(stack, kubeconfig)
        for name, number in map(_port, port or ()):
            stack.ports.set(name, number)
        prerequisites.ensure(prerequisites_of(stack, wanted), err.print)
        with progress(err if as_json else out, [component.name for component in wanted]) as tell:
            outcome = bring_up(stack, wanted, tell)
    _told(stack, wanted, outcome, as_json=as_json)
    if outcome.failed:
        raise typer.Exit(1)


def down(context: typer.Context, components: Names = None) -> None:
    """Stop what `outrider up` started, and nothing else. Data stays.

    Examples:  outrider down   ·   outrider down storage
    """
    stack = stack_of(context)
    _known(components)
    chosen = [component for component in all_components() if component.name in (components or _names(stack))]
    with stack.exclusively(), progress(out, [component.name for component in chosen]) as tell:
        bring_down(stack, chosen, tell)


def status(context: typer.Context, as_json: Json = False) -> None:
    """Show every component: whether it answers, its memory, its addresses.

    Ends with status 1 when one of them does not answer. Example:  outrider status --json
    """
    stack = stack_of(context)
    report = report_of(stack, usual_components(stack))
    show(report, as_json=as_json)
    if not report.all_ready:
        raise typer.Exit(1)


def logs(
    context: typer.Context,
    component: str,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what is written from now on.")] = False,
    lines: Annotated[int, typer.Option("--lines", "-n", help="How many of the last lines.")] = 50,
) -> None:
    """Print what a component wrote.

    Examples:  outrider logs storage   ·   outrider logs airflow -f
    """
    _known([component])
    files = followed.log_files(stack_of(context).layout, component)
    if not files:
        raise StackError(f"{component} has written nothing yet in {home_of(context)}.")
    followed.show(files, lines=lines, follow=follow)


def reset(
    context: typer.Context, yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False
) -> None:
    """Stop the stack and delete its data, secrets and logs. The cache of downloads stays.

    Example:  outrider reset --yes
    """
    stack = stack_of(context)
    if not yes:
        typer.confirm(f"Delete everything in {stack.layout.home}?", abort=True)
    components = all_components()
    with stack.exclusively(), progress(out, [component.name for component in components]) as tell:
        remove(stack, components, tell)
    out.print(f"{stack.layout.home} is gone.")


def _chosen(stack: Stack, names: list[str] | None, extras: Sequence[str]) -> tuple[Component, ...]:
    """Those named, or the usual ones; and the *extras*."""
    wanted = names or _names(stack)
    for extra in extras:
        if extra not in EXTRAS:
            raise StackError(f"--with {extra}: there is no such extra; there is: {', '.join(EXTRAS)}.")
        wanted = [*wanted, *EXTRAS[extra]]
    return with_needs(wanted, all_components())


def _names(stack: Stack) -> list[str]:
    return [component.name for component in usual_components(stack)]


def _known(names: list[str] | None) -> None:
    with_needs(names or (), all_components())


def _port(told: str) -> tuple[str, int]:
    name, _, number = told.partition("=")
    if not name or not number.isdigit() or not 0 < int(number) < 65536:
        raise StackError(f"--port wants NAME=NUMBER, for example --port lineage=8085; it was given {told!r}.")
    return name, int(number)


def _told(stack: Stack, wanted: tuple[Component, ...], outcome: Outcome, *, as_json: bool) -> None:
    report = Report(
        home=str(stack.layout.home),
        components=report_of(stack, wanted).components,
        seconds=round(outcome.seconds, 2),
        failed=outcome.failed,
    )
    if as_json:
        print(json.dumps(report.as_json(), indent=1))
        return
    show(report, as_json=False)
    for name, why in outcome.failed.items():
        err.print(f"\n[red]{name}[/]: {escape(why)}", soft_wrap=True)
