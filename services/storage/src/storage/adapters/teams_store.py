"""Each team's versions where its document says: every path names its team first, so that nobody else has to ask."""

import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence

from outrider_contracts.environments import Manifest
from outrider_contracts.http import Credentials, StoreAddress
from outrider_contracts.tenants import Backend

from storage.adapters.paths import guard
from storage.domain.access import Access
from storage.domain.admission import backend_of, not_offered
from storage.domain.refusals import Refused, Waiting
from storage.ports import CredentialIssuer, Manifests, Marker, ObjectStore, Removal, RemovalRefused, Store, Teams

StoreOf = Callable[[str], Awaitable[Store]]
"""The store of a path. Raises UnsafePath, Waiting where its team is not known, Refused where there is no such store."""


class TeamsStore:
    """The whole backend over several."""

    def __init__(self, stores: Mapping[Backend, Store], teams: Teams) -> None:
        self._stores, self._teams = stores, teams
        self._settled: dict[str, Store] = {}  # where a team's data lies never changes, so it is asked for once
        self.backends = frozenset(stores)
        self.objects: ObjectStore = _Objects(self._at)
        self.manifests: Manifests = _Manifests(self._at)
        self.marker: Marker = _Marker([store.marker for store in stores.values()])

    async def address(self, team: str) -> StoreAddress:
        return await (await self._of(team)).address(team)

    async def _at(self, path: str) -> Store:
        return await self._of(guard(path).team)

    async def _of(self, team: str) -> Store:
        if team not in self._settled:
            self._settled[team] = await self._asked(team)
        return self._settled[team]

    async def _asked(self, team: str) -> Store:
        status = await self._teams.get(team)
        if status is None:
            raise Waiting(f"team {team}, which is not known here yet", retry_after_seconds=1.0)
        store = self._stores.get(backend_of(status))
        if store is None:
            raise not_offered(status)
        return store


class _Objects:
    def __init__(self, at: StoreOf) -> None:
        self._at = at

    async def open(self, path: str) -> bool:
        return await (await self._at(path)).objects.open(path)

    async def close(self, path: str) -> None:
        with contextlib.suppress(Refused, Waiting):  # what can't be reached can't be tidied up
            await (await self._at(path)).objects.close(path)

    async def inventory(self, path: str) -> Manifest:
        return await (await self._at(path)).objects.inventory(path)

    async def remove(self, path: str) -> Removal:
        try:
            store = await self._at(path)
        except (Refused, Waiting) as error:
            raise RemovalRefused(str(error)) from None
        return await store.objects.remove(path)


class _Manifests:
    def __init__(self, at: StoreOf) -> None:
        self._at = at

    async def read(self, path: str) -> Manifest | None:
        return await (await self._at(path)).manifests.read(path)

    async def write(self, path: str, manifest: Manifest) -> Manifest:
        return await (await self._at(path)).manifests.write(path, manifest)


class _Marker:
    """Kept beside the data everywhere. Stores that name different databases name one that is nobody's."""

    def __init__(self, markers: Sequence[Marker]) -> None:
        self._markers = markers

    async def read(self) -> tuple[str, int] | None:
        kept = [found for marker in self._markers if (found := await marker.read()) is not None]
        if not kept:
            return None
        return " and ".join(sorted({identity for identity, _ in kept})), max(starts for _, starts in kept)

    async def write(self, identity: str, starts: int) -> None:
        for marker in self._markers:
            await marker.write(identity, starts)


class TeamsIssuer:
    """Credentials for what a team's own store asks for."""

    def __init__(self, issuers: Mapping[Backend, CredentialIssuer], teams: Teams) -> None:
        self._issuers, self._teams = issuers, teams

    async def issue(self, access: Access) -> Credentials | None:
        status = await self._teams.get(access.team)
        if status is None:
            raise Waiting(f"team {access.team}, which is not known here yet", retry_after_seconds=1.0)
        if (issuer := self._issuers.get(backend_of(status))) is None:
            raise not_offered(status)
        return await issuer.issue(access)
