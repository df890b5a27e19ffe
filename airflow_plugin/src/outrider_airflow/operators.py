"""The operator that runs a job as a process of the worker's machine, in its environment."""

import os
import tempfile
import time
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from airflow.sdk import Context
from airflow.sdk.exceptions import AirflowException, AirflowSkipException
from outrider_contracts.http import Environment
from outrider_stage import Layout
from outrider_stage.credentials import RenewedCredentials

from outrider_airflow.attempt import Attempt
from outrider_airflow.client import StorageClient
from outrider_airflow.declared import declaration
from outrider_airflow.errors import KILLED, JobFailed, JobKilled
from outrider_airflow.job import Ended, JobProcess
from outrider_airflow.job_environment import document, inherited, variables
from outrider_airflow.local_data import LocalData
from outrider_airflow.mixin import ExecutionEnvironmentMixin
from outrider_airflow.parameters import job_params
from outrider_airflow.settings import settings
from outrider_airflow.sources import write_connections
from outrider_airflow.workplace import workplace

_RENEWAL_SECONDS = 30.0


class LocalExecutionEnvironmentOperator(ExecutionEnvironmentMixin):
    """Runs any command in any language; it finds its files by `OUTRIDER_…` variables and `environment.json`.

    Besides what the mixin takes:

    :param command: program and arguments, or one line for `sh -c` (templated)
    :param params: Airflow's params; the job gets them as `OUTRIDER_PARAM_<NAME>` and in `environment.json`
    :param env: more variables for the job (templated). Of Airflow's own environment it sees a short allow-list
    :param cwd: where it starts; by default its own directory, which is removed afterwards (templated)
    :param skip_on_exit_code: exit codes by which the job says that there is nothing to do: the task is skipped
    """

    template_fields: Sequence[str] = ("command", "env", "cwd", *ExecutionEnvironmentMixin.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **ExecutionEnvironmentMixin.template_fields_renderers,
        "env": "json",
    }
    ui_color = "#dcebe4"

    def __init__(
        self,
        *,
        command: Sequence[str] | str,
        env: Mapping[str, str] | None = None,
        cwd: str | None = None,
        skip_on_exit_code: int | Collection[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.command = command
        self.env = env or {}
        self.cwd = cwd
        codes = [skip_on_exit_code] if isinstance(skip_on_exit_code, int) else skip_on_exit_code
        self.skip_on_exit_code = list(codes or ())
        self._process = JobProcess()
        # another task's result may stand for the whole of it: then it is not known yet
        names = self.env if isinstance(self.env, Mapping) else ()
        if taken := [name for name in names if name.startswith("OUTRIDER_")]:
            raise ValueError(f"task {self.task_id!r}: env may not set {taken[0]!r}; use params= for values of your own")

    def run_in(self, environment: Environment, attempt: Attempt, storage: StorageClient, context: Context) -> None:
        """Lay the job's directory out, run it there, store what it wrote; a failed job's outputs are stored too."""
        environment = _here(environment, settings().volume_root)
        with workplace(Path(settings().work_directory or tempfile.gettempdir())) as home:
            layout = Layout(home)
            credentials = RenewedCredentials(
                environment.credentials, lambda: storage.credentials(attempt.credentials(), within=_RENEWAL_SECONDS)
            )
            data = LocalData(environment, credentials, layout)
            began = time.monotonic()
            for name, size in (brought := data.bring()).items():
                self.log.info("Input %s: %d bytes at %s", name, size, layout.input(name))
            if brought:
                cold = sum(brought.values())
                storage.carried(attempt.carried("in", time.monotonic() - began, cold_bytes=cold))
            ended = self._run_job(environment, attempt, layout, data, context)
            if ended.killed:
                raise JobKilled(KILLED)
            if ended.exit_code in self.skip_on_exit_code:
                raise AirflowSkipException(f"the job ended with exit code {ended.exit_code}: skipped, nothing is kept")
            began = time.monotonic()
            if self._take(data, ended):
                storage.carried(attempt.carried("out", time.monotonic() - began))
            if ended.exit_code != 0:
                raise JobFailed.saying(f"the job {_how(ended.exit_code)}", ended.last_lines)

    @property
    def was_killed(self) -> bool:
        """Also while its outputs are being stored."""
        return self._process.killed

    def on_kill(self) -> None:
        """Ask the job to end; what is left of it after 3 s is killed."""
        self._process.kill()

    def _run_job(
        self, environment: Environment, attempt: Attempt, layout: Layout, data: LocalData, context: Context
    ) -> Ended:
        declared = declaration(self)
        told = document(
            environment,
            layout,
            logical_date=attempt.logical_date,
            params=job_params(self, context),
            sources=write_connections(declared.sources, layout.root / "sources"),
            destinations=write_connections(declared.destinations, layout.root / "destinations"),
        )
        file, temporary = layout.root / "environment.json", layout.root / "tmp"
        file.write_text(told.model_dump_json(indent=2))
        temporary.mkdir()
        own = {"HOME": str(layout.root), "TMPDIR": str(temporary)}
        command = ["sh", "-c", self.command] if isinstance(self.command, str) else list(self.command)
        with data.access() as access:
            env = {**inherited(os.environ), **own, **access, **self.env, **variables(told, layout, file)}
            try:
                return self._process.run(
                    command, env=env, cwd=Path(self.cwd or layout.root), say=lambda line: self.log.info("%s", line)
                )
            except OSError as error:
                raise JobFailed(f"the job could not be started: {error}") from error

    def _take(self, data: LocalData, ended: Ended) -> bool:
        """Whether anything was stored."""
        try:
            stored = data.take()
        except AirflowException as error:
            if ended.exit_code == 0:
                raise
            self.log.warning("What the failed job wrote is not kept: %s", error)
            return False
        for name, manifest in stored.items():
            self.log.info("Output %s: %d files, %d bytes", name, len(manifest.files), manifest.size)
        return bool(stored)


def _here(environment: Environment, volume_root: str) -> Environment:
    """The environment as this worker finds it, where it has the shared volume elsewhere than storage has."""
    if not volume_root or environment.store.kind != "directory":
        return environment
    return environment.model_copy(update={"store": environment.store.model_copy(update={"root": volume_root})})


def _how(exit_code: int) -> str:
    if exit_code >= 0:
        return f"ended with exit code {exit_code}"
    hint = " (out of memory?)" if exit_code == -9 else ""
    return f"was ended by signal {-exit_code}{hint}"
