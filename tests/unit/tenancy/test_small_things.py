"""Quantities, waits and verifiers."""

import base64
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from tenancy.domain.backoff import retry_at
from tenancy.domain.quantities import parse_quantity
from tenancy.domain.scram import scram_verifier

NOW = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "bytes_"), [("5Mi", 5 * 2**20), ("800k", 800_000), ("2Ti", 2 * 2**40), ("1.5Gi", 3 * 2**29)]
)
def test_quantities_read_as_in_kubernetes(text: str, bytes_: int) -> None:
    assert parse_quantity(text) == bytes_


@pytest.mark.parametrize("text", ["", "5 Mi", "Mi", "-1", "5MB"])
def test_anything_else_is_no_quantity(text: str) -> None:
    with pytest.raises(ValueError, match="no quantity"):
        parse_quantity(text)


def test_waits_double_up_to_their_cap() -> None:
    waits = [retry_at(NOW, attempts, 0.999, away=False) - NOW for attempts in range(20)]

    assert waits == sorted(waits)
    assert timedelta(minutes=4) < waits[-1] <= timedelta(minutes=5)
    assert retry_at(NOW, 20, 0.999, away=True) - NOW <= timedelta(seconds=15)


def test_a_verifier_proves_what_the_example_of_rfc_7677_proves() -> None:
    """The server's signature over the example's exchange follows from the ServerKey (section 3)."""
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    exchange = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"

    verifier = scram_verifier("pencil", base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), 4096)

    scheme, salt, keys = verifier.split("$")
    assert (scheme, salt) == ("SCRAM-SHA-256", "4096:W22ZaJ0SNY7soEsUEjb6gQ==")
    signature = hmac.digest(base64.b64decode(keys.split(":")[1]), exchange.encode(), "sha256")
    assert base64.b64encode(signature) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="
