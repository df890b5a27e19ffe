"""`outrider demo`: the stack, two teams, their DAGs, and what happened."""

import os
import subprocess
import sys
from datetime import UTC, datetime

import typer
from outrider_local import airflow_config, prerequisites, service_settings
from outrider_local.components import prerequisites_of, usual_components
from outrider_local.errors import StackError
from outrider_local.runner import bring_up
from outrider_local.stack import Stack
from outrider_local.waiting import wait_until
from rich.live import Live
from rich.table import Table

from outrider_cli.context import out, stack_of
from outrider_cli.demo import facts, neighbours
from outrider_cli.demo.airflow import TaskState
from outrider_cli.demo.ride import DEMO, EXAMPLES, FAST_CLEARING, TEAMS, Ride
from outrider_cli.progress import progress

_ICONS = {"success": "[green]✓[/]", "running": "[cyan]▶[/]", "up_for_retry": "[yellow]↻[/]", "failed": "[red]✗[/]"}
_CLEARED = 4
"""`extract` writes one output that is kept for the run, `delays` three."""


def demo(context: typer.Context) -> None:
    """Start the stack, onboard two teams, run their DAGs, and show what happened. Leaves the stack up.

    Example:  outrider demo
    """
    stack = stack_of(context, make=True)
    _headline("The real stack")
    _up(stack)
    ride = Ride(stack)
    _headline("Two teams come on board")
    ride.onboard(DEMO / "teams")
    ride.deliver_demo()
    _headline("Their DAGs run")
    runs = {run_id for team, dag_id in TEAMS.items() for run_id in [_fly(ride, team, dag_id)]}
    _show(ride, runs)


def _up(stack: Stack) -> None:
    os.environ.update({name: os.environ.get(name, value) for name, value in FAST_CLEARING.items()})
    components = usual_components(stack)
    with stack.exclusively():
        prerequisites.ensure(prerequisites_of(stack, components), out.print)
        with progress(out, [component.name for component in components]) as tell:
            outcome = bring_up(stack, components, tell)
    if outcome.failed:
        raise StackError("\n".join(f"{name}: {why}" for name, why in outcome.failed.items()))
    out.print(f"ready after {outcome.seconds:.1f} s")


def _fly(ride: Ride, team: str, dag_id: str) -> str:
    run_id = ride.start(dag_id, logical_date=datetime.now(UTC).replace(microsecond=0))
    seen: dict[str, TaskState] = {}
    with Live(console=out, auto_refresh=False) as live:

        def watch(tasks: list[TaskState]) -> None:
            _repair(ride.stack)
            changed = [task for task in tasks if seen.get(task.label) != task]
            seen.update({task.label: task for task in tasks})
            if out.is_terminal:
                live.update(_progress(team, dag_id, tasks), refresh=True)
            else:
                for task in changed:
                    out.print(f"  {team}/{dag_id}/{task.label}: {task.state} (try {task.try_number})", markup=False)

        state = ride.await_run(dag_id, run_id, watch=watch)
        watch(ride.airflow.tasks(dag_id, run_id))
    if state != "success":
        raise StackError(f"run {run_id} of {dag_id} ended as {state}; see `outrider logs airflow`")
    return run_id


def _repair(stack: Stack) -> None:
    """Start again what died meanwhile: whoever kills a service under the demo sees that nothing is lost."""
    dead = [name for name in stack.processes.names() if not stack.processes.alive(name)]
    if dead:
        out.print(f"  [yellow]{', '.join(dead)} died; started again[/]")
        outcome = bring_up(stack, usual_components(stack))
        if outcome.failed:
            raise StackError("\n".join(f"{name}: {why}" for name, why in outcome.failed.items()))


def _progress(team: str, dag_id: str, tasks: list[TaskState]) -> Table:
    table = Table.grid(padding=(0, 2))
    for task in tasks:
        tries = f"try {task.try_number}" if task.try_number > 1 else ""
        table.add_row(
            f"  {_ICONS.get(task.state, '·')}", f"{team}/{dag_id}/{task.label}", f"[dim]{task.state} {tries}[/]"
        )
    return table


def _show(ride: Ride, runs: set[str]) -> None:
    _headline("What each team got")
    table = Table(box=None, padding=(0, 2, 0, 0))
    statuses = {team: ride.ask("tenancy", f"/v1/teams/{team}") for team in TEAMS}
    for heading in ("", *TEAMS):
        table.add_column(heading, style="dim" if not heading else None)
    for name in sorted({name for status in statuses.values() for name in status["names"]}):
        table.add_row(name, *(status["names"].get(name, "") for status in statuses.values()))
    out.print(table)

    _headline("What their tasks wrote: places, sealed")
    written = facts.kept(ride.said("outrider.environments.v1"), runs)
    for version in written:
        mark = "[green]✓[/]" if version.outcome == "success" else "[red]✗[/]"
        out.print(f"  {mark} /{version.path}", end="", soft_wrap=True)
        files = f"{version.files} file" + ("" if version.files == 1 else "s")
        out.print(f"  [dim]{files}, {version.bytes:,} bytes, kept: {version.expires}[/]", soft_wrap=True)

    _headline("Where the newsroom's table comes from")
    _outrider(ride, "lineage", "upstream", "newsroom/punctuality/rank/worst")

    _headline("How soon a place was ready")
    out.print(
        "  "
        + facts.summary(facts.ready_ms(ride.said("outrider.airflow.v1"), ride.said("outrider.environments.v1"), runs))
    )

    _headline("What was cleared, and why")
    wait_until(lambda: len(facts.cleared(ride.said("outrider.environments.v1"), runs)) >= _CLEARED, seconds=90, every=1)
    for gone in facts.cleared(ride.said("outrider.environments.v1"), runs):
        out.print(f"  /{gone.path}  [dim]{gone.bytes:,} bytes, because: {gone.reason}[/]", soft_wrap=True)

    _headline("The neighbours' doors: newsroom asks for what is ops'")
    foreign = next(version.path for version in written if "/check/" in version.path) + "report.txt"
    for what, answer in neighbours.refusals(ride.stack, "newsroom", "ops", foreign):
        out.print(f"  {what}\n    [red]{answer}[/]", soft_wrap=True)
    _goodbye(ride)


def _goodbye(ride: Ride) -> None:
    _headline("The stack stays up")
    stack = ride.stack
    out.print(
        f"  Airflow        {airflow_config.url(stack)}   user admin, password in {stack.secrets.path('airflow-admin')}"
    )
    out.print(f"  lineage        {service_settings.url(stack, 'lineage')}/   signed in: outrider lineage page")
    out.print("  look around    .venv/bin/outrider status · tenants list · storage pending · lineage run ops/flights")
    out.print("  stop           make down\n")
    out.print(f"Next: a DAG of your own. Put this into {stack.layout.bundles / 'ops'}/ and unpause it:\n")
    out.print((EXAMPLES / "first_dag.py").read_text(), markup=False)


def _outrider(ride: Ride, *arguments: str) -> None:
    home = str(ride.stack.layout.home)
    subprocess.run([sys.executable, "-m", "outrider_cli.main", "--home", home, *arguments], check=False)


def _headline(text: str) -> None:
    out.print(f"\n[bold]{text}[/]")
