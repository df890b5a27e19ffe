"""What every command of `outrider events` begins with: the connection, and how a failure ends it."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from outrider_contracts import operations
from pydantic import TypeAdapter, ValidationError
from rich.markup import escape

from outrider_cli.connection import Connection, NotConnected
from outrider_cli.context import err, fail, home_of, stack_of
from outrider_cli.events_broker import Broker

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for programs.")]
_REASON: TypeAdapter[str] = TypeAdapter(operations.Reason)


def takes_reason(text: str) -> str:
    """The reason as services take it. Ends with status 2 where they would not."""
    try:
        return _REASON.validate_python(text)
    except ValidationError as error:
        raise typer.BadParameter(error.errors()[0]["msg"]) from None


Reason = Annotated[str, typer.Option(help="Why; it is audited.", callback=takes_reason)]


@contextmanager
def connected(context: typer.Context) -> Iterator[Connection]:
    """The connection; NotConnected inside ends the command with status 1."""
    try:
        if "OUTRIDER_TENANCY_URL" not in os.environ:
            stack_of(context)  # says so where there is none
        yield Connection.find(home_of(context))
    except NotConnected as error:
        fail(error)


@contextmanager
def broker_of(context: typer.Context) -> Iterator[Broker]:
    """Kafka under the operator's principal."""
    with connected(context) as connection:
        yield Broker(connection.kafka)


def confirm(question: str, yes: bool) -> None:
    """Go on only where a person says so (or has said so by --yes); else end with status 2."""
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("nobody is there to be asked: add --yes")
    if not typer.confirm(question):
        err.print("nothing done")
        raise typer.Exit(2)


def warn(message: str) -> None:
    """Say on stderr what is missing from an answer that is given all the same."""
    err.print(f"[yellow]note:[/] {escape(message)}", soft_wrap=True)
