"""A team in storage: nothing to make ahead, for storage reads the team's status. Here it is only understood."""

from collections.abc import Collection

from outrider_contracts.tenants import Backend

from tenancy.domain.acceptance import STORAGE
from tenancy.domain.quantities import parse_quantity
from tenancy.domain.teams import Wanted
from tenancy.ports import Applied, Change, ProvisioningFailed


class StorageProvisioner:
    """Says no to a backend this platform has not, and to a quota that can't be read; storage reads the status."""

    name = STORAGE

    def __init__(self, offered: Collection[Backend]) -> None:
        self._offered = offered

    async def plan(self, wanted: Wanted) -> tuple[Change, ...]:
        backend, quota = wanted.spec.storage.backend, wanted.spec.storage.quota
        if backend not in self._offered:
            raise ProvisioningFailed(
                f"storage.backend: {backend!r} is not offered here; there is: {', '.join(self._offered)}. Change the "
                "document, or have a platform administrator add it to TENANCY_STORAGE_BACKENDS"
            )
        try:
            if quota is not None:
                parse_quantity(quota)
        except ValueError as error:
            raise ProvisioningFailed(f"storage.quota: {error}") from None
        return ()

    async def apply(self, wanted: Wanted) -> Applied:
        return Applied(await self.plan(wanted))
