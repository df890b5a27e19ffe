"""The command `outrider`: which command lives in which module, one line each."""

from pathlib import Path
from typing import Annotated

import typer
from outrider_local.errors import StackError

from outrider_cli import events, explain, lineage, stack, storage, tenants, topics
from outrider_cli.context import fail
from outrider_cli.demo.command import demo

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None, help="Outrider on this machine.")


@app.callback()
def _outrider(
    home: Annotated[
        Path | None, typer.Option(envvar="OUTRIDER_HOME", help="Where the stack lies (default: .outrider).")
    ] = None,
) -> None:
    """Outrider on this machine: the stack, its topics, its teams, what happened to their data."""


app.command()(stack.up)
app.command()(stack.down)
app.command()(stack.status)
app.command()(stack.logs)
app.command()(stack.reset)
app.command()(demo)
app.command()(explain.explain)
app.add_typer(events.app, name="events")
app.add_typer(lineage.app, name="lineage")
app.add_typer(storage.app, name="storage")
app.add_typer(tenants.app, name="tenants")
app.add_typer(topics.app, name="topics")


def main() -> None:
    """Run the command; what a person has to know is printed without a traceback."""
    try:
        app()
    except StackError as error:
        fail(error)


if __name__ == "__main__":
    main()
