"""How passwords are minted: once, straight into the secret store."""

import secrets


def new_password() -> str:
    """40 characters of [A-Za-z0-9_-], 240 bits."""
    return secrets.token_urlsafe(30)
