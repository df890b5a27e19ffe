"""How runs, jobs and datasets are named: OpenLineage names, node ids, run ids. All computed from natural keys."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID, uuid5

from outrider_contracts.environments import VersionKey
from outrider_contracts.keys import RunKey, TryKey

_NODES = UUID("6f757472-6964-5572-8a11-6e6f64650001")
Kind = Literal["job", "dataset"]


@dataclass(frozen=True)
class NodeName:
    """A job or dataset under its OpenLineage name. `team` owns it; "" for a dataset outside of everyone's hands."""

    kind: Kind
    team: str
    namespace: str
    name: str
    dag_id: str = ""
    task_id: str = ""
    output: str = ""

    @property
    def id(self) -> UUID:
        """Equal for equal kind, team, namespace and name, wherever it is computed."""
        return uuid5(_NODES, "\x1f".join((self.kind, self.team, self.namespace, self.name)))

    @property
    def label(self) -> str:
        """As people write it: `team/dag/task`, `team/dag/task/output`, or namespace and name."""
        return label(self.team, self.namespace, self.name, self.dag_id, self.task_id, self.output)


def label(team: str, namespace: str, name: str, dag_id: str, task_id: str, output: str) -> str:
    """The short name of a node that is ours, namespace and name of any other."""
    if dag_id:
        return "/".join(part for part in (team, dag_id, task_id, output) if part)
    return f"{namespace.rstrip('/')}/{name}"


@dataclass(frozen=True)
class Names:
    """OpenLineage names in one deployment; a team's namespace is `{deployment}/{team}`."""

    deployment: str

    def namespace(self, team: str) -> str:
        """Namespace of a team's jobs and datasets."""
        return f"{self.deployment}/{team}"

    def owner(self, namespace: str) -> str | None:
        """The team a namespace belongs to; None for one outside this deployment."""
        prefix = f"{self.deployment}/"
        return namespace.removeprefix(prefix).split("/", 1)[0] if namespace.startswith(prefix) else None

    def job(self, team: str, dag_id: str, task_id: str) -> NodeName:
        """A task. Mapped instances share the job and differ in their runs."""
        return NodeName("job", team, self.namespace(team), f"{dag_id}.{task_id}", dag_id, task_id)

    def output(self, team: str, dag_id: str, task_id: str, output: str) -> NodeName:
        """An output of a task: one dataset whatever the date; a generation is its version."""
        name = f"{dag_id}/{task_id}/{output}"
        return NodeName("dataset", team, self.namespace(team), name, dag_id, task_id, output)

    def version(self, key: VersionKey) -> NodeName:
        """The dataset a version belongs to."""
        return self.output(key.team, key.dag_id, key.task_id, key.output)

    def outside(self, team: str, source: str) -> NodeName:
        """What a source or destination leads to: a URI, or one of the team's connections by its id."""
        if "://" in source:
            scheme, _, rest = source.partition("://")
            authority, _, path = rest.partition("/")
            return NodeName("dataset", "", f"{scheme}://{authority}", path or "/")
        return NodeName("dataset", team, self.namespace(team), f"connections/{source}")


def dag_run_id(names: Names, run: RunKey, run_started_at: datetime) -> UUID:
    """OpenLineage run id of a DAG run, anew for each of its starts."""
    said = (names.namespace(run.team), run.dag_id, run.run_id)
    return static_uuid7(run_started_at, *said)


def try_run_id(names: Names, task: TryKey, run_started_at: datetime) -> UUID:
    """OpenLineage run id of a try. Every part of the key is in it, the start of the run too."""
    said = (names.namespace(task.team), task.dag_id, task.run_id, task.task_id, task.try_number, task.map_index)
    return static_uuid7(run_started_at, *said)


def static_uuid7(instant: datetime, *parts: object) -> UUID:
    """A UUIDv7 that is a function of its arguments, made as Airflow's OpenLineage provider makes its run ids.

    The instant is the run's start, where the provider takes the logical date: every fact of a run carries it, and a
    backfill does not make ids that sort years back. Source: `generate_static_uuid` of openlineage-python.
    """
    said = instant.isoformat() + "\x1f".join(map(str, parts))
    digest = int.from_bytes(hashlib.sha256(said.encode()).digest()[:10], "big")
    milliseconds = int(instant.timestamp() * 1000) & (2**48 - 1)
    high = (digest >> 62) & 0xFFF
    low = digest & (2**62 - 1)
    return UUID(int=(milliseconds << 80) | (0x7 << 76) | (high << 64) | (0b10 << 62) | low)
