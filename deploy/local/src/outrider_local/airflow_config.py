"""Airflow's configuration on one machine: one file per stack, readable by its owner alone, no value of it in an env."""

import json
import secrets
from pathlib import Path

from outrider_local import kafka, postgres
from outrider_local.kubernetes import control_plane, images, node, rights
from outrider_local.kubernetes.identities import SERVICE_NAME
from outrider_local.stack import Stack

USERS = ("admin", "outrider")
"""Both are administrators: the first for people, the second for the services."""
WORKERS = 4


def home(stack: Stack) -> Path:
    """AIRFLOW_HOME."""
    return stack.layout.data("airflow")


def url(stack: Stack) -> str:
    """Where the API server listens."""
    return f"http://127.0.0.1:{stack.ports.of('airflow')}"


def bundles_file(stack: Stack) -> Path:
    """The list of DAG bundles (JSON); whoever onboards a team replaces it whole."""
    return home(stack) / "bundles.json"


def connections_directory(stack: Stack) -> Path:
    """`<team>/<conn_id>`: connections by team, read by the API server alone."""
    return stack.secrets.directory("connections")


def spool_directory(stack: Stack) -> Path:
    """Where the listener leaves what the broker did not take."""
    return home(stack) / "spool"


def write(stack: Stack) -> str:
    """Write airflow.cfg and the users' passwords; return the text of airflow.cfg."""
    words = {user: stack.secrets.password(f"airflow-{user}") for user in USERS}
    users = stack.secrets.path("airflow-users.json")
    if not users.exists() or json.loads(users.read_text()) != words:
        stack.secrets.write("airflow-users.json", json.dumps(words))
    text = "\n".join(
        f"[{section}]\n" + "".join(f"{key} = {value}\n" for key, value in entries.items())
        for section, entries in _sections(stack).items()
    )
    file = home(stack) / "airflow.cfg"
    file.touch(mode=0o600)
    file.write_text(text)
    return text


def _sections(stack: Stack) -> dict[str, dict[str, object]]:
    word = stack.secrets.password("postgres-airflow")
    database = postgres.url(stack, "airflow").replace("postgresql://airflow@", f"postgresql+psycopg2://airflow:{word}@")
    stack.secrets.password("kafka-airflow")
    return {
        "core": {
            "multi_team": True,
            "executor": "LocalExecutor",
            "mp_start_method": "fork",
            "parallelism": WORKERS,
            "max_active_tasks_per_dag": WORKERS,
            "load_examples": False,
            "dags_folder": home(stack) / "dags",
            "plugins_folder": home(stack) / "plugins",
            "fernet_key": _key(stack, "airflow-fernet"),
            "execution_api_server_url": f"{url(stack)}/execution/",
            "auth_manager": "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager",
            "simple_auth_manager_users": ",".join(f"{user}:admin" for user in USERS),
            "simple_auth_manager_passwords_file": stack.secrets.path("airflow-users.json"),
        },
        "database": {"sql_alchemy_conn": database},
        "api": {
            "host": "127.0.0.1",
            "port": stack.ports.of("airflow"),
            "base_url": url(stack),
            "workers": 1,
            "secret_key": stack.secrets.password("airflow-api-secret"),
        },
        # 64 bytes: HS512 wants a key as long as its digest
        "api_auth": {"jwt_secret": stack.secrets.password("airflow-jwt-a") + stack.secrets.password("airflow-jwt-b")},
        "scheduler": {
            "scheduler_idle_sleep_time": 0.2,
            "orphaned_tasks_check_interval": 30,
            "task_instance_heartbeat_timeout": 60,
            "enable_tracemalloc": False,
        },
        "workers": {
            "min_heartbeat_interval": 1,
            # else every task process would try the API server's secrets backend first
            "secrets_backend": "airflow.secrets.environment_variables.EnvironmentVariablesBackend",
        },
        "dag_processor": {
            "parsing_processes": 1,
            "refresh_interval": 5,
            "min_file_process_interval": 30,
            "bundle_refresh_check_interval": 2,
            "dag_bundle_storage_path": home(stack) / "bundle-storage",
            "dag_bundle_config_list": "[]",
        },
        "logging": {
            "base_log_folder": home(stack) / "logs",
            "dag_processor_child_process_log_directory": home(stack) / "logs" / "dag-processor",
        },
        "usage_data_collection": {"enabled": False},
        "outrider": {
            "bootstrap_servers": kafka.bootstrap(stack),
            "kafka_username": "airflow",
            "kafka_password_file": stack.secrets.path("kafka-airflow"),
            "spool_directory": spool_directory(stack),
            "bundles_file": bundles_file(stack),
            "team_namespaces": rights.kubeconfig(stack) is not None,
            "token_url": f"{_service(stack, 'tenancy')}/v1/token",
            "storage_url": _service(stack, "storage"),
            "lineage_url": _service(stack, "lineage"),
            **_pods(stack),
        },
    }


def _service(stack: Stack, name: str) -> str:
    """Where the tabs find a service, whether or not it is up."""
    return f"http://127.0.0.1:{stack.ports.of(name)}"


def _key(stack: Stack, name: str) -> str:
    """A Fernet key: 32 bytes in URL-safe base64, with its padding."""
    path = stack.secrets.path(name)
    if not path.exists():
        from base64 import urlsafe_b64encode

        stack.secrets.write(name, urlsafe_b64encode(secrets.token_bytes(32)).decode())
    return path.read_text()


def _pods(stack: Stack) -> dict[str, object]:
    """What carries data in and out of pods; the node has it already, and no registry does."""
    if not node.claimed(stack):
        return {}
    return {
        "stager_image": images.stage(stack.layout).name,
        "stager_pull_policy": "Never",
        "kubernetes_api_url": f"https://{SERVICE_NAME}:{stack.ports.of(control_plane.NAME)}",
        "kubernetes_api_address": node.gateway(stack),
    }
