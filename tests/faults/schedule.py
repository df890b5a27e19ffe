"""What happens when: disturbances drawn from a seed. The same seed gives the same schedule."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Act = Literal["kill", "freeze", "leave", "slow"]


@dataclass(frozen=True)
class Disturbance:
    """From *at* (seconds after the beginning), *target* is away or slow for *seconds*."""

    at: float
    act: Act
    target: str
    seconds: float

    def __str__(self) -> str:
        return f"{self.at:6.1f} s  {self.act:<6} {self.target} for {self.seconds:.1f} s"


SYSTEMS = ("kafka", "postgres")
_LONGEST = {"kill": 3.0, "freeze": 6.0, "leave": 2.0, "slow": 5.0}
_PAUSE = (0.3, 2.5)


def schedule(seed: str, seconds: float, processes: Sequence[str]) -> list[Disturbance]:
    """Disturbances of *processes* and of Kafka and PostgreSQL; two may overlap, never on the same target.

    A target is disturbed once more only when it has had time to come back: otherwise nothing would ever be at work.
    """
    chance = random.Random(seed)
    free_at = dict.fromkeys((*processes, *SYSTEMS), 0.0)
    drawn, now = list[Disturbance](), 1.0
    while now < seconds:
        # the systems are what all stand on: they are disturbed less often than the processes
        target = chance.choice(SYSTEMS if chance.random() < 0.25 else list(processes))
        acts: list[Act] = ["kill", "freeze", "leave"]
        if target in SYSTEMS:
            acts.append("slow")
        act = chance.choice(acts)
        lasts = round(chance.uniform(0.2, _LONGEST[act]), 1)
        if free_at[target] <= now:
            drawn.append(Disturbance(round(now, 1), act, target, lasts))
            free_at[target] = now + lasts + (15 if target in SYSTEMS else 4)
        now += chance.uniform(*_PAUSE)
    return drawn
