"""A team in PostgreSQL: an owner role without login, a login role that acts as it, a schema of its own."""

import asyncio
import secrets as random_bytes
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
from outrider_bus.ports import Connection, UnavailableError
from outrider_chassis.settings import secret

from tenancy.adapters.credentials import new_password
from tenancy.adapters.postgres_sql import FIND, NotOurs, Statement, statements
from tenancy.domain.scram import scram_verifier
from tenancy.domain.teams import Wanted
from tenancy.ports import Applied, Change, ProvisioningFailed, SecretStore

_LOCK = "SELECT pg_advisory_xact_lock(hashtext('tenancy.roles'))"
"""Two GRANTs on one database at once fail with "tuple concurrently updated"."""
_END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = $1"


@asynccontextmanager
async def connected(url: str, password_file: Path | None) -> AsyncIterator[Connection]:
    """A connection whose errors are ours."""
    try:
        password = await asyncio.to_thread(secret, password_file) or None
        connection: Connection = await asyncpg.connect(url, password=password, timeout=10, command_timeout=30)
        try:
            yield connection
        finally:
            await connection.close(timeout=5)
    except (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.PostgresConnectionError) as error:
        raise UnavailableError(f"PostgreSQL is away: {type(error).__name__}") from None
    except (asyncpg.UndefinedTableError, asyncpg.InvalidCatalogNameError) as error:
        raise UnavailableError(f"the database is not set up yet: {type(error).__name__}") from None
    except asyncpg.PostgresError as error:
        if (error.sqlstate or "").startswith(("08", "53", "57P", "40")):
            raise UnavailableError(f"PostgreSQL is away: {type(error).__name__}") from None
        detail = f": {error}" if isinstance(error, asyncpg.InsufficientPrivilegeError) else ""  # others may quote SQL
        raise ProvisioningFailed(f"PostgreSQL refused: {type(error).__name__}{detail}") from None


class PostgresProvisioner:
    """Makes and keeps a team's roles and schema in the teams database. Data is never dropped."""

    name = "postgres"

    def __init__(self, url: str, password_file: Path | None, secrets: SecretStore) -> None:
        self._url, self._password_file, self._secrets = url, password_file, secrets

    async def plan(self, wanted: Wanted) -> tuple[Change, ...]:
        async with connected(self._url, self._password_file) as connection:
            return _changes((await self._gap(connection, wanted))[0])

    async def apply(self, wanted: Wanted) -> Applied:
        async with connected(self._url, self._password_file) as connection:
            async with connection.transaction():
                await connection.execute(_LOCK)
                missing, password = await self._gap(connection, wanted)
                for statement in missing:
                    await connection.execute(statement.sql)
            if not wanted.active:  # NOLOGIN alone leaves open sessions at work
                await connection.execute(_END_SESSIONS, wanted.names.postgres_login)
        if password is not None:
            await self._keep(wanted, password)
        kept = await self._secrets.get(wanted.team, self.name) is not None
        refs = {self.name: self._secrets.reference(wanted.team, self.name)} if kept else None
        return Applied(_changes(missing), refs)

    async def _gap(self, connection: Connection, wanted: Wanted) -> tuple[list[Statement], str | None]:
        """The missing statements, and the new password they set where none is kept (also after a crash before that)."""
        names = wanted.names
        found = await connection.fetchrow(FIND, names.postgres_owner, names.postgres_login)
        if found is None:
            raise ProvisioningFailed("PostgreSQL gave no answer")
        kept = await self._secrets.get(wanted.team, self.name)
        needed = wanted.active and wanted.spec.postgres.schema_ and (kept is None or not found["login"])
        password = new_password() if needed else None
        verifier = None if password is None else scram_verifier(password, random_bytes.token_bytes(16))
        try:
            return statements(wanted, dict(found), verifier), password
        except NotOurs as error:
            raise ProvisioningFailed(str(error)) from None

    async def _keep(self, wanted: Wanted, password: str) -> None:
        address = urlsplit(self._url)
        values = {
            "host": address.hostname or "127.0.0.1", "port": str(address.port or 5432),
            "dbname": address.path.lstrip("/"), "user": wanted.names.postgres_login, "password": password,
            "schema": wanted.names.postgres_schema,
        }  # fmt: skip
        await self._secrets.put(wanted.team, self.name, values)


def _changes(missing: list[Statement]) -> tuple[Change, ...]:
    return tuple(Change(statement.action, statement.resource) for statement in missing if statement.action)
