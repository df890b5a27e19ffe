"""The team's connection to Kubernetes as Airflow reads it, and how long the token in it is good for."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from outrider_contracts.names import RUNNER_ACCOUNT

from tenancy.domain.teams import Wanted


@dataclass(frozen=True)
class ClusterAddress:
    """The API server as Airflow's tasks reach it, and its certificate authority (base64 of PEM; "": the system's)."""

    server: str
    ca_data: str = ""


def connection(wanted: Wanted, address: ClusterAddress, token: str) -> dict[str, object]:
    """The connection: a kubeconfig with the runner's token in the team's namespace."""
    authority = {"certificate-authority-data": address.ca_data} if address.ca_data else {}
    namespace = wanted.names.namespace
    kubeconfig = {
        "apiVersion": "v1", "kind": "Config", "current-context": "team",
        "clusters": [{"name": "cluster", "cluster": {"server": address.server, **authority}}],
        "users": [{"name": RUNNER_ACCOUNT, "user": {"token": token}}],
        "contexts": [
            {"name": "team", "context": {"cluster": "cluster", "user": RUNNER_ACCOUNT, "namespace": namespace}}
        ],
    }  # fmt: skip
    return {"conn_type": "kubernetes", "extra": {"kube_config": kubeconfig, "namespace": namespace}}


def held_token(text: str) -> str:
    """The token in the connection that *text* is, "" where there is none."""
    try:
        token = json.loads(text)["extra"]["kube_config"]["users"][0]["user"]["token"]
    except (ValueError, KeyError, IndexError, TypeError):
        return ""
    return token if isinstance(token, str) else ""


def lasts(token: str, account_uid: str, now: datetime) -> bool:
    """Say whether *token* is of this very account and less than half of its time has passed. Trusts it: it is ours."""
    try:
        claims = json.loads(base64.urlsafe_b64decode(token.split(".")[1] + "=="))
        of = claims["kubernetes.io"]["serviceaccount"]["uid"]
        middle = (float(claims["iat"]) + float(claims["exp"])) / 2
    except (ValueError, KeyError, IndexError, TypeError, binascii.Error):
        return False
    return isinstance(claims, Mapping) and of == account_uid and now.timestamp() < middle
