"""Airflow's database: migrated once per version of Airflow, kept as a dump in the cache, loaded from it afterwards.

A migration takes about ten seconds of a core, loading the dump under one.
"""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from outrider_local import airflow_install, postgres
from outrider_local.errors import StartFailed
from outrider_local.stack import Stack

_NOTE = "airflow.database"

_OURS = """
-- the sweep asks by updated_at, for which Airflow has no index
CREATE INDEX IF NOT EXISTS outrider_task_instance_updated_at ON task_instance (updated_at);
CREATE INDEX IF NOT EXISTS outrider_dag_run_updated_at ON dag_run (updated_at);
-- tenancy makes teams and their pools, and looks whether their bundles have arrived
GRANT SELECT, INSERT, DELETE ON team TO tenancy;
GRANT SELECT, INSERT, UPDATE ON slot_pool TO tenancy;
GRANT USAGE ON SEQUENCE slot_pool_id_seq TO tenancy;
GRANT SELECT ON dag_bundle, dag_bundle_team TO tenancy;
"""


def prepare(stack: Stack, environment: Mapping[str, str]) -> None:
    """Have the database at this version of Airflow. Quick when it is. Raises StartFailed."""
    version = airflow_install.directory(stack.layout).name
    if stack.state.now.notes.get(_NOTE) == version:
        return
    dump = airflow_install.directory(stack.layout) / "database.sql"
    if dump.exists() and _is_empty(stack):
        _psql(stack, "--single-transaction", "--file", str(dump))
    else:
        fresh = _is_empty(stack)
        _run(stack, (str(airflow_install.program(stack.layout, "airflow")), "db", "migrate"), environment)
        if fresh:
            _keep(stack, dump)
    _psql(stack, "--command", _OURS)
    stack.state.note(_NOTE, version)


def _is_empty(stack: Stack) -> bool:
    return _psql(stack, "--tuples-only", "--command", "SELECT to_regclass('alembic_version') IS NULL").strip() == "t"


def _keep(stack: Stack, dump: Path) -> None:
    beside = dump.with_name(f".{dump.name}.{os.getpid()}")
    address = postgres.url(stack, "airflow")
    _run(stack, (_program(stack, "pg_dump"), "--no-owner", "--no-privileges", "--file", str(beside), address))
    beside.replace(dump)


def _psql(stack: Stack, *arguments: str) -> str:
    strict = ("--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1")
    return _run(stack, (_program(stack, "psql"), *strict, "--dbname", postgres.url(stack, "airflow"), *arguments))


def _program(stack: Stack, name: str) -> str:
    return str(postgres.programs(stack) / "bin" / name)


def _run(stack: Stack, argv: tuple[str, ...], environment: Mapping[str, str] | None = None) -> str:
    """Run *argv*; it finds the database's password in a file. Raises StartFailed with its last lines."""
    word = stack.secrets.password("postgres-airflow")
    passwords = stack.secrets.write("pgpass-airflow", f"127.0.0.1:*:airflow:airflow:{word}\n")
    env = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), "PGPASSFILE": str(passwords)}
    done = subprocess.run(argv, env={**env, **(environment or {})}, capture_output=True, text=True, check=False)
    if done.returncode:
        said = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise StartFailed(f"airflow's database could not be prepared: `{argv[0]}` failed ({done.returncode}):\n{said}")
    return done.stdout
