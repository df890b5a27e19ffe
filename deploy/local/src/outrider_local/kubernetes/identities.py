"""Identities of one stack's cluster, kept in secrets/kubernetes: the authority, certificates, kubeconfigs."""

import base64
import json
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from outrider_local.kubernetes.certificates import Authority, Signed, key_pem, new_key
from outrider_local.stack import Stack

SERVICE_NAME = "kubernetes.default.svc"
"""Name pods call the API server by; its certificate is valid for it."""
SERVICE_ADDRESSES = "10.96.0.0/24"
_SERVICE_ADDRESS = "10.96.0.1"
_NAMES = ("localhost", "kubernetes", "kubernetes.default", SERVICE_NAME)
_making = threading.Lock()


@dataclass(frozen=True)
class Identities:
    """Files that prove who somebody is. Each is made when it is first asked for, and kept."""

    stack: Stack
    server: str
    """URL of the API server, for the kubeconfigs"""

    @property
    def ca_file(self) -> Path:
        self._authority()
        return self._path("ca.crt")

    @property
    def admin_kubeconfig(self) -> Path:
        """Of a member of system:masters, who may do everything."""
        return self.kubeconfig("admin", ("system:masters",))

    def kubeconfig(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig with a client certificate of *user*, a member of *groups*."""
        signed = self._signed(f"client-{user.replace(':', '-')}", lambda ca: ca.sign_client(user, groups))
        text = _kubeconfig(self.server, self._authority().pem.certificate, user, signed)
        return self._write(f"{user.replace(':', '-')}.kubeconfig", text)

    def client(self, user: str, groups: Sequence[str] = ()) -> tuple[Path, Path]:
        """Files with a client certificate of *user*, a member of *groups*, and its key."""
        name = f"client-{user.replace(':', '-')}"
        self._signed(name, lambda ca: ca.sign_client(user, groups))
        return self._path(f"{name}.crt"), self._path(f"{name}.key")

    def serving(self, name: str) -> tuple[Path, Path]:
        """Files with a certificate for a server on 127.0.0.1, valid for its names too, and its key."""
        addresses = ("127.0.0.1", _SERVICE_ADDRESS)
        self._signed(f"server-{name}", lambda ca: ca.sign_server(name, _NAMES, addresses))
        return self._path(f"server-{name}.crt"), self._path(f"server-{name}.key")

    def service_account_key(self) -> Path:
        """The key that signs tokens of service accounts."""
        with _making:
            path = self._path("service-accounts.key")
            return path if path.exists() else self._write("service-accounts.key", key_pem(new_key()))

    def _authority(self) -> Authority:
        with _making:
            if not self._path("ca.crt").exists():
                made = Authority.create()
                self._write("ca.key", made.pem.key)
                self._write("ca.crt", made.pem.certificate)
                return made
        return Authority.load(self._read("ca"))

    def _signed(self, name: str, sign: Callable[[Authority], Signed]) -> Signed:
        authority = self._authority()
        with _making:
            if not self._path(f"{name}.crt").exists():
                signed = sign(authority)
                self._write(f"{name}.key", signed.key)
                self._write(f"{name}.crt", signed.certificate)
        return self._read(name)

    def _read(self, name: str) -> Signed:
        return Signed(self._path(f"{name}.crt").read_text(), self._path(f"{name}.key").read_text())

    def _path(self, file: str) -> Path:
        return self.stack.secrets.path(f"kubernetes/{file}")

    def _write(self, file: str, text: str) -> Path:
        return self.stack.secrets.write(f"kubernetes/{file}", text)


def _kubeconfig(server: str, authority: str, user: str, signed: Signed) -> str:
    def encoded(pem: str) -> str:
        return base64.b64encode(pem.encode()).decode()

    told = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": "outrider", "cluster": {"server": server, "certificate-authority-data": encoded(authority)}}
        ],
        "users": [
            {
                "name": user,
                "user": {
                    "client-certificate-data": encoded(signed.certificate),
                    "client-key-data": encoded(signed.key),
                },
            }
        ],
        "contexts": [{"name": "outrider", "context": {"cluster": "outrider", "user": user}}],
        "current-context": "outrider",
    }
    return json.dumps(told, indent=1) + "\n"
