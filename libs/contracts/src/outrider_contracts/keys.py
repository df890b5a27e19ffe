"""Natural keys of runs, tasks and tries. Airflow's row ids are no keys: they change per try."""

from pydantic import Field

from outrider_contracts.model import Count, Model
from outrider_contracts.names import TeamId


class RunKey(Model):
    """One Airflow DAG run of one team."""

    team: TeamId
    dag_id: str = Field(min_length=1, max_length=250)
    run_id: str = Field(min_length=1, max_length=250)

    @property
    def record_key(self) -> str:
        """Key of the records that concern this run: all of them lie in one partition."""
        return f"{self.team}/{self.dag_id}/{self.run_id}"

    @property
    def run(self) -> "RunKey":
        """The run alone."""
        return RunKey(team=self.team, dag_id=self.dag_id, run_id=self.run_id)


class TaskKey(RunKey):
    """One task instance of a run; `map_index` is -1 where the task is not mapped."""

    task_id: str = Field(min_length=1, max_length=250)
    map_index: Count = Field(default=-1, ge=-1)

    @property
    def task(self) -> "TaskKey":
        """The task without its try."""
        return TaskKey(**{name: getattr(self, name) for name in TaskKey.model_fields})

    def attempt(self, try_number: int) -> "TryKey":
        """The *try_number*-th try of this task (Airflow counts from 1)."""
        return TryKey(**self.task.model_dump(), try_number=try_number)

    @property
    def label(self) -> str:
        """`team/dag/task[map_index]`, as people read it."""
        suffix = f"[{self.map_index}]" if self.map_index >= 0 else ""
        return f"{self.team}/{self.dag_id}/{self.task_id}{suffix}"


class TryKey(TaskKey):
    """One try of a task instance."""

    try_number: Count = Field(ge=0)
