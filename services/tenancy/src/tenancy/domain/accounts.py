"""Who acts in a team's namespace, and with which rights.

The rights themselves are cluster roles that an administrator installs (deploy/kubernetes/tenancy.yaml): tenancy may
bind those and no others, so it needs none of the rights that it gives.
"""

from outrider_contracts.names import JOB_ACCOUNT, RUNNER_ACCOUNT, SPARK_ACCOUNT

from tenancy.domain.manifests import Manifest
from tenancy.domain.namespaces import placed
from tenancy.domain.teams import Wanted

_ROLES = {RUNNER_ACCOUNT: "outrider-runner", SPARK_ACCOUNT: "outrider-spark"}
"""Account -> cluster role. Jobs have none."""


def wanted_accounts(wanted: Wanted) -> tuple[Manifest, ...]:
    """The service accounts, and for an active team the bindings that give them rights."""
    bindings = _bindings(wanted) if wanted.active else ()
    return (*_powerless(wanted), *(() if _deleted(wanted) else _acting(wanted)), *bindings)


def unwanted_accounts(wanted: Wanted) -> tuple[Manifest, ...]:
    """What a team that is not active may not have: rights; and once it is deleted, the accounts: their tokens end."""
    if wanted.active:
        return ()
    return (*_bindings(wanted), *(_acting(wanted) if _deleted(wanted) else ()))


def _deleted(wanted: Wanted) -> bool:
    return wanted.spec.lifecycle == "Deleted"


def _powerless(wanted: Wanted) -> tuple[Manifest, ...]:
    return tuple(_account(wanted, name, mounts_token=False) for name in ("default", JOB_ACCOUNT))


def _acting(wanted: Wanted) -> tuple[Manifest, ...]:
    return _account(wanted, RUNNER_ACCOUNT, mounts_token=False), _account(wanted, SPARK_ACCOUNT, mounts_token=True)


def _account(wanted: Wanted, name: str, *, mounts_token: bool) -> Manifest:
    return placed(wanted, "ServiceAccount", "v1", name, automountServiceAccountToken=mounts_token)


def _bindings(wanted: Wanted) -> tuple[Manifest, ...]:
    group = "rbac.authorization.k8s.io"
    return tuple(
        placed(
            wanted, "RoleBinding", f"{group}/v1", account,
            roleRef={"apiGroup": group, "kind": "ClusterRole", "name": role},
            subjects=[{"kind": "ServiceAccount", "name": account, "namespace": wanted.names.namespace}],
        )
        for account, role in _ROLES.items()
    )  # fmt: skip
