"""Connections and variables by team, kept as files that only the API server and triggerers can read."""

import re
from pathlib import Path

from airflow.secrets import BaseSecretsBackend

_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,199}")


class TeamFileBackend(BaseSecretsBackend):
    """`<root>/<team>/<conn_id>`, a connection as JSON or URI; `<root>/<team>/var.<key>`, a variable.

    It answers only where the caller's team is known, which the API server takes from the task's token: a task that
    asks first in its own process, without a team, learns nothing here. A triggerer serves one team and Airflow names
    none when it asks, so it is told its *team*.
    """

    def __init__(self, root: str = "", team: str = "") -> None:
        super().__init__()
        self._root = Path(root)
        self._team = team

    def get_conn_value(self, conn_id: str, team_name: str | None = None) -> str | None:
        """The connection as its file has it, None where there is none."""
        return self._read(conn_id, team_name)

    def get_variable(self, key: str, team_name: str | None = None) -> str | None:
        """The variable as its file has it, None where there is none."""
        return self._read(f"var.{key}", team_name)

    def _read(self, name: str, team: str | None) -> str | None:
        team = team or self._team
        if not team or not _SAFE.fullmatch(team) or not _SAFE.fullmatch(name):
            return None
        try:
            return (self._root / team / name).read_text()
        except (FileNotFoundError, PermissionError):
            return None
