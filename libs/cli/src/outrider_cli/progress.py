"""Shows how components come up: a live table on a terminal, a line per change elsewhere."""

import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from outrider_local.runner import Phase, Tell
from rich.console import Console
from rich.live import Live
from rich.table import Table

_STYLES: dict[Phase, str] = {"ready": "green", "failed": "red", "skipped": "yellow", "stopped": "green"}


@contextmanager
def progress(console: Console, names: Iterable[str]) -> Iterator[Tell]:
    """Yield what is told of every change of a phase."""
    if console.is_terminal:
        with _live(console, names) as tell:
            yield tell
    else:
        yield _lines(console)


@contextmanager
def _live(console: Console, names: Iterable[str]) -> Iterator[Tell]:
    rows: dict[str, tuple[Phase, float, str]] = dict.fromkeys(names, ("waiting", 0.0, ""))
    with Live(_table(rows), console=console, auto_refresh=False) as live:
        lock = threading.Lock()

        def tell(component: str, phase: Phase, seconds: float, detail: str) -> None:
            with lock:
                rows[component] = (phase, seconds, _first_line(detail))
                live.update(_table(rows), refresh=True)

        yield tell


def _table(rows: dict[str, tuple[Phase, float, str]]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, (phase, seconds, detail) in rows.items():
        when = f"{seconds:5.1f} s" if phase in _STYLES else ""
        table.add_row(name, f"[{_STYLES.get(phase, 'dim')}]{phase}[/]", when, f"[dim]{detail}[/]")
    return table


def _lines(console: Console) -> Tell:
    lock = threading.Lock()

    def tell(component: str, phase: Phase, seconds: float, detail: str) -> None:
        with lock:
            console.print(f"{seconds:6.1f} s  {component:<10} {phase} {_first_line(detail)}".rstrip(), markup=False)

    return tell


def _first_line(text: str) -> str:
    return text.splitlines()[0] if text else ""
