"""Which rows of the outbox are sent together. No I/O."""

from collections.abc import Collection, Iterator, Sequence

from outrider_bus.kafka import LARGE_RECORD
from outrider_bus.records import sizes
from outrider_bus.saying.outbox import Said


def is_large(said: Said) -> bool:
    """Whether the row is to be compressed on its way."""
    return sizes(said.row.key, said.row.value, said.row.headers) > LARGE_RECORD


def portions(rows: Sequence[Said], alone: Collection[int]) -> Iterator[list[Said]]:
    """*rows* in order, together what may go together; each large one, and those numbered in *alone*, by itself."""
    together: list[Said] = []
    for said in rows:
        if not is_large(said) and said.seq not in alone:
            together.append(said)
            continue
        if together:
            yield together
        yield [said]
        together = []
    if together:
        yield together
