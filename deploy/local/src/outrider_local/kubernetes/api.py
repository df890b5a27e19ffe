"""The few questions this package asks the API server of the stack's own cluster, as its administrator."""

import json
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import httpx

from outrider_local.errors import StackError
from outrider_local.kubernetes.identities import Identities

_SECONDS = 5.0
_OVER = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Api:
    """An API server that may be away: questions are then answered with no."""

    identities: Identities

    def is_ready(self) -> bool:
        """Say whether the API server answers and has made its own roles."""
        with self._client() as client:
            try:
                return client.get("/readyz").is_success
            except httpx.HTTPError:
                return False

    def has_default_account(self) -> bool:
        """Say whether API server and controllers work: the controllers make this account last."""
        with self._client() as client:
            return _found(client, "/api/v1/namespaces/default/serviceaccounts/default") is not None

    def node_is_ready(self, name: str) -> bool:
        """Say whether the node *name* takes pods."""
        with self._client() as client:
            node = _found(client, f"/api/v1/nodes/{name}") or {}
        conditions = node.get("status", {}).get("conditions", ())
        return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)

    def offer_room(self, node: str, size: int) -> None:
        """Have the scheduler know of so many bytes of room on the node's disk, of which its kubelet takes no stock."""
        room = {"ephemeral-storage": str(size)}
        body = json.dumps({"status": {"capacity": room, "allocatable": room}})
        kind = {"Content-Type": "application/strategic-merge-patch+json"}
        with self._client() as client:
            try:
                client.patch(f"/api/v1/nodes/{node}/status", content=body, headers=kind).raise_for_status()
            except httpx.HTTPError as error:
                raise StackError(f"node {node} can't offer its disk: {error}") from error

    def forget_running_pods(self, node: str) -> None:
        """Delete the pods of *node* that have not ended, at once; nothing happens where the API server is away.

        A kubelet that starts again would run them a second time.
        """
        with self._client() as client:
            pods = _found(client, f"/api/v1/pods?fieldSelector=spec.nodeName%3D{node}") or {"items": []}
            for pod in pods["items"]:
                if pod["status"].get("phase") not in _OVER:
                    meta = pod["metadata"]
                    path = f"/api/v1/namespaces/{meta['namespace']}/pods/{meta['name']}"
                    with suppress(httpx.HTTPError):
                        client.delete(f"{path}?gracePeriodSeconds=0")

    @contextmanager
    def _client(self) -> Iterator[httpx.Client]:
        context = ssl.create_default_context(cafile=str(self.identities.ca_file))
        context.load_cert_chain(*self.identities.client("admin", ("system:masters",)))
        with httpx.Client(base_url=self.identities.server, verify=context, timeout=_SECONDS, trust_env=False) as client:
            yield client


def _found(client: httpx.Client, path: str) -> dict[str, Any] | None:
    try:
        answer = client.get(path)
    except httpx.HTTPError:
        return None
    return answer.json() if answer.is_success else None
