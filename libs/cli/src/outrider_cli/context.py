"""What every command shares: which stack is meant, and how a person is told that something went wrong."""

import sys
from pathlib import Path

import typer
from outrider_local.errors import StackError
from outrider_local.layout import default_home
from outrider_local.stack import Stack
from rich.console import Console
from rich.markup import escape

# a pipe has no width; a table cut at 80 columns would lose names
out = Console(highlight=False, width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True, highlight=False)


def home_of(context: typer.Context) -> Path:
    """The home named by `outrider --home`, else the default."""
    chosen = context.find_root().params.get("home")
    return Path(chosen).absolute() if chosen else default_home()


def stack_of(context: typer.Context, *, make: bool = False) -> Stack:
    """The stack commands work on. Raises StackError where there is none, unless it is to be made."""
    home = home_of(context)
    if not make and not (home / "stack.json").exists():
        raise StackError(f"there is no stack in {home}. Start one with `outrider up`, or name its home: --home DIR.")
    return Stack.open(home)


def fail(error: Exception) -> None:
    """Print *error* and end with status 1."""
    err.print(f"[red]error:[/] {escape(str(error))}", soft_wrap=True)
    sys.exit(1)
