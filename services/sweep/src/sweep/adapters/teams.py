"""Whose DAG it is: the bundle names a team that tenancy knows, or the listener has said so of this DAG before.

REST of Airflow 3.3 tells no team. A bundle binds before what was heard: whoever can write Kafka as Airflow could say
anything of a DAG, but only the platform gives a bundle its name.
"""

import time

from outrider_chassis.database import Pool

from sweep.domain.seen import Whose

_TEAM_OF_BUNDLE = "SELECT team FROM chassis.teams WHERE team = $1 AND phase <> 'Refused'"
_HEARD = "SELECT team, team_rule FROM sweep.runs WHERE dag_id = $1 ORDER BY started_at DESC LIMIT 1"
_CACHED = 10_000
_NOBODYS_SECONDS = 5.0
"""Most of an Airflow may be nobody's, and is read again and again; a new team is to be heard of soon all the same."""


class PostgresTeams:
    """Asks the service's own tables, and remembers the answer for some seconds."""

    def __init__(self, pool: Pool, *, remembered_seconds: float = 30.0) -> None:
        self._pool = pool
        self._remembered = remembered_seconds
        self._answers: dict[tuple[str, str], tuple[Whose | None, float]] = {}

    async def of(self, dag_id: str, bundle: str) -> Whose | None:
        """The team of a DAG in *bundle*; None where no known team has it."""
        kept = self._answers.get((dag_id, bundle))
        if kept and kept[1] > time.monotonic():
            return kept[0]
        whose = await self._ask(dag_id, bundle)
        if len(self._answers) >= _CACHED:
            self._answers.clear()
        remembered = self._remembered if whose is not None else min(self._remembered, _NOBODYS_SECONDS)
        self._answers[dag_id, bundle] = (whose, time.monotonic() + remembered)
        return whose

    async def _ask(self, dag_id: str, bundle: str) -> Whose | None:
        if team := await self._pool.fetchval(_TEAM_OF_BUNDLE, bundle):
            return Whose(team, "bundle")
        row = await self._pool.fetchrow(_HEARD, dag_id)
        return None if row is None else Whose(row["team"], row["team_rule"])
