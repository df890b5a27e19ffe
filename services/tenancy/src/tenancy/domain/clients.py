"""Who may ask for tokens: only digests of secrets are kept and compared."""

import hashlib
import hmac
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Client:
    """A client of the token endpoint: what is kept of its secret, its role, and the one team it belongs to."""

    secret_sha256: str
    role: Literal["viewer", "operator", "administrator"]
    team: str | None = None

    def proves_itself(self, secret: str) -> bool:
        """Whether *secret* is this client's. Takes the same time for every wrong one."""
        return hmac.compare_digest(sha256(secret), self.secret_sha256)


def sha256(secret: str) -> str:
    """What is kept of a minted secret. Enough for 240 random bits, not for a password that a person chose."""
    return hashlib.sha256(secret.encode()).hexdigest()
