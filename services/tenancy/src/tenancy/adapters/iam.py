"""A team in IAM: a role that storage takes on for it, and a user of the same name for the team's own tools."""

import json
from dataclasses import dataclass
from typing import Literal

from outrider_contracts.names import IAM_PATH

from tenancy.adapters.iam_client import Connect, Iam
from tenancy.domain.policies import (
    USER_POLICY_LIMIT,
    Policy,
    deny_everything,
    granted_policy,
    own_policy,
    same_policy,
    trust_policy,
)
from tenancy.domain.teams import Wanted
from tenancy.ports import Applied, Change, ProvisioningFailed, SecretStore

Kind = Literal["role", "user"]
_MARK = "outrider:uid"


@dataclass(frozen=True)
class Store:
    """Where the teams' data lies, and who takes their roles on."""

    bucket: str
    endpoint_url: str | None
    region: str
    storage_principal_arn: str


class IamProvisioner:
    """Makes and keeps a team's identities. Policies are inline: replaced whole, gone with their owner."""

    name = "iam"

    def __init__(self, connect: Connect, store: Store, secrets: SecretStore) -> None:
        self._connect, self._store, self._secrets = connect, store, secrets

    async def plan(self, wanted: Wanted) -> tuple[Change, ...]:
        async with self._connect() as client:
            return await self._bring(Iam(client), wanted, dry=True)

    async def apply(self, wanted: Wanted) -> Applied:
        async with self._connect() as client:
            changes = await self._bring(Iam(client), wanted, dry=False)
        return Applied(changes, {self.name: self._secrets.reference(wanted.team, self.name)})

    async def _bring(self, iam: Iam, wanted: Wanted, *, dry: bool) -> tuple[Change, ...]:
        name, policies = wanted.names.iam_name, self._policies(wanted)
        tags = {"outrider:team": wanted.team, _MARK: wanted.uid}
        changes: list[Change] = []
        trust = trust_policy(self._store.storage_principal_arn)
        role, user = await iam.role(name), await iam.user(name)
        for kind, found in (("role", role and role[1]), ("user", user)):
            if found is not None and found.get(_MARK) != wanted.uid:
                raise ProvisioningFailed(f"{kind} {name} is there already and was not made for this team")
        if role is None or not same_policy(role[0], trust):
            changes.append(Change("role.set", f"{IAM_PATH}{name}"))
            if not dry:
                await iam.put_role(name, trust, tags)
        if user is None:
            changes.append(Change("user.create", f"{IAM_PATH}{name}"))
            if not dry:
                await iam.put_user(name, tags)
        changes += await self._bring_policies(iam, "role", name, await iam.role_policies(name), policies, dry=dry)
        changes += await self._bring_policies(iam, "user", name, await iam.user_policies(name), policies, dry=dry)
        changes += await self._bring_key(iam, wanted, dry=dry)
        return tuple(changes)

    def _policies(self, wanted: Wanted) -> dict[str, Policy]:
        """The wanted inline policies by name. Raises ProvisioningFailed when IAM would not take them."""
        if not wanted.active:
            return {"suspended": deny_everything()}
        granted = granted_policy(self._store.bucket, wanted.readable)
        policies = {"own": own_policy(self._store.bucket, wanted.names.storage_prefix)}
        if granted is not None:
            policies["granted"] = granted
        size = sum(len(json.dumps(policy, separators=(",", ":"))) for policy in policies.values())
        if size > USER_POLICY_LIMIT:
            raise ProvisioningFailed(
                f"the policies of {wanted.team} need {size} characters, an IAM user may have {USER_POLICY_LIMIT}: "
                "accept fewer outputs of other teams"
            )
        return policies

    async def _bring_policies(
        self, iam: Iam, kind: Kind, name: str, found: dict[str, object], policies: dict[str, Policy], *, dry: bool
    ) -> list[Change]:
        """Set what differs first, then remove what is too much."""
        changes: list[Change] = []
        for policy_name, policy in policies.items():
            if not same_policy(found.get(policy_name), policy):
                changes.append(Change("policy.set", f"{kind}{IAM_PATH}{name}/{policy_name}"))
                if not dry:
                    await iam.put_policy(kind, name, policy_name, policy)
        for policy_name in sorted(found.keys() - policies.keys()):
            changes.append(Change("policy.delete", f"{kind}{IAM_PATH}{name}/{policy_name}"))
            if not dry:
                await iam.delete_policy(kind, name, policy_name)
        return changes

    async def _bring_key(self, iam: Iam, wanted: Wanted, *, dry: bool) -> list[Change]:
        """One key, that of the secret store, active while the team is. Keys nobody knows the secret of are removed."""
        user, keys = wanted.names.iam_name, await iam.keys(wanted.names.iam_name)
        secret = await self._secrets.get(wanted.team, self.name)
        known = None if secret is None else secret["aws_access_key_id"]
        changes: list[Change] = []
        for key_id in sorted(keys.keys() - {known}):
            changes.append(Change("key.delete", f"{user}/{key_id}"))
            if not dry:
                await iam.delete_key(user, key_id)
        if known in keys:
            if keys[known] != wanted.active:
                changes.append(Change("key.activate" if wanted.active else "key.deactivate", f"{user}/{known}"))
                if not dry:
                    await iam.set_key(user, known, active=wanted.active)
        elif wanted.active:
            changes.append(Change("key.create", user))
            if not dry:
                await self._mint(iam, wanted.team, user)
        return changes

    async def _mint(self, iam: Iam, team: str, user: str) -> None:
        key_id, secret_key = await iam.create_key(user)
        secret = {
            "aws_access_key_id": key_id, "aws_secret_access_key": secret_key, "region": self._store.region,
            "endpoint_url": self._store.endpoint_url or "", "bucket": self._store.bucket, "prefix": f"{team}/",
        }  # fmt: skip
        await self._secrets.put(team, self.name, secret)
