"""Shows how teams come about: a live table on a terminal, a line per change elsewhere."""

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from outrider_contracts.tenants import TeamStatus
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.table import Table

from outrider_cli.team_changes import TeamChange, Verdict, provisioners_of

_STYLE = {"done": "green", "conflict": "red", "refused": "red", "waiting": "yellow"}


class TeamProgress(AbstractContextManager["TeamProgress"]):
    """What is known of each team's change, as it gets known."""

    def __init__(self, console: Console, changes: Sequence[TeamChange]) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._began = time.monotonic()
        self._says: dict[str, str] = {}
        self._provisioners: dict[str, dict[str, str]] = {change.team: {} for change in changes}
        for change in changes:
            said = "unchanged, nothing sent" if change.send is None else f"generation {change.generation} sent"
            self._says[change.team] = said
            self._line(change.team, said)

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
            self._show()
        return self

    def __exit__(self, _t: type[BaseException] | None, _e: BaseException | None, _b: TracebackType | None) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, status: TeamStatus) -> None:
        """A team's newest status."""
        known = self._provisioners[status.team]
        for name, word, message in provisioners_of(status):
            if known.get(name) != word:
                known[name] = word
                detail = f": {message}" if message and word not in ("ready", "WaitingForReload") else ""
                self._line(status.team, f"{name} {word}{detail}")
        self._show()

    def settle(self, team: str, verdict: Verdict, message: str) -> None:
        """How a team's change ended."""
        style = _STYLE[verdict]
        text = message if verdict in ("done", "waiting") else f"{verdict}: {message}"
        self._says[team] = f"[{style}]{escape(text)}[/]"
        self._line(team, text)
        self._show()

    def _line(self, team: str, text: str) -> None:
        if self._live is None:
            self._console.print(f"{time.monotonic() - self._began:6.1f} s  {team:<12} {text}", markup=False)

    def _show(self) -> None:
        if self._live is None:
            return
        table = Table.grid(padding=(0, 2))
        for team, words in self._provisioners.items():
            cells = "  ".join(f"[{'green' if word == 'ready' else 'yellow'}]{name}[/]" for name, word in words.items())
            table.add_row(f"[bold]{team}[/]", cells, self._says[team])
        self._live.update(table, refresh=True)
