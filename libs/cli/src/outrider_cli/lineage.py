"""`outrider lineage upstream | downstream | run | page`: where data came from, and where it went."""

import json
import os
from typing import Annotated, Any, Literal

import httpx
import typer

from outrider_cli.connection import Connection, NotConnected
from outrider_cli.context import err, fail, home_of, out, stack_of
from outrider_cli.lineage_trees import graph_tree, run_tree

app = typer.Typer(no_args_is_help=True, help="Lineage: where data came from, and where it went.")
Node = Annotated[str, typer.Argument(help="team/dag/task, team/dag/task/output, or an outside dataset's address.")]
Depth = Annotated[int, typer.Option(help="Levels at most.", min=1, max=100)]
Limit = Annotated[int, typer.Option(help="Nodes (or tries of a run) at most.", min=1, max=5000)]
Output = Annotated[Literal["tree", "json"], typer.Option("-o", "--output", help="For people or for programs.")]


@app.command()
def upstream(
    context: typer.Context, node: Node, depth: Depth = 20, limit: Limit = 500, output: Output = "tree"
) -> None:
    """Show what a task or dataset was made from.

    \b
    Examples:
      outrider lineage upstream ops/flights/report/page
      outrider lineage upstream ops/flights/report --depth 2 -o json
    """
    _walk(context, "upstream", node, depth, limit, output)


@app.command()
def downstream(
    context: typer.Context, node: Node, depth: Depth = 20, limit: Limit = 500, output: Output = "tree"
) -> None:
    """Show what was made from a task or dataset: what a change or a failure of it reaches.

    \b
    Examples:
      outrider lineage downstream ops/flights/extract/flights
      outrider lineage downstream s3://lake/raw/orders -o json
    """
    _walk(context, "downstream", node, depth, limit, output)


@app.command()
def run(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TEAM/DAG[/RUN]", help="A run; without RUN the newest are listed.")],
    limit: Limit = 1000,
    output: Output = "tree",
) -> None:
    """Show a run: its tries, exactly which versions each read and what it wrote.

    \b
    Examples:
      outrider lineage run ops/flights
      outrider lineage run ops/flights/scheduled__2026-11-01T00:00:00+00:00
      outrider lineage run ops/flights/manual__1 -o json
    """
    team, _, rest = name.partition("/")
    dag_id, _, run_id = rest.partition("/")
    answer = _ask(context, "/v1/runs", team=team, dag_id=dag_id, run_id=run_id, limit=limit)
    if output == "json":
        out.print_json(json.dumps(answer))
    elif run_id and dag_id:
        out.print(run_tree(answer))
    else:
        for start in answer["runs"]:
            named = "/".join(start[part] for part in ("team", "dag_id", "run_id"))
            out.print(f"{start['started_at'][:19]}  {start['state']:<8}  {named}", soft_wrap=True, markup=False)


@app.command()
def page(context: typer.Context) -> None:
    """Print a link to the page that draws the graph; it signs you in, so do not pass it on.

    Example:  outrider lineage page
    """
    connection = connection_of(context)
    try:
        print(page_link(connection))
    except NotConnected as error:
        fail(error)


def page_link(connection: Connection) -> str:
    """The page's address with a fresh token in its fragment, which browsers do not send. Raises NotConnected."""
    auth = httpx.BasicAuth(connection.client_id, connection.secret_file.read_text().strip())
    url = f"{connection.urls['tenancy']}/v1/token"
    try:
        answer = httpx.post(url, data={"grant_type": "client_credentials"}, auth=auth, timeout=10.0, trust_env=False)
    except httpx.TransportError as error:
        raise NotConnected(
            f"tenancy does not answer at {url} ({type(error).__name__}); see `outrider status`"
        ) from None
    if not answer.is_success:
        raise NotConnected(f"tenancy refused a token ({answer.status_code})")
    return f"{connection.urls['lineage']}/#token={answer.json()['access_token']}"


def _walk(context: typer.Context, direction: str, node: str, depth: int, limit: int, output: str) -> None:
    answer = _ask(context, f"/v1/lineage/{direction}", node=node, depth=depth, limit=limit)
    if output == "json":
        out.print_json(json.dumps(answer))
        return
    out.print(graph_tree(answer))
    if answer["truncated"]:
        err.print("[yellow]there is more:[/] raise --depth or --limit")


def _ask(context: typer.Context, path: str, **parameters: str | int) -> Any:
    try:
        return connection_of(context).ask("lineage", path, params=parameters)
    except NotConnected as error:
        fail(error)


def connection_of(context: typer.Context) -> Connection:
    """The connection to the platform that the command works with. Raises StackError where there is no stack."""
    if "OUTRIDER_TENANCY_URL" not in os.environ:
        stack_of(context)  # says so where there is none
    return Connection.find(home_of(context))
