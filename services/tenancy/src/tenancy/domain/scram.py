"""SCRAM-SHA-256 verifiers as PostgreSQL stores them (RFC 5802, RFC 7677): the server never sees the clear password."""

import base64
import hashlib
import hmac


def scram_verifier(password: str, salt: bytes, iterations: int = 4096) -> str:
    """The verifier of *password*, which must be ASCII (no SASLprep is done)."""
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return f"SCRAM-SHA-256${iterations}:{_text(salt)}${_text(stored_key)}:{_text(server_key)}"


def _text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
