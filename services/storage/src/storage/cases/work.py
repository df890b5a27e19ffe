"""What every use case works with."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from outrider_bus.ports import Database
from outrider_contracts.tenants import TeamStatus

from storage.domain.admission import admit
from storage.ports import Airflow, CredentialIssuer, Store, Teams


@dataclass(frozen=True)
class Terms:
    """How long things are kept and waited for."""

    retention: str = "3d"
    failed_retention: str = "7d"
    grace: timedelta = timedelta(minutes=10)
    undo: timedelta = timedelta(days=1)
    hold: timedelta = timedelta(days=7)
    seal_grace: timedelta = timedelta(seconds=30)
    phantom_after: timedelta = timedelta(hours=1)
    removals_per_hour: int = 5000
    token: timedelta = timedelta(days=7)


@dataclass(frozen=True)
class PodAddresses:
    """Where pods find storage and the store, where that is not where everybody else does; empty: it is."""

    storage_url: str = ""
    s3_endpoint_url: str = ""


@dataclass(frozen=True)
class Work:
    """The database, the ports and the terms."""

    database: Database
    store: Store
    issuer: CredentialIssuer
    airflow: Airflow
    teams: Teams
    terms: Terms
    clock: Callable[[], datetime]
    pods: PodAddresses = PodAddresses()

    async def admit(self, team: str, waited: timedelta = timedelta(0)) -> TeamStatus:
        """The team's status if it may have environments. Raises Waiting or Refused."""
        return admit(team, await self.teams.get(team), waited, self.store.backends)
