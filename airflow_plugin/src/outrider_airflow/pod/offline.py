"""A pod as it would be, worked out without Airflow's database, storage or a cluster."""

from typing import Any

from outrider_contracts.http import EnvironmentDocument

from outrider_airflow import whose
from outrider_airflow.declared import declaration
from outrider_airflow.pod.given import LAYOUT, plan_of
from outrider_airflow.pod.plan import CONNECTIONS, PodPlan
from outrider_airflow.settings import settings
from outrider_airflow.team import resolve

NOT_KNOWN = "(known when the task runs)"


class NoCluster:
    """Stands in for the hook to Kubernetes: what a connection may say is left open."""

    def get_namespace(self) -> str:
        return NOT_KNOWN

    def get_xcom_sidecar_container_image(self) -> None:
        return None

    def get_xcom_sidecar_container_resources(self) -> None:
        return None

    def get_xcom_sidecar_container_security_context(self) -> None:
        return None


def sketch(task: Any, *, upload_seconds: int, workspace: str | None) -> PodPlan:
    """What would be put into the task's pod; a task instance's own values are left open."""
    declared = declaration(task)
    of_dag = task.has_dag()
    binding = resolve(whose.of_file(task.dag.fileloc, task.dag.tags), whose.rules(settings())) if of_dag else None
    files = declared.way == "files"  # of a volume the place is known, what lies where is not
    told = EnvironmentDocument(
        team=binding.team if binding else "your-team",
        dag_id=task.dag_id if of_dag else NOT_KNOWN,
        run_id=NOT_KNOWN,
        task_id=task.task_id,
        map_index=-1,
        try_number=0,
        logical_date=None,
        mode=declared.way,
        fence="team" if declared.volume else "task",
        inputs={name: [str(LAYOUT.input(name)) if files else NOT_KNOWN] for name in declared.inputs},
        outputs={name: str(LAYOUT.output(name)) if files else NOT_KNOWN for name in declared.outputs},
        sources={name: str(CONNECTIONS / "sources" / f"{name}.json") for name in declared.sources},
        destinations={name: str(CONNECTIONS / "destinations" / f"{name}.json") for name in declared.destinations},
        params=dict(task.params.dump() if hasattr(task.params, "dump") else task.params),
    )
    return plan_of(
        told, declared, NOT_KNOWN, storage_url=NOT_KNOWN, upload_seconds=upload_seconds, workspace=workspace,
        site=settings(), store={}, on_volume=declared.volume,
    )  # fmt: skip
