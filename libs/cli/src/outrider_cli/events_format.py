"""How the bus is shown on a terminal: ages, counts, and text from records that may hold anything."""

import unicodedata
from datetime import UTC, datetime

from rich.table import Table

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Control characters, and others that a terminal obeys or hides instead of showing."""


def visible(text: str | bytes | None) -> str:
    """Text from outside on one line: what is no text, or would act on a terminal, is escaped."""
    if text is None:
        return ""
    spelt = text.decode(errors="backslashreplace") if isinstance(text, bytes) else text
    return "".join(_escaped(each) if unicodedata.category(each) in _UNSEEN else each for each in spelt)


def length(seconds: float) -> str:
    """A duration in its largest unit."""
    for unit, name in _UNITS:
        if seconds >= unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s" if seconds >= 10 or seconds == 0 else f"{seconds:.1f} s"


def ago(at: datetime | None) -> str:
    """How long ago it was."""
    return "" if at is None else length(max(0.0, (datetime.now(UTC) - at).total_seconds()))


def size(count: int | None) -> str:
    """A number of bytes."""
    if count is None:
        return ""
    return (
        f"{count} B"
        if count < 1024
        else f"{count / 1024:.0f} KiB"
        if count < 1 << 20
        else f"{count / (1 << 20):.1f} MiB"
    )


def table(*headings: str, right: tuple[str, ...] = ()) -> Table:
    """A table without lines whose first words are never broken; only `why` and its like may fold."""
    made = Table(box=None, padding=(0, 2, 0, 0))
    for heading in headings:
        folds = heading in ("why", "says", "note", "reason")
        justify = "right" if heading in right else "left"
        made.add_column(heading, no_wrap=not folds, overflow="fold", justify=justify)  # type: ignore[arg-type]
    return made


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 256 else f"\\u{number:04x}" if number < 65_536 else f"\\U{number:08x}"
