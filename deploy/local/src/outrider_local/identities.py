"""Who may ask the services over HTTP on this machine: tenancy's signing key, and a secret per platform client."""

import hashlib
import json
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from outrider_local.names import HTTP_CLIENTS
from outrider_local.secret_files import SecretFiles


def signing_key(secrets: SecretFiles) -> Path:
    """File with the Ed25519 key tenancy signs tokens with (PEM, PKCS 8); made the first time."""
    path = secrets.path("signing-key.pem")
    if not path.exists():
        key = Ed25519PrivateKey.generate()
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        secrets.write(path.name, pem.decode())
    return path


def clients(secrets: SecretFiles) -> Path:
    """File with what tenancy knows of the platform's clients: digests of their secrets, never the secrets."""
    known = {
        client: {"secret_sha256": _digest(secrets.password(f"client-{client}")), "role": role, "team": None}
        for client, role in HTTP_CLIENTS.items()
    }
    return secrets.write("clients.json", json.dumps(known, indent=1))


def client_secret(secrets: SecretFiles, client: str) -> Path:
    """File with the secret of *client* (one of names.HTTP_CLIENTS)."""
    secrets.password(f"client-{client}")
    return secrets.path(f"client-{client}")


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
