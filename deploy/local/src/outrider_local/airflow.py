"""Apache Airflow in multi-team mode with the plugin: API server, scheduler, a dag-processor, a triggerer per team."""

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import httpx

from outrider_local import airflow_config, airflow_database, airflow_install, identities
from outrider_local.kubernetes import control_plane, node
from outrider_local.processes import Command
from outrider_local.stack import Stack

NAME = "airflow"
API, SCHEDULER, PROCESSOR = "airflow-api", "airflow-scheduler", "airflow-dag-processor"
TRIGGERERS = "airflow-triggerers"
_PROCESSES = (API, SCHEDULER, PROCESSOR, TRIGGERERS)
_START_SECONDS = 300


class Airflow:
    """Airflow. A new team needs none of its processes restarted but the dag-processor, which `watch` does."""

    name = NAME
    after: tuple[str, ...] = ("postgres", control_plane.NAME, node.NAME)

    def install(self, stack: Stack) -> None:
        airflow_install.install(stack.layout)

    def start(self, stack: Stack) -> None:
        began = datetime.now(UTC)
        home = airflow_config.home(stack)
        for directory in (home, home / "dags", home / "plugins", airflow_config.spool_directory(stack)):
            directory.mkdir(parents=True, exist_ok=True)
        if not airflow_config.bundles_file(stack).exists():
            airflow_config.bundles_file(stack).write_text("[]\n")
        if not stack.processes.alive(API):
            stack.ports.require_free(NAME)
        configuration = airflow_config.write(stack)
        environment = _environment(stack)
        airflow_database.prepare(stack, {**environment, "PYTHONPATH": ""})  # the dump owes nothing to our plugin
        started = [
            name
            for name, command in _commands(stack, environment, configuration).items()
            if stack.processes.start(name, command)
        ]
        stack.await_ready(API, lambda: _serves_tasks(stack), seconds=_START_SECONDS)
        # a scheduler that was killed counts as healthy until its last heartbeat is old
        since = began if {SCHEDULER, PROCESSOR} & set(started) else None
        stack.await_all_ready(_PROCESSES, lambda: _healthy(stack, since), seconds=_START_SECONDS)

    def ready(self, stack: Stack) -> bool:
        return all(map(stack.processes.alive, _PROCESSES)) and _healthy(stack, None)

    def stop(self, stack: Stack) -> None:
        for process in reversed(_PROCESSES):
            stack.processes.stop(process)

    def endpoints(self, stack: Stack) -> Mapping[str, str]:
        return {"web": airflow_config.url(stack)}


def _environment(stack: Stack) -> dict[str, str]:
    home, programs = airflow_config.home(stack), airflow_install.program(stack.layout, "airflow").parent
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
        "PATH": f"{programs}:/usr/local/bin:/usr/bin:/bin",
        "PYTHONPATH": airflow_install.site(home / "site"),
        "PYTHONUNBUFFERED": "1",
        "MALLOC_ARENA_MAX": "2",
        # processes are known by their environment, which setproctitle would overwrite; workers of a killed scheduler
        # that nobody finds keep its connections, and with them its locks in the database
        "SPT_NOENV": "1",
        "NO_COLOR": "1",
    }


def _commands(stack: Stack, environment: Mapping[str, str], configuration: str) -> dict[str, Command]:
    airflow = str(airflow_install.program(stack.layout, "airflow"))
    watched = (sys.executable, "-m", "outrider_local.watch", str(airflow_config.bundles_file(stack)), "--")
    connections = str(airflow_config.connections_directory(stack))
    secrets = {"AIRFLOW__SECRETS__BACKEND": "outrider_airflow.secrets.TeamFileBackend"}
    per_team = (sys.executable, "-m", "outrider_local.triggerers", str(airflow_config.bundles_file(stack)), connections)

    # told to the API server alone. On one machine tasks run as the same user all the same: they could read its file
    tabs = {"AIRFLOW__OUTRIDER__TABS_SECRET_FILE": str(identities.client_secret(stack.secrets, "airflow-api"))}

    def command(*argv: str, **more: str) -> Command:
        cwd: Path = airflow_config.home(stack)
        return Command(argv=argv, cwd=cwd, env={**environment, **more}, configuration=configuration, stop_seconds=20)

    return {
        API: command(
            airflow, "api-server", **secrets, **tabs, AIRFLOW__SECRETS__BACKEND_KWARGS=json.dumps({"root": connections})
        ),
        # it would serve task logs on all addresses; with LocalExecutor they are files of this machine
        SCHEDULER: command(airflow, "scheduler", "--skip-serve-logs"),
        PROCESSOR: command(*watched, airflow, "dag-processor"),
        TRIGGERERS: command(*per_team, "--", airflow, "triggerer", "--skip-serve-logs", **secrets),
    }


def _serves_tasks(stack: Stack) -> bool:
    """Say whether task processes are answered. The API server builds that part when it is first asked: 1 to 3 s."""
    try:
        answer = httpx.get(f"{airflow_config.url(stack)}/execution/health", timeout=30, trust_env=False)
    except httpx.HTTPError:
        return False
    return answer.is_success


def _healthy(stack: Stack, since: datetime | None) -> bool:
    """Say whether database, scheduler and dag-processor are well, with heartbeats after *since*."""
    try:
        answer = httpx.get(f"{airflow_config.url(stack)}/api/v2/monitor/health", timeout=2, trust_env=False)
        health = answer.raise_for_status().json()
    except (httpx.HTTPError, ValueError):
        return False
    beats = {
        "scheduler": health["scheduler"].get("latest_scheduler_heartbeat"),
        "dag_processor": health["dag_processor"].get("latest_dag_processor_heartbeat"),
    }
    return health["metadatabase"]["status"] == "healthy" and all(
        health[part]["status"] == "healthy" and (since is None or datetime.fromisoformat(beats[part]) > since)
        for part in beats
    )
