"""A team's directory of the shared volume, as its pods mount it: one volume for one claim, and no other's."""

import json
from collections.abc import Mapping

from outrider_contracts.names import VOLUME_CLAIM

from tenancy.domain.manifests import Manifest, part
from tenancy.domain.namespaces import marks, placed
from tenancy.domain.teams import Wanted

_SIZE = "1Gi"
"""Kubernetes wants one; a shared file system knows none of a directory's."""
_MANY = ["ReadWriteMany"]
_BROKEN = frozenset({"Released", "Failed"})


def volume(wanted: Wanted, source: Mapping[str, object] | None) -> tuple[Manifest, ...]:
    """The volume and its claim; nothing for a team whose data lies elsewhere. *source* has `{team}` in it.

    They stay when access ends: a claim is no way in without pods, and data stays.
    """
    if wanted.spec.storage.backend != "directory" or source is None:
        return ()
    names = wanted.names
    reference = {
        "apiVersion": "v1", "kind": "PersistentVolumeClaim", "namespace": names.namespace, "name": VOLUME_CLAIM,
    }  # fmt: skip
    spec = {
        **json.loads(json.dumps(source).replace("{team}", wanted.team)),
        "capacity": {"storage": _SIZE}, "accessModes": _MANY, "storageClassName": "",
        "persistentVolumeReclaimPolicy": "Retain", "claimRef": reference,
    }  # fmt: skip
    claim = {
        "accessModes": _MANY, "resources": {"requests": {"storage": _SIZE}}, "storageClassName": "",
        "volumeName": names.volume,
    }  # fmt: skip
    metadata = {"name": names.volume, "labels": marks(wanted)}
    return (
        {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec},
        placed(wanted, "PersistentVolumeClaim", "v1", VOLUME_CLAIM, spec=claim),
    )


def unbound(found: Manifest | None) -> tuple[str, ...]:
    """What keeps pods from a volume that was *found*: its claim was deleted, and Kubernetes gives it to no new one."""
    if found is None or found.get("kind") != "PersistentVolume":
        return ()
    phase = str(part(found, "status").get("phase", ""))
    if phase not in _BROKEN:
        return ()
    name = part(found, "metadata").get("name")
    mend = f'kubectl patch pv {name} -p \'{{"spec": {{"claimRef": {{"uid": null}}}}}}\''
    return (
        f"PersistentVolume {name} is {phase}: its claim was deleted, its data is there; give it the new one: {mend}",
    )
