"""What tenancy may do in the cluster: applies deploy/kubernetes/tenancy.yaml as its administrator, keeps its way in."""

import asyncio
import base64
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from outrider_local.errors import StartFailed
from outrider_local.stack import Stack
from outrider_local.waiting import wait_until

MANIFEST = Path(__file__).resolve().parents[5] / "deploy" / "kubernetes" / "tenancy.yaml"
_FILE = "kubernetes/tenancy.kubeconfig"
_NAMESPACE, _ACCOUNT = "outrider", "tenancy"
_SECRET = "tenancy-token"  # noqa: S105  the name of one
_PLURALS = {"ValidatingAdmissionPolicy": "validatingadmissionpolicies"}
_SECONDS = 60


def give(stack: Stack, administrator: Path) -> None:
    """Have tenancy's rights in the cluster of *administrator*'s kubeconfig, and a kubeconfig of its own for tenancy."""
    told = yaml.safe_load(administrator.read_text())
    context = next(each["context"] for each in told["contexts"] if each["name"] == told["current-context"])
    cluster = next(each for each in told["clusters"] if each["name"] == context["cluster"])
    if "certificate-authority" in cluster["cluster"]:  # a path beside the kubeconfig it was read from
        authority = administrator.absolute().parent / cluster["cluster"]["certificate-authority"]
        cluster = {**cluster, "cluster": {**cluster["cluster"], "certificate-authority": str(authority)}}
    given: dict[str, str] = {}

    def granted() -> bool:
        given["token"] = asyncio.run(_apply(administrator))
        return bool(given["token"])

    if not wait_until(granted, seconds=_SECONDS, every=0.2):
        raise StartFailed(f"the cluster gave service account {_NAMESPACE}/{_ACCOUNT} no token in {_SECONDS} s")
    kubeconfig = {
        "apiVersion": "v1", "kind": "Config", "clusters": [cluster], "current-context": _ACCOUNT,
        "users": [{"name": _ACCOUNT, "user": {"token": given["token"]}}],
        "contexts": [{"name": _ACCOUNT, "context": {"cluster": cluster["name"], "user": _ACCOUNT}}],
    }  # fmt: skip
    stack.secrets.write(_FILE, json.dumps(kubeconfig, indent=1) + "\n")


def kubeconfig(stack: Stack) -> Path | None:
    """Tenancy's way into the cluster that the stack uses; None where it uses none."""
    path = stack.secrets.path(_FILE)
    return path if path.exists() else None


def forget(stack: Stack) -> None:
    """The stack uses no cluster any more."""
    stack.secrets.path(_FILE).unlink(missing_ok=True)


async def _apply(administrator: Path) -> str:
    """Apply the objects, and answer the token of tenancy's account, "" while the cluster has made none."""
    # imported here: it takes a second, which whoever has no cluster would pay with every command
    import aiohttp
    from kubernetes_asyncio import client, config

    mark = {"kubernetes.io/service-account.name": _ACCOUNT}
    secret = {
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token",
        "metadata": {"name": _SECRET, "namespace": _NAMESPACE, "annotations": mark},
    }  # fmt: skip
    try:
        async with await config.new_client_from_config(str(administrator)) as api:
            for wanted in (*yaml.safe_load_all(MANIFEST.read_text()), secret):
                query = [("fieldManager", "outrider-local"), ("force", "true")]
                headers = {"Content-Type": "application/apply-patch+yaml", "Accept": "application/json"}
                await api.call_api(
                    _path(wanted), "PATCH", {}, query, headers, body=wanted, auth_settings=["BearerToken"],
                    response_types_map={200: "object", 201: "object"}, _request_timeout=_SECONDS,
                )  # fmt: skip
            made = await client.CoreV1Api(api).read_namespaced_secret(_SECRET, _NAMESPACE)
    except (client.ApiException, aiohttp.ClientError, OSError, TimeoutError) as error:
        raise StartFailed(f"tenancy's rights could not be set by {administrator}: {error}") from error
    data: Mapping[str, str] = made.data or {}
    return base64.b64decode(data.get("token", "")).decode()


def _path(wanted: Mapping[str, Any]) -> str:
    prefix = "/api/v1" if wanted["apiVersion"] == "v1" else f"/apis/{wanted['apiVersion']}"
    place = f"/namespaces/{wanted['metadata']['namespace']}" if "namespace" in wanted["metadata"] else ""
    plural = _PLURALS.get(wanted["kind"], f"{wanted['kind'].lower()}s")
    return f"{prefix}{place}/{plural}/{wanted['metadata']['name']}"
