"""The team's Airflow connections as files that only the job's user can read."""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path

from airflow.sdk import BaseHook, Connection
from outrider_contracts.declarations import SourceDeclaration


def write_connections(
    declared: Mapping[str, SourceDeclaration],
    directory: Path,
    find: Callable[[str], Connection] = BaseHook.get_connection,
) -> dict[str, Path]:
    """Write `<directory>/<name>.json` (0600) per source and give the paths. Airflow resolves them for the task's team.

    Raises what Airflow raises where the team has no such connection.
    """
    if declared:
        directory.mkdir(mode=0o700, parents=True)
    written = {}
    for name, source in declared.items():
        written[name] = directory / f"{name}.json"
        descriptor = os.open(written[name], os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(spelled(find(source.connection)))
    return written


def spelled(connection: Connection) -> str:
    """The connection as its file has it: JSON, with the URI for programs that take one."""
    return json.dumps(
        {
            "conn_id": connection.conn_id,
            "conn_type": connection.conn_type,
            "host": connection.host,
            "port": connection.port,
            "login": connection.login,
            "password": connection.password,
            "schema": connection.schema,
            "extra": connection.extra_dejson,
            "uri": connection.get_uri(),
        }
    )
