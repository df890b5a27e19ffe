"""Tables of what storage answers: pending removals, and places with their generations."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from outrider_contracts.holdings import Environments, EnvironmentView, Pending, PendingVersion, VersionView
from rich.markup import escape
from rich.table import Table

from outrider_cli.context import out

_UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


def show_pending(pending: Pending) -> None:
    """What goes when, why, and what keeps it."""
    if pending.frozen.frozen:
        by = escape(pending.frozen.by)
        out.print(
            f"[bold red]frozen[/] by {by}: {escape(pending.frozen.reason)}. Nothing is removed.\n", soft_wrap=True
        )
    if not pending.versions:
        out.print("nothing has a date of removal")
        return
    table = _table("when", "state", "size", "version", "why", "kept by")
    for one in pending.versions:
        kept = "; ".join(filter(None, (*one.held_by, one.waiting_for)))
        table.add_row(_when(one), one.state, _size(one.bytes), escape(one.path), escape(one.reason), escape(kept))
    out.print(table)


def show_places(environments: Environments) -> None:
    """Each generation of each place, with its outputs."""
    if not environments.environments:
        out.print("no places")
        return
    table = _table("task", "run", "try", "state", "output", "generation", "files", "size", "kept", "path")
    for one in environments.environments:
        for row in _rows(one):
            table.add_row(*map(escape, row))
    out.print(table)
    out.print("\n* what readers of the output get")


def _rows(one: EnvironmentView) -> Iterable[tuple[str, ...]]:
    part = f"[{one.task.map_index}]" if one.task.map_index >= 0 else ""
    tried = "ahead" if one.try_number is None else str(one.try_number)
    begin = (f"{one.task.dag_id}/{one.task.task_id}{part}", one.task.run_id, tried)
    if not one.versions:
        return [(*begin, _state(one, None), "-", f"g{one.generation}", "", "", "", one.place)]
    return [
        (
            *begin,
            _state(one, version),
            version.output + (" *" if version.current else ""),
            f"g{one.generation}",
            "" if version.files is None else str(version.files),
            _size(version.bytes),
            version.retention,
            version.path,
        )
        for version in one.versions
    ]


def _state(one: EnvironmentView, version: VersionView | None) -> str:
    if version is not None and version.state in ("doomed", "clearing", "cleared") and one.state != "dropped":
        return version.state
    return f"{one.state} ({one.outcome})" if one.outcome == "failed" else one.state


def _when(one: PendingVersion) -> str:
    at = one.not_before or one.due_at
    if at is None:
        return ""
    left = at - datetime.now(UTC)
    return "due now" if left <= timedelta(0) else f"in {_length(left)}"


def _length(length: timedelta) -> str:
    seconds = int(length.total_seconds())
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds} s"


def _size(size: int | None) -> str:
    if size is None:
        return ""
    for unit, name in _UNITS:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"


def _table(*headings: str) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, no_wrap=heading not in ("why", "kept by", "path", "version"), overflow="fold")
    return table
