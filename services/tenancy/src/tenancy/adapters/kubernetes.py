"""A team in Kubernetes: its namespace with its fences, its service accounts, and its tasks' connection to them."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from outrider_contracts.names import KUBERNETES_CONNECTION, RUNNER_ACCOUNT

from tenancy.adapters.file_secrets import read_private, write_private
from tenancy.domain.accounts import unwanted_accounts, wanted_accounts
from tenancy.domain.kubeconfig import ClusterAddress, connection, held_token, lasts
from tenancy.domain.manifests import Manifest, Ref, differences, managers, part
from tenancy.domain.namespaces import UID_MARK, fences, namespace
from tenancy.domain.teams import Wanted
from tenancy.domain.volumes import unbound, volume
from tenancy.ports import Applied, Change, Cluster, FieldsHeld, ProvisioningFailed


@dataclass(frozen=True)
class Site:
    """What holds for all teams: the cluster's address, what pods may reach, where connections lie, how long tokens."""

    address: ClusterAddress
    connections: Path
    platform_cidrs: tuple[str, ...] = ()
    token_seconds: int = 48 * 3600
    volume_source: Mapping[str, object] | None = None
    """How pods reach a team's directory of the shared volume, with `{team}` in it."""


class KubernetesProvisioner:
    """Makes and keeps a team's part of a cluster. What others have set is left to them unless a document says else."""

    name = "kubernetes"

    def __init__(self, cluster: Cluster, site: Site) -> None:
        self._cluster, self._site = cluster, site

    async def plan(self, wanted: Wanted) -> tuple[Change, ...]:
        return tuple((await self._bring(wanted, dry=True)).changes)

    async def apply(self, wanted: Wanted) -> Applied:
        course = await self._bring(wanted, dry=False)
        refs = {self.name: f"airflow-connection:{wanted.team}/{KUBERNETES_CONNECTION}"} if wanted.active else None
        return Applied(tuple(course.changes), refs, conflict="; ".join(course.held))

    async def _bring(self, wanted: Wanted, *, dry: bool) -> "_Course":
        course = _Course(dry=dry, force=wanted.spec.kubernetes.force)
        home = namespace(wanted)
        found = await self._cluster.find(Ref.of(home))
        if found is not None and part(part(found, "metadata"), "labels").get(UID_MARK) != wanted.uid:
            raise ProvisioningFailed(
                f"namespace {wanted.names.namespace} is there already and was not made for this team; to have it taken "
                f"over, an administrator labels it {UID_MARK}={wanted.uid}"
            )
        await self._set(home, found, course)
        mounted = volume(wanted, self._site.volume_source)
        for manifest in (*fences(wanted, self._site.platform_cidrs), *wanted_accounts(wanted), *mounted):
            # in a namespace that is not there yet there is nothing to look at
            ref = Ref.of(manifest)
            there = None if found is None and ref.namespace else await self._cluster.find(ref)
            course.held += unbound(there)
            await self._set(manifest, there, course)
        if found is not None:
            await self._remove(unwanted_accounts(wanted), course)
        await self._connect(wanted, course, fresh=found is None)
        return course

    async def _set(self, manifest: Manifest, found: Manifest | None, course: "_Course") -> None:
        ref = Ref.of(manifest)
        drift = ""
        if found is not None:
            would_be = await self._cluster.apply(manifest, dry=True, force=True)
            drift = _spell_drift(found, would_be)
            if not drift:
                return
        try:
            if not course.dry:
                await self._cluster.apply(manifest, force=course.force)
        except FieldsHeld as held:
            course.held.append(
                f"{ref.kind} {ref}: {held}; have it let go of the field, or set spec.kubernetes.force: true"
            )
            return
        action = f"{ref.kind.lower()}.{'create' if found is None else 'set'}"
        course.changes.append(Change(action, f"{ref}{drift}"))

    async def _remove(self, manifests: tuple[Manifest, ...], course: "_Course") -> None:
        for ref in map(Ref.of, manifests):
            if await self._cluster.find(ref) is None:
                continue
            course.changes.append(Change(f"{ref.kind.lower()}.delete", str(ref)))
            if not course.dry:
                await self._cluster.remove(ref)

    async def _connect(self, wanted: Wanted, course: "_Course", *, fresh: bool) -> None:
        """Keep the connection of an active team good; a deleted team has none."""
        file = self._site.connections / wanted.team / KUBERNETES_CONNECTION
        text = await asyncio.to_thread(read_private, file)
        if wanted.spec.lifecycle == "Deleted" and text:
            course.changes.append(Change("connection.delete", KUBERNETES_CONNECTION))
            if not course.dry:
                await asyncio.to_thread(file.unlink, missing_ok=True)
        if not wanted.active or (not fresh and await self._fits(wanted, text)):
            return
        course.changes.append(Change("token.mint", f"{wanted.names.namespace}/{RUNNER_ACCOUNT}"))
        if not course.dry:
            token = await self._cluster.token(wanted.names.namespace, RUNNER_ACCOUNT, self._site.token_seconds)
            await asyncio.to_thread(write_private, file, self._connection(wanted, token))

    async def _fits(self, wanted: Wanted, text: str) -> bool:
        account = await self._cluster.find(Ref("v1", "ServiceAccount", wanted.names.namespace, RUNNER_ACCOUNT))
        uid, token = str(part(account or {}, "metadata").get("uid", "")), held_token(text)
        return lasts(token, uid, datetime.now(UTC)) and text == self._connection(wanted, token)

    def _connection(self, wanted: Wanted, token: str) -> str:
        return json.dumps(connection(wanted, self._site.address, token), indent=2) + "\n"


@dataclass
class _Course:
    """One pass over a team's objects: what was (or would be) done, and what others hold."""

    dry: bool
    force: bool
    changes: list[Change] = field(default_factory=list)
    held: list[str] = field(default_factory=list)


def _spell_drift(found: Manifest, would_be: Manifest) -> str:
    """Each field that differs, with both values and who set it as it is; "" where none does."""
    words = [
        f"{each.spelt} {each.found or 'unset'} -> {each.wanted or 'unset'}"
        + "".join(f" (set by {manager})" for manager in managers(found, each.path))
        for each in differences(found, would_be)
    ]
    return f": {', '.join(words)}" if words else ""
