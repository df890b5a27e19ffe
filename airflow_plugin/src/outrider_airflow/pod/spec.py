"""A pod as its author wants it in, the pod that is made out: stagers, shared directory, variables, safe defaults. Pure.

Pods are plain manifests here, as the API takes them.
"""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

from outrider_contracts.names import VOLUME_CLAIM

from outrider_airflow.pod.plan import CONNECTIONS, ROOT, RUN_STARTED_AT, SECRETS, TRY, PodPlan, secret_key, secret_name
from outrider_airflow.pod.stagers import IN, OUT, stager_in, stager_out

Manifest = dict[str, Any]

SHARED, VOLUME = "outrider", "outrider-volume"
"""Volumes of a pod: its own directory, and the team's directory of the shared volume."""
_TOKEN = "outrider-token"  # noqa: S105 - a volume's name
_CONNECTIONS = "outrider-connections"
_XCOM = "airflow-xcom-sidecar"
_RESERVED = frozenset({IN, OUT})


def furnish(pod: Manifest, plan: PodPlan, *, base: str, service_account: str | None = None) -> Manifest:
    """The pod with all that the plan adds. Raises ValueError where the author uses a name of ours.

    *base* names the job's container; its image, command and arguments stay untouched. *service_account* is used
    where the author names none.
    """
    made = deepcopy(pod)
    spec, metadata = made["spec"], made.setdefault("metadata", {})
    _refuse_our_names(spec)
    metadata.setdefault("annotations", {}).update({TRY: str(plan.try_number), RUN_STARTED_AT: plan.run_started_at})
    job = next(container for container in spec["containers"] if container["name"] == base)
    spec["terminationGracePeriodSeconds"] = plan.upload_seconds
    spec.setdefault("enableServiceLinks", False)
    spec.setdefault("automountServiceAccountToken", False)
    if service_account:
        spec.setdefault("serviceAccountName", service_account)
    _share(spec, plan.workspace)
    _mount(spec, plan)
    own = secret_name(metadata)
    _tell(job, plan, own)
    _add_stagers(spec, plan, own, _identity(job))
    _connect(spec, job, plan, own)
    _ask_for_room(job, plan.workspace)
    _restrict(spec, plan.unix_id)
    return made


def serve_xcom(pod: Manifest, *, image: str, pull_policy: str) -> Manifest:
    """The pod with the stager's image, which every node can have, for Airflow's XCom sidecar."""
    made = deepcopy(pod)
    for container in made["spec"]["containers"]:
        if container["name"] == _XCOM:
            container.update(image=image, imagePullPolicy=pull_policy)
    return made


def literal(text: str) -> str:
    """*text* as Kubernetes leaves it alone in a command or a variable: it would put variables in for `$(NAME)`."""
    return text.replace("$", "$$")


def secret(pod: Manifest, uid: str, files: Mapping[str, str]) -> Manifest:
    """The Secret that goes with the pod, *uid* in its cluster, and is removed with it. *files*: path -> content."""
    metadata = pod["metadata"]
    owner = {"apiVersion": "v1", "kind": "Pod", "name": metadata["name"], "uid": uid, "blockOwnerDeletion": False}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": secret_name(metadata),
            "namespace": metadata["namespace"],
            "labels": {"app.kubernetes.io/managed-by": "outrider", "app.kubernetes.io/component": "stager"},
            "ownerReferences": [owner],
        },
        "type": "Opaque",
        "immutable": True,
        "stringData": {secret_key(path): content for path, content in files.items()},
    }


def _refuse_our_names(spec: Manifest) -> None:
    names = {container["name"] for container in _containers(spec)}
    volumes = {volume["name"] for volume in spec.get("volumes", ())}
    taken = sorted((names & _RESERVED) | (volumes & {SHARED, _TOKEN, _CONNECTIONS, VOLUME}))
    if taken:
        raise ValueError(f"the pod has a container or volume {taken[0]!r}: names beginning with 'outrider' are taken")


def _share(spec: Manifest, size: str | None) -> None:
    """One directory for all containers, but the one that is Airflow's own."""
    spec.setdefault("volumes", []).append({"name": SHARED, "emptyDir": {"sizeLimit": size} if size else {}})
    for container in _containers(spec):
        if container["name"] != _XCOM:
            container.setdefault("volumeMounts", []).append({"name": SHARED, "mountPath": str(ROOT)})


