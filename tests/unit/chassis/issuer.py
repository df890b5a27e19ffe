"""An issuer of tokens for tests."""

import time
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from outrider_chassis.tokens import Jwks

URL = "http://issuer.test"


class Issuer:
    """Signs what it is asked to; counts how often its keys are fetched."""

    def __init__(self) -> None:
        self.fetched = 0
        self.rotate("first")

    def rotate(self, kid: str) -> None:
        self.kid, self.key = kid, Ed25519PrivateKey.generate()

    async def jwks(self) -> Jwks:
        self.fetched += 1
        return {"keys": [{**OKPAlgorithm.to_jwk(self.key.public_key(), as_dict=True), "kid": self.kid}]}

    def token(self, **changes: Any) -> str:
        now = int(time.time())
        claims = {
            "iss": URL,
            "aud": "outrider",
            "sub": "cli",
            "role": "operator",
            "team": None,
            "iat": now,
            "exp": now + 60,
        }
        kept = {name: value for name, value in (claims | changes).items() if value != "absent"}
        return jwt.encode(kept, self.key, algorithm="EdDSA", headers={"kid": self.kid})
