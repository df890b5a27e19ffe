"""Keeps a triggerer per team running: `python -m outrider_local.triggerers BUNDLES CONNECTIONS -- COMMAND…`.

A triggerer of a multi-team Airflow serves one team, and Airflow names none when a trigger asks for a connection: so
each is told its team, by `--team-name` and for the secrets backend. *BUNDLES* is watched for teams that come and go.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from outrider_local.watch import end, fingerprint

_LOOK_SECONDS = 0.25
_AGAIN_SECONDS = 5.0


def teams(bundles: Path) -> frozenset[str]:
    """Teams that have a bundle. Raises OSError or ValueError where the list can't be read."""
    return frozenset(entry["team_name"] for entry in json.loads(bundles.read_text()) if entry.get("team_name"))


@dataclass
class Triggerers:
    """The triggerers of this moment, by team."""

    command: Sequence[str]
    connections: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    _not_before: dict[str, float] = field(default_factory=dict)

    def have(self, wanted: Collection[str]) -> None:
        """Start what is missing, end what is not wanted; one that ended by itself is started again after a while."""
        for team in [team for team in self.running if team not in wanted]:
            end(self.running.pop(team))
        for team in sorted(wanted):
            child = self.running.get(team)
            if (child is None or child.poll() is not None) and time.monotonic() >= self._not_before.get(team, 0):
                self._not_before[team] = time.monotonic() + _AGAIN_SECONDS
                self.running[team] = self._start(team)

    def stop(self) -> None:
        """End them all, side by side."""
        for child in self.running.values():
            child.terminate()
        for child in self.running.values():
            end(child)

    def _start(self, team: str) -> subprocess.Popen[bytes]:
        backend = json.dumps({"root": str(self.connections), "team": team})
        environment = {**os.environ, "AIRFLOW__SECRETS__BACKEND_KWARGS": backend}
        return subprocess.Popen([*self.command, "--team-name", team], env=environment)


def keep(bundles: Path, triggerers: Triggerers, stopped: threading.Event) -> None:
    """Have a triggerer per team until *stopped* is set."""
    wanted: frozenset[str] = frozenset()
    seen: object = None
    while not stopped.is_set():
        now = fingerprint(bundles)
        if now is not None and now != seen:
            wanted, seen = teams(bundles), now
        triggerers.have(wanted)
        stopped.wait(_LOOK_SECONDS)
    triggerers.stop()


def main(arguments: Sequence[str]) -> int:
    """The command line."""
    bundles, connections, divider, *command = arguments
    if divider != "--" or not command:
        print("usage: python -m outrider_local.triggerers BUNDLES CONNECTIONS -- COMMAND…", file=sys.stderr)
        return 2
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    keep(Path(bundles), Triggerers(command, Path(connections)), stopped)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
