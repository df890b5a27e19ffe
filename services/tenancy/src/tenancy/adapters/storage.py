"""A team in storage: nothing to make ahead, retention and quota travel in the status. Here they are only understood."""

from tenancy.domain.quantities import parse_quantity
from tenancy.domain.teams import Wanted
from tenancy.ports import Applied, Change, ProvisioningFailed


class StorageProvisioner:
    """Says no to a quota that can't be read; storage reads the rest from the team's status."""

    name = "storage"

    async def plan(self, wanted: Wanted) -> tuple[Change, ...]:
        quota = wanted.spec.storage.quota
        try:
            if quota is not None:
                parse_quantity(quota)
        except ValueError as error:
            raise ProvisioningFailed(f"storage.quota: {error}") from None
        return ()

    async def apply(self, wanted: Wanted) -> Applied:
        return Applied(await self.plan(wanted))
