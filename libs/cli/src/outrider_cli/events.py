"""`outrider events …`: the bus as its operators see it; which command lives in which module, one line each."""

import typer

app = typer.Typer(no_args_is_help=True, help="The bus: topics, groups, records, what is sick, what was given up.")
