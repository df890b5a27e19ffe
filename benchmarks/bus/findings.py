"""What a part of the bench has found: a table of figures, and how they compare with what is aimed for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Row:
    """One contender's figures, by their names with unit ("records/s", "p99 ms")."""

    contender: str
    figures: Mapping[str, float]


@dataclass(frozen=True)
class Aim:
    """A figure beside what is wanted of it: at least, or with `at_most` at most."""

    what: str
    seen: float
    wanted: float
    at_most: bool = False

    @property
    def reached(self) -> bool:
        return self.seen <= self.wanted if self.at_most else self.seen >= self.wanted


@dataclass(frozen=True)
class Section:
    """The outcome of one part."""

    title: str
    rows: Sequence[Row]
    aims: Sequence[Aim] = field(default=())


def medians(rounds: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """One figure for each name: the median of all rounds."""
    return {name: median(figures[name] for figures in rounds) for name in rounds[0]}


def table(section: Section) -> str:
    """The section as text for people."""
    names = list(dict.fromkeys(name for row in section.rows for name in row.figures))
    width = max(len(row.contender) for row in section.rows)
    lines = [section.title, " ".join(["", " " * width, *(f"{name:>{_width(name)}}" for name in names)])]
    for row in section.rows:
        cells = [f"{_number(row.figures.get(name)):>{_width(name)}}" for name in names]
        lines.append(" ".join(["", f"{row.contender:<{width}}", *cells]))
    for aim in section.aims:
        word = "reached" if aim.reached else "MISSED"
        sign = "≤" if aim.at_most else "≥"
        lines.append(f"  {word:>7}: {aim.what}: {_number(aim.seen)} (aim {sign} {_number(aim.wanted)})")
    return "\n".join(lines)


def _width(name: str) -> int:
    return max(len(name), 9)


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
