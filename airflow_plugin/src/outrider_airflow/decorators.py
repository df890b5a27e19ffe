"""`@task.outrider`: a Python function that runs as a job in its environment, as any other language would.

With an `image` it is a pod of the team's, else a process beside the worker. The function imports what it needs itself;
arguments and what it returns are JSON, data goes by inputs and outputs.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, ClassVar

from airflow.providers.cncf.kubernetes.utils.xcom_sidecar import PodDefaults
from airflow.sdk import Context
from airflow.sdk.bases.decorator import DecoratedOperator, TaskDecorator, task_decorator_factory
from airflow.sdk.definitions._internal.types import SET_DURING_EXECUTION
from outrider_contracts.http import Environment
from outrider_stage import Layout

from outrider_airflow.attempt import Attempt
from outrider_airflow.errors import JobFailed
from outrider_airflow.job import Ended
from outrider_airflow.local_data import LocalData
from outrider_airflow.operators import LocalExecutionEnvironmentOperator
from outrider_airflow.pod.operator import ExecutionEnvironmentOperator
from outrider_airflow.pod.spec import literal
from outrider_airflow.python_job import ARGUMENTS, RESULT, SCRIPT, arguments, script


class OutriderDecoratedOperator(DecoratedOperator, LocalExecutionEnvironmentOperator):
    """Runs a function's source with *python*; it finds its files by `OUTRIDER_…` variables, as every job does.

    :param python: the interpreter, a name on the job's PATH or a path (templated)
    """

    template_fields: Sequence[str] = (
        "python",
        *DecoratedOperator.template_fields,
        *(name for name in LocalExecutionEnvironmentOperator.template_fields if name != "command"),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **LocalExecutionEnvironmentOperator.template_fields_renderers,
    }
    custom_operator_name = "@task.outrider"

    def __init__(
        self,
        *,
        python_callable: Callable[..., Any],
        op_args: Collection[Any] | None = None,
        op_kwargs: Mapping[str, Any] | None = None,
        python: str = "python3",
        **kwargs: Any,
    ) -> None:
        self.python = python
        self._result: Any = None
        super().__init__(
            python_callable=python_callable,
            op_args=op_args,
            op_kwargs=op_kwargs,
            command=SET_DURING_EXECUTION,
            **kwargs,
        )

    def run_in(self, *given: Any) -> Any:
        """Run the function and give what it returned."""
        super().run_in(*given)
        return self._result

    def _run_job(
        self, environment: Environment, attempt: Attempt, layout: Layout, data: LocalData, context: Context
    ) -> Ended:
        given = arguments(self.task_id, self.op_args, self.op_kwargs)
        source: str = self.get_python_source()  # type: ignore[no-untyped-call]  # Airflow's own
        (layout.root / SCRIPT).write_text(script(source, self.python_callable.__name__))
        (layout.root / ARGUMENTS).write_text(given)
        self.command = [self.python, *(str(layout.root / name) for name in (SCRIPT, ARGUMENTS, RESULT))]
        ended = super()._run_job(environment, attempt, layout, data, context)
        if ended.exit_code == 0 and not ended.killed:
            try:
                self._result = json.loads((layout.root / RESULT).read_text())
            except (OSError, ValueError) as error:
                raise JobFailed(f"the function left no result: {error}") from error
        return ended


class OutriderPodDecoratedOperator(DecoratedOperator, ExecutionEnvironmentOperator):
    """Runs a function's source with the *python* of an image, which needs nothing else.

    What it returns is pushed as `@task.kubernetes` does, by default.

    :param python: the interpreter, a name on the image's PATH or a path (templated)
    """

    template_fields: Sequence[str] = (
        "python",
        *DecoratedOperator.template_fields,
        *(name for name in ExecutionEnvironmentOperator.template_fields if name not in ("cmds", "arguments")),
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **DecoratedOperator.template_fields_renderers,
        **ExecutionEnvironmentOperator.template_fields_renderers,
    }
    custom_operator_name = "@task.outrider"

    def __init__(self, *, python: str = "python3", do_xcom_push: bool = True, **kwargs: Any) -> None:
        self.python = python
        super().__init__(do_xcom_push=do_xcom_push, cmds=[python], **kwargs)

    def run_in(self, *given: Any) -> Any:
        """Run the function and give what it returned."""
        source: str = self.get_python_source()  # type: ignore[no-untyped-call]  # Airflow's own
        self.cmds = [
            self.python, "-c", literal(script(source, self.python_callable.__name__, told=True)),
            literal(arguments(self.task_id, self.op_args, self.op_kwargs)),
            f"{PodDefaults.XCOM_MOUNT_PATH}/return.json" if self.do_xcom_push else "/dev/null",
        ]  # fmt: skip
        return super().run_in(*given)


def outrider_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Make a function a task that runs as a job in its environment: `@task.outrider(outputs={"x": Output()})`."""
    kind = OutriderPodDecoratedOperator if "image" in kwargs else OutriderDecoratedOperator
    return task_decorator_factory(python_callable=python_callable, decorated_operator_class=kind, **kwargs)
