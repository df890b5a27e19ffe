"""Mints tokens and publishes the key that verifies them (EdDSA, RFC 8037; JWKS, RFC 7517)."""

import hashlib
import time
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from jwt.algorithms import OKPAlgorithm
from outrider_chassis.tokens import AUDIENCE, Jwks

_TOKEN_SECONDS = 600


class EdSigner:
    """Signs with the key of one file."""

    def __init__(self, key_file: Path, issuer_url: str) -> None:
        key = load_pem_private_key(key_file.read_bytes(), password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"{key_file} holds no Ed25519 private key")
        self._key, self._issuer = key, issuer_url.rstrip("/")
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self._kid = hashlib.sha256(raw).hexdigest()[:16]

    @property
    def seconds(self) -> int:
        return _TOKEN_SECONDS

    def mint(self, subject: str, role: str, team: str | None) -> str:
        now = int(time.time())
        claims = {
            "iss": self._issuer, "aud": AUDIENCE, "sub": subject, "role": role, "team": team,
            "iat": now, "exp": now + _TOKEN_SECONDS,
        }  # fmt: skip
        return jwt.encode(claims, self._key, algorithm="EdDSA", headers={"kid": self._kid})

    async def jwks(self) -> Jwks:
        key = OKPAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
        return {"keys": [{**key, "kid": self._kid, "use": "sig", "alg": "EdDSA"}]}
