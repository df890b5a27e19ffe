"""Roles and databases of the local PostgreSQL: every service owns the database of its name and sees no other."""

import asyncio
from typing import TYPE_CHECKING

import asyncpg

from outrider_local.errors import StartFailed
from outrider_local.names import POSTGRES_ADMIN, POSTGRES_OWNERS, TEAMS_DATABASE
from outrider_local.secret_files import SecretFiles

if TYPE_CHECKING:
    from asyncpg import Connection
    from asyncpg.protocol import Record

_ANSWER_SECONDS = 2.0
_LOGIN_SECONDS = 60.0
_AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


def answers(port: int, secrets: SecretFiles) -> bool:
    """Say whether the server takes a login and answers a query."""

    async def ask() -> None:
        connection = await _connect(port, secrets)
        try:
            await connection.execute("SELECT 1")
        finally:
            await connection.close()

    try:
        asyncio.run(asyncio.wait_for(ask(), _ANSWER_SECONDS))
    except _AWAY:
        return False
    return True


def apply(port: int, secrets: SecretFiles) -> None:
    """Have every role with the password of its file, and every database with its owner. Raises StartFailed."""
    try:
        asyncio.run(_apply(port, secrets))
    except _AWAY as error:
        why = str(error) or f"no answer in {_LOGIN_SECONDS:.0f} s"
        raise StartFailed(f"PostgreSQL did not take its roles: {why}; see `outrider logs postgres`") from error


async def run_statement(port: int, secrets: SecretFiles, statement: str) -> None:
    """Run one statement as the superuser, outside of a transaction."""
    connection = await _connect(port, secrets)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _connect(port: int, secrets: SecretFiles, database: str = "postgres") -> "Connection[Record]":
    return await asyncpg.connect(
        host="127.0.0.1",
        port=port,
        user=POSTGRES_ADMIN,
        password=secrets.password(f"postgres-{POSTGRES_ADMIN}"),
        database=database,
        timeout=_LOGIN_SECONDS,
    )


async def _apply(port: int, secrets: SecretFiles) -> None:
    connection = await _connect(port, secrets)
    try:
        roles = {row["rolname"] for row in await connection.fetch("SELECT rolname FROM pg_roles")}
        databases = {row["datname"] for row in await connection.fetch("SELECT datname FROM pg_database")}
        for role in POSTGRES_OWNERS:
            if role not in roles:
                await connection.execute(f'CREATE ROLE "{role}" LOGIN')
            # a password of this alphabet needs no quoting (SecretFiles.password)
            await connection.execute(f"ALTER ROLE \"{role}\" PASSWORD '{secrets.password(f'postgres-{role}')}'")
        await connection.execute("ALTER ROLE tenancy CREATEROLE")
        owners = {**{role: role for role in POSTGRES_OWNERS}, TEAMS_DATABASE: "tenancy"}
        for database, owner in owners.items():
            if database not in databases:
                await connection.execute(f'CREATE DATABASE "{database}" OWNER "{owner}"')
        for database in (*owners, "postgres", "template1"):  # a kill in between must not leave one open
            await connection.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
        await connection.execute("GRANT CONNECT ON DATABASE airflow TO tenancy")
    finally:
        await connection.close()