def _mount(spec: Manifest, plan: PodPlan) -> None:
    """The team's directory of the shared volume, for the author's containers; in `files` mode stagers alone have it."""
    if not plan.volume_of:
        return
    spec["volumes"].append({"name": VOLUME, "persistentVolumeClaim": {"claimName": VOLUME_CLAIM}})
    # what is there has its rights already, and may be millions of files
    _fill(spec.setdefault("securityContext", {}), {"fsGroupChangePolicy": "OnRootMismatch"})
    for container in _containers(spec) if plan.mode == "volume" else ():
        if container["name"] != _XCOM:
            container["volumeMounts"].append(_volume_mount(plan))


def _volume_mount(plan: PodPlan) -> Manifest:
    return {"name": VOLUME, "mountPath": str(plan.volume)}


def _tell(job: Manifest, plan: PodPlan, secret: str) -> None:
    """The job's variables. Ours win, but for where the job is at home, which its author may know better."""
    authors = {entry["name"]: entry for entry in job.get("env", ())}
    for name, value in {"HOME": str(ROOT), "TMPDIR": str(ROOT / "tmp")}.items():
        authors.setdefault(name, {"name": name, "value": value})
    authors.update({name: {"name": name, "value": literal(value)} for name, value in plan.variables.items()})
    if plan.serves_credentials:
        name = "AWS_CONTAINER_AUTHORIZATION_TOKEN"
        reference = {"secretKeyRef": {"name": secret, "key": "credentials-token"}}
        authors[name] = {"name": name, "valueFrom": reference}
    job["env"] = list(authors.values())


def _add_stagers(spec: Manifest, plan: PodPlan, secret: str, identity: Manifest) -> None:
    files = ["token", "environment.json"] + (["credentials-token"] if plan.serves_credentials else [])
    items = [{"key": secret_key(path), "path": path} for path in files]
    spec["volumes"].append({"name": _TOKEN, "secret": {"secretName": secret, "items": items, "defaultMode": 0o440}})
    mounts: list[Manifest] = [
        {"name": SHARED, "mountPath": str(ROOT)},
        {"name": _TOKEN, "mountPath": str(SECRETS), "readOnly": True},
        *([_volume_mount(plan)] if plan.volume_of and plan.mode == "files" else ()),
    ]
    after = [stager_out(plan, mounts, identity)] if plan.has_sidecar else []
    spec["initContainers"] = [stager_in(plan, mounts, identity), *spec.get("initContainers", ()), *after]


def _connect(spec: Manifest, job: Manifest, plan: PodPlan, secret: str) -> None:
    if not plan.connections:
        return
    items = [{"key": secret_key(path), "path": path} for path in plan.connections]
    source = {"secretName": secret, "items": items, "defaultMode": 0o440}
    spec["volumes"].append({"name": _CONNECTIONS, "secret": source})
    job["volumeMounts"].append({"name": _CONNECTIONS, "mountPath": str(CONNECTIONS), "readOnly": True})


def _ask_for_room(job: Manifest, size: str | None) -> None:
    if size:
        job.setdefault("resources", {}).setdefault("requests", {}).setdefault("ephemeral-storage", size)


def _restrict(spec: Manifest, unix_id: int) -> None:
    """What PodSecurity `restricted` asks for, where the author left it open."""
    of_pod = spec.setdefault("securityContext", {})
    _fill(of_pod, {"runAsUser": unix_id, "runAsGroup": unix_id, "fsGroup": unix_id})
    _fill(of_pod, {"seccompProfile": {"type": "RuntimeDefault"}})
    if of_pod["runAsUser"] != 0:
        _fill(of_pod, {"runAsNonRoot": True})
    for container in _containers(spec):
        context = container.setdefault("securityContext", {})
        if not context.get("privileged"):
            _fill(context, {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}})


def _fill(context: Manifest, wanted: Mapping[str, object]) -> None:
    for name, value in wanted.items():
        if context.get(name) is None:
            context[name] = value


def _identity(job: Manifest) -> Manifest:
    """Stagers run as the job does, so that each can read what the other wrote."""
    context: Mapping[str, object] = job.get("securityContext") or {}
    names: Sequence[str] = ("runAsUser", "runAsGroup", "runAsNonRoot")
    return {name: context[name] for name in names if context.get(name) is not None}


def _containers(spec: Manifest) -> Iterator[Manifest]:
    yield from spec.get("initContainers") or ()
    yield from spec["containers"]
