"""The driver's pod and its executors' template, made of a pod that `outrider_airflow.pod` has furnished. Pure."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any
from urllib.parse import urlsplit

from outrider_airflow.pod.plan import ROOT, secret_key, secret_name
from outrider_airflow.pod.spec import SHARED, VOLUME, Manifest
from outrider_airflow.pod.stagers import OUT
from outrider_airflow.spark.conf import APP, EXECUTOR, FILES, POD_IP, ROLE, TEMPLATE, application_id

TEMPLATE_FILE = f"spark/{TEMPLATE}"
"""The template among the files of the pod's Secret."""
_FILES, _ACCOUNT = "outrider-spark", "outrider-account"
_ACCOUNT_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"
_TOKEN_SECONDS = 3600
_GRACE_SECONDS = 10
_PLACED = ("nodeSelector", "tolerations", "affinity", "imagePullSecrets", "priorityClassName", "runtimeClassName")
"""What an author says of where the driver's pod runs holds for its executors too."""
_SERVE = "trap 'exit 0' TERM; python3 -m outrider_stage serve & wait $!"


def driver(pod: Manifest, arguments: Sequence[str], *, base: str, api_url: str, api_address: str) -> Manifest:
    """The pod with a container *base* that drives: it alone gets the service account's token, to make executors.

    *api_address*: where the API server's name leads to, where the cluster's own names don't say it.
    """
    made = deepcopy(pod)
    metadata, spec = made["metadata"], made["spec"]
    metadata.setdefault("labels", {}).update({APP: application_id(metadata["name"]), ROLE: "driver"})
    job = _container(spec, base)
    job["args"] = ["driver", *arguments]
    address = {"name": POD_IP, "valueFrom": {"fieldRef": {"fieldPath": "status.podIP"}}}
    job["env"] = [*job.get("env", ()), address, {"name": "SPARK_LOCAL_DIRS", "value": str(ROOT / "tmp")}]
    job["volumeMounts"] = [
        *job.get("volumeMounts", ()),
        {"name": _FILES, "mountPath": str(FILES), "readOnly": True},
        {"name": _ACCOUNT, "mountPath": _ACCOUNT_DIRECTORY, "readOnly": True},
    ]
    item = {"key": secret_key(TEMPLATE_FILE), "path": TEMPLATE}
    source = {"secretName": secret_name(metadata), "items": [item], "defaultMode": 0o440}
    spec["volumes"] = [*spec.get("volumes", ()), {"name": _FILES, "secret": source}, _account()]
    if api_address:
        known = {"ip": api_address, "hostnames": [urlsplit(api_url).hostname]}
        spec["hostAliases"] = [*spec.get("hostAliases", ()), known]
    return made


def executor(pod: Manifest, *, base: str, account: str | None) -> Manifest:
    """The template for the executors of the driver *pod*: as fenced as it is, and each with credentials of its own.

    They don't share the driver's loopback, so each has the sidecar that serves credentials, and renews them, there. A
    shared volume they mount where the driver does.
    """
    told, job = pod["spec"], _container(pod["spec"], base)
    container: dict[str, Any] = {
        "name": EXECUTOR,
        "env": [entry for entry in job.get("env", ()) if entry["name"].startswith("AWS_") or entry["name"] == "HOME"],
        "securityContext": deepcopy(job.get("securityContext") or {}),
    }
    spec: dict[str, Any] = {
        **{name: deepcopy(told[name]) for name in _PLACED if told.get(name)},
        **({"serviceAccountName": account} if account else {}),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "securityContext": deepcopy(told.get("securityContext") or {}),
        "containers": [container],
    }
    own = {SHARED, VOLUME}
    container["volumeMounts"] = [deepcopy(mount) for mount in job["volumeMounts"] if mount["name"] in own]
    used = {mount["name"] for mount in container["volumeMounts"]}
    if sidecar := _server(told):
        spec["initContainers"] = [sidecar]
        used |= {mount["name"] for mount in sidecar["volumeMounts"]}
    spec["volumes"] = [deepcopy(volume) for volume in told["volumes"] if volume["name"] in used]
    labels = {"app.kubernetes.io/managed-by": "outrider"}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": labels}, "spec": spec}


def sized(template: Manifest, resources: Mapping[str, Any]) -> Manifest:
    """A pod as Spark will make it of the *template*, as far as its size goes."""
    made = deepcopy(template)
    _container(made["spec"], EXECUTOR)["resources"] = dict(resources)
    return made


def _server(spec: Manifest) -> Manifest | None:
    """The driver's sidecar, with nothing to do but to serve credentials."""
    for container in spec.get("initContainers", ()):
        if container["name"] == OUT:
            made: Manifest = deepcopy(container)
            made["command"] = ["sh", "-c", _SERVE]
            made["resources"] = {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "256Mi"}}
            return made
    return None


def _account() -> Manifest:
    """The service account's token with the cluster's authority, as Kubernetes itself would mount it everywhere."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": _TOKEN_SECONDS}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": _ACCOUNT, "projected": {"sources": sources, "defaultMode": 0o440}}


def _container(spec: Manifest, name: str) -> Manifest:
    return next(container for container in spec["containers"] if container["name"] == name)
