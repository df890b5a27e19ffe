"""Numbered SQL files, each applied once, in name order, whoever starts first."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import structlog

from outrider_chassis.database import Pool

CHASSIS_MIGRATIONS = Path(__file__).parent / "migrations"

_LOCK = 0x6F757472
# named with its schema: a migration may make one of the role's own name, which would come first in the search path
_LEDGER = """
CREATE TABLE IF NOT EXISTS public.migrations (
    component text NOT NULL,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (component, name)
)
"""
_log = structlog.stdlib.get_logger(__name__)


class MigrationChanged(Exception):
    """A file that was applied here reads differently now: add a new file instead of editing it."""


@dataclass(frozen=True)
class Migration:
    """One file of one component."""

    component: str
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def plan_migrations(files: Sequence[Migration], applied: dict[tuple[str, str], str]) -> list[Migration]:
    """Those of *files* that are still to be applied, in the order given. Raises MigrationChanged."""
    for file in files:
        known = applied.get((file.component, file.name))
        if known not in (None, file.checksum):
            raise MigrationChanged(f"{file.component}/{file.name} was changed after it had been applied")
    return [file for file in files if (file.component, file.name) not in applied]


def read_migrations(component: str, directory: Path) -> list[Migration]:
    """The `.sql` files of *directory* in name order."""
    return [Migration(component, path.name, path.read_text()) for path in sorted(directory.glob("*.sql"))]


async def migrate(pool: Pool, sources: Sequence[tuple[str, Path]]) -> None:
    """Bring the database to what *sources* (component, directory), in that order, say. Safe to run side by side."""
    files = [file for component, directory in sources for file in read_migrations(component, directory)]
    async with pool.acquire() as connection:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        try:
            await connection.execute(_LEDGER)
            rows: list[asyncpg.Record] = await connection.fetch(
                "SELECT component, name, checksum FROM public.migrations"
            )
            applied = {(row["component"], row["name"]): row["checksum"] for row in rows}
            for file in plan_migrations(files, applied):
                async with connection.transaction():
                    await connection.execute("SET LOCAL transaction_timeout = 0")
                    await connection.execute(file.sql)
                    await connection.execute(
                        "INSERT INTO public.migrations (component, name, checksum) VALUES ($1, $2, $3)",
                        file.component, file.name, file.checksum,
                    )  # fmt: skip
                _log.info("applied migration", component=file.component, name=file.name)
        finally:
            await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
