"""What makes an operator an environment operator: ensure, enrich, run, and a seal on every way out."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowRescheduleException, AirflowSkipException, TaskAwaitingInput, TaskDeferred
from outrider_contracts.declarations import Input, Mode, Output, Source
from outrider_contracts.http import Environment

from outrider_airflow.attempt import Attempt, attempt_of
from outrider_airflow.client import StorageClient
from outrider_airflow.connection import StorageAccess, storage_access
from outrider_airflow.declared import declaration
from outrider_airflow.errors import KILLED, InputAwaited, JobKilled
from outrider_airflow.job_environment import check_names
from outrider_airflow.output_assets import tell_airflow
from outrider_airflow.settings import settings
from outrider_airflow.waits import WAITED, wait_for_input

_NOT_OVER = (TaskDeferred, TaskAwaitingInput, AirflowRescheduleException)
_BEST_EFFORT_SECONDS = 2.0
_WRITE = {"inputs": "Input('task', 'output')", "outputs": "Output()"}
_WRITE_FOR = {"outputs": "Output(retention={!r})", "sources": "Source({!r})", "destinations": "Source({!r})"}


class ExecutionEnvironmentMixin(BaseOperator):
    """To be put before an operator: `class X(ExecutionEnvironmentMixin, KubernetesPodOperator)`.

    The subclass overrides `enrich`, or `run_in` where it runs the job itself. Airflow may end a task without coming
    back here (SIGKILL, a lost worker): then storage seals or clears from what the listener and the sweep tell.

    :param inputs: what the task reads: name -> `Input`. A declared input is a dependency.
    :param outputs: what it writes: name -> `Output`
    :param sources: outside systems it reads, through the team's connections: name -> `Source`
    :param destinations: outside systems it writes to, likewise
    :param mode: "files" (plain directories, no credentials in the job), "uris" (the job talks to the store itself) or
        "volume" (plain directories of the team's shared volume, nothing is copied; for teams that have one)
    """

    _is_sensor = True  # without it the scheduler asks no put-off task when to start again, and starts it at once

    template_fields: Sequence[str] = ("inputs", "outputs", "sources", "destinations", "mode")
    template_fields_renderers: ClassVar[dict[str, str]] = dict.fromkeys(template_fields[:4], "json")

    def __init__(
        self,
        *,
        inputs: Mapping[str, Input] | None = None,
        outputs: Mapping[str, Output] | None = None,
        sources: Mapping[str, Source] | None = None,
        destinations: Mapping[str, Source] | None = None,
        mode: Mode = "files",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.inputs = _declared(self.task_id, "inputs", inputs)
        self.outputs = _declared(self.task_id, "outputs", outputs)
        self.sources = _declared(self.task_id, "sources", sources)
        self.destinations = _declared(self.task_id, "destinations", destinations)
        self.mode = mode
        declaration(self)
        check_names(f"task {self.task_id!r}: params", self.params)

    def begin(
        self,
        attempt: Attempt,
        storage: StorageClient,
        context: Context,  # noqa: ARG002  for subclasses
    ) -> tuple[Attempt, Environment]:
        """The try that counts, and its environment once it is ready. *attempt* is that of this process."""
        try:
            wanted = attempt.ensure(declaration(self))
            return attempt, storage.ensure(wanted, within=settings().ensure_timeout_seconds)
        except InputAwaited as awaited:
            wait_for_input(self, attempt, awaited)

    def resumed(
        self,
        attempt: Attempt,
        access: StorageAccess,  # noqa: ARG002  for subclasses
        context: Context,  # noqa: ARG002
    ) -> Attempt:
        """The try that counts after a deferral."""
        return attempt

    @property
    def was_killed(self) -> bool:
        """Whether somebody asked for the job's end: then nothing of it counts, however far it came."""
        return False

    def enrich(self, environment: Environment, attempt: Attempt, storage: StorageClient, context: Context) -> None:
        """Put what the job is given into the operator's own configuration, before `execute` of the next class."""

    def run_in(self, environment: Environment, attempt: Attempt, storage: StorageClient, context: Context) -> Any:
        """Run the job in its environment and return the task's result."""
        self.enrich(environment, attempt, storage, context)
        return super().execute(context)

    def execute(self, context: Context) -> Any:
        """Wait for the environment, run the job in it, seal what it wrote."""
        attempt = attempt_of(context)
        with StorageClient(storage_access(), attempt.traceparent) as storage:
            attempt, environment = self.begin(attempt, storage, context)
            self.log.info("Environment ready: %s", _told(environment))
            return self._sealed(attempt, storage, context, lambda: self.run_in(environment, attempt, storage, context))

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after a deferral (or fail, where the trigger did): the environment is that of before."""
        if next_method == WAITED:
            return self.execute(context)
        access, resume = storage_access(), super().resume_execution
        attempt = self.resumed(attempt_of(context), access, context)
        with StorageClient(access, attempt.traceparent) as storage:
            return self._sealed(attempt, storage, context, lambda: resume(next_method, next_kwargs, context))

    @classmethod
    def get_serialized_fields(cls) -> frozenset[str]:
        """What the scheduler knows of the task: also that it may be put off, as a sensor may."""
        fields: frozenset[str] = super().get_serialized_fields()  # type: ignore[no-untyped-call]  # Airflow's own
        return fields | {"_is_sensor"}

    def _sealed(self, attempt: Attempt, storage: StorageClient, context: Context, run: Callable[[], Any]) -> Any:
        """Run, and seal on every way out: success needs the seal, a failure tries once and quickly."""
        try:
            result = run()
            if self.was_killed:
                raise JobKilled(KILLED)
        except (*_NOT_OVER, AirflowSkipException):
            raise  # deferred, it is not over; skipped, it has nothing to seal
        except BaseException:
            self._seal_failure(attempt, storage)
            raise
        within = settings().ensure_timeout_seconds
        try:
            sealed = storage.seal(attempt.success(), within=within, is_killed=lambda: self.was_killed)
        except JobKilled:
            self._seal_failure(attempt, storage)
            raise
        tell_airflow(self, context, sealed)
        for name, output in sealed.outputs.items():
            self.log.info(
                "Sealed %s: %d files, %d bytes, kept: %s, at %s",
                name, output.files, output.bytes, output.expires, output.path,
            )  # fmt: skip
        return result

    def _seal_failure(self, attempt: Attempt, storage: StorageClient) -> None:
        try:
            storage.seal(attempt.failure(), within=_BEST_EFFORT_SECONDS)
        except Exception as error:  # noqa: BLE001  the job's own error is what matters; storage hears of it anyway
            self.log.warning("Not sealed as failed now, storage will do it when it hears of the end: %s", error)


def _declared(task_id: str, kind: str, told: object) -> dict[str, Any]:
    """What an author *told* as a dict. Raises ValueError saying what to write instead."""
    plain = _WRITE.get(kind, "Source('connection')")
    if told is not None and not isinstance(told, Mapping):
        name = next((each for each in told if isinstance(each, str)), "name") if isinstance(told, list) else "name"
        raise ValueError(f"task {task_id!r}: {kind} must be a dict, write {kind}={{{name!r}: {plain}}}")
    declared = dict(told or {})
    for name, value in declared.items():
        if not isinstance(value, Mapping):
            write = _WRITE_FOR.get(kind, plain).format(value) if isinstance(value, str) else plain
            raise ValueError(
                f"task {task_id!r}: {kind} {name!r} can't be {value!r}, write {kind}={{{name!r}: {write}}}"
            )
    return declared


def _told(environment: Environment) -> str:
    """Generation, place, and where each input comes from."""
    parts = [f"generation {environment.generation} of {environment.place}"]
    for name, versions in environment.inputs.items():
        parts.append(f"input {name} = {', '.join(version.path for version in versions) or 'no parts'}")
    if environment.missing_inputs:
        parts.append(f"without optional {', '.join(environment.missing_inputs)}")
    return "; ".join(parts)
