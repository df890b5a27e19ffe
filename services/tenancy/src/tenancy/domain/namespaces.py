"""A team's namespace and what fences it: quota, defaults of its containers, and who may talk to its pods."""

from collections.abc import Sequence

from tenancy.domain.manifests import Manifest
from tenancy.domain.teams import Wanted

UID_MARK = "outrider/uid"
_TEAM_MARK = "outrider/team"
_FENCE = "team"
_PRIVATE = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16", "127.0.0.0/8")
"""Addresses that are not the internet's (RFC 1918, 6598, 3927): other pods, nodes, and a cloud's metadata service."""


def namespace(wanted: Wanted) -> Manifest:
    """The namespace, marked with the team's uid: nothing else says whose it is."""
    level = wanted.spec.kubernetes.pod_security
    checks = {f"pod-security.kubernetes.io/{mode}": level for mode in ("enforce", "audit", "warn")}
    labels = {**marks(wanted), UID_MARK: wanted.uid, **checks}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": wanted.names.namespace, "labels": labels}}


def fences(wanted: Wanted, platform: Sequence[str]) -> tuple[Manifest, ...]:
    """Quota, limit range and network policy. *platform*: private addresses (CIDR) that pods of all teams may reach."""
    return _quota(wanted), _limits(wanted), _network(wanted, platform)


def placed(wanted: Wanted, kind: str, api_version: str, name: str, **rest: object) -> Manifest:
    """An object in the team's namespace."""
    metadata = {"name": name, "namespace": wanted.names.namespace, "labels": marks(wanted)}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def marks(wanted: Wanted) -> dict[str, str]:
    """Labels of everything that is the team's."""
    return {"app.kubernetes.io/managed-by": "outrider-tenancy", _TEAM_MARK: wanted.team}


def _quota(wanted: Wanted) -> Manifest:
    """What the team's document says; no pod at all for a team that is not active."""
    hard = {resource: str(amount) for resource, amount in wanted.spec.kubernetes.quota.items()}
    if not wanted.active:
        hard["pods"] = "0"
    return placed(wanted, "ResourceQuota", "v1", _FENCE, spec={"hard": hard})


def _limits(wanted: Wanted) -> Manifest:
    """Requests for containers that name none: a quota on requests refuses them otherwise.

    Default limits only where the quota counts limits: beside a larger request of the author's they make a pod invalid.
    """
    limits = {"cpu": "1", "memory": "1Gi"}
    counted = {name: limits[name] for name in limits if f"limits.{name}" in wanted.spec.kubernetes.quota}
    container: dict[str, object] = {"type": "Container", "defaultRequest": {"cpu": "100m", "memory": "128Mi"}}
    if counted:
        container["default"] = counted
    return placed(wanted, "LimitRange", "v1", _FENCE, spec={"limits": [container]})


def _network(wanted: Wanted, platform: Sequence[str]) -> Manifest:
    """In: from the team's own pods. Out: to those, to names, to the platform, and to the internet."""
    own: Manifest = {"podSelector": {}}
    names = {"ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]}
    outside = {"ipBlock": {"cidr": "0.0.0.0/0", "except": list(_PRIVATE)}}
    egress = [{"to": [own]}, names, {"to": [*({"ipBlock": {"cidr": cidr}} for cidr in platform), outside]}]
    spec = {
        "podSelector": {}, "policyTypes": ["Ingress", "Egress"], "ingress": [{"from": [own]}], "egress": egress,
    }  # fmt: skip
    return placed(wanted, "NetworkPolicy", "networking.k8s.io/v1", _FENCE, spec=spec)
