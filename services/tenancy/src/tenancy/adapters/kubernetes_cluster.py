"""The API server: server-side apply under one field manager, and its errors as ours."""

import base64
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import yaml
from kubernetes_asyncio import client, config
from kubernetes_asyncio.client.exceptions import ApiException
from outrider_bus.ports import UnavailableError

from tenancy.domain.kubeconfig import ClusterAddress
from tenancy.domain.manifests import Manifest, Ref
from tenancy.ports import FieldsHeld, ProvisioningFailed

FIELD_MANAGER = "outrider-tenancy"
_PLURALS = {
    "Namespace": "namespaces", "ServiceAccount": "serviceaccounts", "ResourceQuota": "resourcequotas",
    "PersistentVolume": "persistentvolumes", "PersistentVolumeClaim": "persistentvolumeclaims",
    "LimitRange": "limitranges", "NetworkPolicy": "networkpolicies", "RoleBinding": "rolebindings",
}  # fmt: skip
_SECONDS = 10
_ANSWERS = {200: "object", 201: "object", 202: "object"}
_MANAGER = re.compile(r'conflict with "([^"]*)"')


def address_in(kubeconfig: Path) -> ClusterAddress:
    """The cluster that *kubeconfig* points to. Raises ValueError where it has no current context."""
    told = yaml.safe_load(kubeconfig.read_text())
    try:
        context = next(each["context"] for each in told["contexts"] if each["name"] == told["current-context"])
        cluster = next(each["cluster"] for each in told["clusters"] if each["name"] == context["cluster"])
        server = cluster["server"]
    except (KeyError, TypeError, StopIteration):
        raise ValueError(f"{kubeconfig} names no cluster by its current-context") from None
    data = cluster.get("certificate-authority-data", "")
    if not data and "certificate-authority" in cluster:
        authority = kubeconfig.parent / cluster["certificate-authority"]
        data = base64.b64encode(authority.read_bytes()).decode()
    return ClusterAddress(server, data)


class ApiCluster:
    """One cluster, by a kubeconfig that is read anew for every call, so that it may be renewed."""

    def __init__(self, kubeconfig: Path) -> None:
        self._kubeconfig = kubeconfig

    async def find(self, ref: Ref) -> Manifest | None:
        try:
            return await self._call("GET", _path(ref))
        except _NotFound:
            return None

    async def apply(self, manifest: Manifest, *, dry: bool = False, force: bool = False) -> Manifest:
        query = [("fieldManager", FIELD_MANAGER), ("force", str(force).lower()), ("fieldValidation", "Strict")]
        if dry:
            query.append(("dryRun", "All"))
        return await self._call("PATCH", _path(Ref.of(manifest)), query, manifest, "application/apply-patch+yaml")

    async def remove(self, ref: Ref) -> None:
        try:
            await self._call("DELETE", _path(ref))
        except _NotFound:
            return

    async def token(self, namespace: str, account: str, seconds: int) -> str:
        path = f"{_path(Ref('v1', 'ServiceAccount', namespace, account))}/token"
        request: Manifest = {
            "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {"expirationSeconds": seconds},
        }  # fmt: skip
        answer = await self._call("POST", path, [], request, "application/json")
        status = answer["status"]
        return str(status["token"]) if isinstance(status, dict) else ""

    async def _call(
        self,
        method: str,
        path: str,
        query: list[tuple[str, str]] | None = None,
        body: Manifest | None = None,
        content_type: str = "",
    ) -> Manifest:
        headers = {"Accept": "application/json", **({"Content-Type": content_type} if content_type else {})}
        async with _reaching(self._kubeconfig) as api:
            answer: Manifest = await api.call_api(
                path, method, {}, query or [], headers, body=body, response_types_map=_ANSWERS,
                auth_settings=["BearerToken"], _return_http_data_only=True, _request_timeout=_SECONDS,
            )  # fmt: skip
        return answer


class _NotFound(UnavailableError):
    """There is no such object; where one was counted on, somebody is just removing or making it."""


@asynccontextmanager
async def _reaching(kubeconfig: Path) -> AsyncIterator[client.ApiClient]:
    """A client whose errors are ours."""
    configuration = client.Configuration()
    try:
        await config.load_kube_config(str(kubeconfig), client_configuration=configuration)
        async with client.ApiClient(configuration) as api:
            yield api
    except ApiException as error:
        raise _translated(error) from None
    except config.ConfigException as error:
        raise ProvisioningFailed(f"tenancy's kubeconfig can't be used: {error}") from None
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise UnavailableError(f"the Kubernetes API is away: {type(error).__name__}") from None


def _translated(error: ApiException) -> Exception:
    status = _status(error)
    message = str(status.get("message", "")) or str(error.reason)
    if error.status == 404:
        return _NotFound(message)
    causes = (status.get("details") or {}).get("causes") or []
    held = [cause for cause in causes if cause.get("reason") == "FieldManagerConflict"]
    if error.status == 409 and held:
        return FieldsHeld(", ".join(f"{cause.get('field')} is set by {_holder(cause)}" for cause in held))
    # an unknown field in an applied object is a 500 too, and no waiting mends it
    away = error.status in (409, 429) or (error.status >= 500 and "field not declared in schema" not in message)
    if away:
        return UnavailableError(f"the Kubernetes API answered {error.status}: {message}")
    return ProvisioningFailed(f"Kubernetes refused: {message}")


def _status(error: ApiException) -> dict[str, dict[str, list[dict[str, str]]]]:
    try:
        status = json.loads(error.body or "{}")
    except (TypeError, ValueError):
        return {}
    return status if isinstance(status, dict) else {}


def _holder(cause: dict[str, str]) -> str:
    found = _MANAGER.search(cause.get("message", ""))
    return found[1] if found else "another manager"


def _path(ref: Ref) -> str:
    prefix = "/api/v1" if ref.api_version == "v1" else f"/apis/{ref.api_version}"
    place = f"/namespaces/{ref.namespace}" if ref.namespace else ""
    return f"{prefix}{place}/{_PLURALS[ref.kind]}/{ref.name}"
