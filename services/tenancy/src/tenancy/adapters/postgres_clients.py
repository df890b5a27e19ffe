"""Clients of the token endpoint: the platform's from a file, the teams' from tenancy's table. Hashes only."""

import asyncio
import json
from pathlib import Path

from outrider_chassis.database import Pool
from pydantic import TypeAdapter

from tenancy.domain.clients import Client

_FILE = TypeAdapter(dict[str, Client])


class PostgresClients:
    """Teams' clients are rows of the table; a client named in the file is the platform's, whatever the table says."""

    def __init__(self, pool: Pool, file: Path | None) -> None:
        self._pool, self._file = pool, file

    async def find(self, client_id: str) -> Client | None:
        """The client, None if it is not known. The file is read anew, so that it can be changed while we run."""
        if self._file is not None:
            platform = _FILE.validate_python(json.loads(await asyncio.to_thread(self._file.read_text)))
            if client_id in platform:
                return platform[client_id]
        row = await self._pool.fetchrow("SELECT team, secret_sha256 FROM clients WHERE client_id = $1", client_id)
        return None if row is None else Client(secret_sha256=row["secret_sha256"], role="operator", team=row["team"])

    async def put(self, client_id: str, team: str, secret_sha256: str) -> None:
        await self._pool.execute(
            "INSERT INTO clients (client_id, team, secret_sha256) VALUES ($1, $2, $3) "
            "ON CONFLICT (client_id) DO UPDATE SET secret_sha256 = excluded.secret_sha256, changed_at = now()",
            client_id, team, secret_sha256,
        )  # fmt: skip
