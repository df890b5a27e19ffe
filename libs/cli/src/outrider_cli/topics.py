"""`outrider topics apply | list | asyncapi`: the registry of topics, and the broker made to agree with it."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from outrider_contracts import asyncapi as document
from outrider_contracts.names import check_team_id
from outrider_contracts.topics import SHARED, TopicSpec
from outrider_local import kafka, topics
from rich.table import Table

from outrider_cli.context import out, stack_of

app = typer.Typer(no_args_is_help=True, help="The shared topics and who may do what with them.")
_DAY_MS = 86_400_000


@app.command()
def apply(context: typer.Context) -> None:
    """Make the shared topics that are missing and grant the platform's principals their rights.

    May be repeated. Example:  outrider topics apply
    """
    made = topics.apply(kafka.admin(stack_of(context)))
    out.print(f"{len(SHARED)} topics, {len(topics.rights())} rights as the registry says; made now: {len(made)}")
    for name in made:
        out.print(f"  {name}")


@app.command(name="list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="Print JSON for programs.")] = False) -> None:
    """Show the registry: what each topic says, who writes and who reads it. Needs no broker.

    Example:  outrider topics list
    """
    if as_json:
        print(json.dumps([asdict(spec) for spec in SHARED], indent=1))
        return
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in ("topic", "parts", "kept", "writers", "readers", "says"):
        table.add_column(heading, no_wrap=heading != "says")
    for spec in SHARED:
        table.add_row(
            spec.name, str(spec.partitions), _kept(spec), " ".join(spec.writers), " ".join(spec.readers), spec.says
        )
    out.print(table)


@app.command()
def asyncapi(
    team: Annotated[str | None, typer.Option(help="Only what this team may use, its id filled in.")] = None,
) -> None:
    """Print the AsyncAPI 3 document of all topics, for other systems and their code generators. Needs no broker.

    Examples:  outrider topics asyncapi > outrider.json   |   outrider topics asyncapi --team ads
    """
    try:
        described = document.document(check_team_id(team) if team is not None else None)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--team") from None
    print(json.dumps(described, indent=2))


def _kept(spec: TopicSpec) -> str:
    if spec.cleanup == "compact":
        return "compacted"
    return f"{spec.retention_ms // _DAY_MS} d" if spec.retention_ms else "for ever"
