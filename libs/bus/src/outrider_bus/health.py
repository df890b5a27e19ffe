"""How the bus is, as /health and metrics tell it."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Health:
    """`ready`: every group has its partitions and gets on with them. `alive`: polling goes on and no worker broke.

    `detail`: per group.
    """

    ready: bool
    alive: bool
    detail: dict[str, object] = field(default_factory=dict)
