"""People at Airflow with the rights of their teams, and the routes of the tabs, both as Airflow itself has them."""

import json
import subprocess
from dataclasses import dataclass

from outrider_local import airflow_config, airflow_install
from outrider_local.stack import Stack

_SCRIPT = """
import json, sys
from airflow.api_fastapi.app import create_auth_manager
from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
from outrider_airflow.settings import Settings
from outrider_airflow.tabs.app import make
from outrider_airflow.tabs.services import Services

manager = create_auth_manager()
named = json.loads(sys.argv[1])
users = [SimpleAuthManagerUser(username=name, role=role, teams=teams) for name, role, teams in named]
tokens = {user.username: manager.generate_jwt(user) for user in users}
routes = [[route.path, sorted(route.methods)] for route in make(Services(Settings())).routes]
print("ANSWER" + json.dumps({"tokens": tokens, "routes": routes}))
"""


@dataclass(frozen=True)
class AirflowSide:
    """A token per user, and each route of the tabs' application with its methods."""

    tokens: dict[str, str]
    routes: list[tuple[str, list[str]]]


def airflow_side(stack: Stack, users: list[tuple[str, str, list[str]]]) -> AirflowSide:
    """Ask Airflow's own code, in its environment and with this stack's keys."""
    home = airflow_config.home(stack)
    environment = {
        "AIRFLOW_HOME": str(home), "AIRFLOW_CONFIG": str(home / "airflow.cfg"),
        "PYTHONPATH": airflow_install.site(home / "site"), "PATH": "/usr/local/bin:/usr/bin:/bin",
    }  # fmt: skip
    done = subprocess.run(
        [airflow_install.program(stack.layout, "python"), "-c", _SCRIPT, json.dumps(users)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout.rpartition("ANSWER")[2])
    return AirflowSide(answer["tokens"], [(path, methods) for path, methods in answer["routes"]])
