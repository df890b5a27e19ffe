"""The sensor that waits for another DAG's or another team's output."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NoReturn

from airflow.sdk import BaseSensorOperator, Context
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from outrider_contracts.declarations import Input, InputDeclaration, parse_declaration
from outrider_contracts.http import OutputRequest

from outrider_airflow.attempt import attempt_of
from outrider_airflow.client import StorageClient
from outrider_airflow.connection import storage_access
from outrider_airflow.errors import EnvironmentRefused, EnvironmentUnavailable
from outrider_airflow.waits import OutputSealedTrigger, is_sealed


class OutputSensor(BaseSensorOperator):
    """Waits until there is a sealed version of an output, of whatever DAG or team; holds nothing, brings nothing.

    It asks storage every `poke_interval` seconds, which costs one query there, and ends after `timeout` as any sensor
    does. Another team's output without a grant fails it at once and without a retry. With `mode="reschedule"` leave
    the interval at 30 s or more: Airflow 3.3 fails what begins again before its executor has told of the last look.

    :param awaited: the output: `Input(dag=…, task=…, output=…, team=…, run="latest" | "same-date")`
    :param deferrable: wait in the triggerer, with no worker and no process
    """

    template_fields: Sequence[str] = ("awaited",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"awaited": "json"}
    ui_color = "#dcebe4"

    def __init__(
        self,
        *,
        awaited: Input,
        poke_interval: float = 30,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        self.awaited = awaited
        self.deferrable = deferrable
        if self._declared().dag is None:
            raise ValueError(
                f"task {self.task_id!r}: an OutputSensor waits for another DAG's output: "
                "awaited=Input(dag=…, task=…, output=…). Within one DAG a declared input is a dependency already."
            )

    def poke(self, context: Context) -> bool:
        """Ask storage once; where Airflow can't say now where that is, later. Raises EnvironmentRefused."""
        attempt = attempt_of(context)
        try:
            access = storage_access()
        except EnvironmentUnavailable as away:
            self.log.warning("%s", away)
            return False
        with StorageClient(access, attempt.traceparent) as storage:
            return is_sealed(storage, attempt.look(self._declared()))

    def execute(self, context: Context) -> Any:
        """Wait, in the worker or in the triggerer."""
        if not self.deferrable:
            return super().execute(context)
        try:
            is_there = self.poke(context)
        except EnvironmentRefused as refused:
            raise self._softly(refused) from refused
        if not is_there:
            self._defer(attempt_of(context).look(self._declared()))
        return None

    def _defer(self, request: OutputRequest) -> NoReturn:
        self.defer(
            trigger=OutputSealedTrigger(request.model_dump(mode="json"), float(self.poke_interval)),
            method_name="after_wait",
            timeout=timedelta(seconds=float(self.timeout)),
        )

    def after_wait(self, context: Context, event: dict[str, Any]) -> None:  # noqa: ARG002  Airflow gives both
        """Go on when the triggerer has an answer. Raises EnvironmentRefused."""
        if event["refused"]:
            raise self._softly(EnvironmentRefused(event["refused"]))
        self.log.info("Sealed, seen at %s", datetime.now(UTC).isoformat(timespec="seconds"))

    def _softly(self, refused: EnvironmentRefused) -> AirflowException:
        """What Airflow's own sensors make of it where they wait in a worker."""
        return AirflowSkipException(str(refused)) if self.soft_fail or self.never_fail else refused

    def _declared(self) -> InputDeclaration:
        return parse_declaration(self.task_id, inputs={"awaited": dict(self.awaited)}).inputs["awaited"]
