"""Tokens of what carries data in and out of pods, each bound to one generation."""

from datetime import datetime

from storage.domain.attempts import Attempt
from storage.records.codec import Connection


async def add(
    connection: Connection, digest: bytes, attempt: Attempt, *, adoptable: bool, expires_at: datetime
) -> None:
    """Keep a token's hash, and whether a later try may go on with what it is for."""
    key = (attempt.place, attempt.generation)
    await connection.execute("INSERT INTO storage.tokens VALUES ($1, $2, $3, $4)", digest, *key, expires_at)
    await connection.execute(
        "UPDATE storage.attempts SET adoptable = $3 WHERE (place, generation) = ($1, $2)", *key, adoptable
    )


async def forget(connection: Connection, now: datetime) -> None:
    """Let go of tokens that have expired."""
    await connection.execute("DELETE FROM storage.tokens WHERE expires_at <= $1", now)
