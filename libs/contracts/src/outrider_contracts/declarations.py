"""What a task declares: inputs, outputs, sources. As DAG authors write it, and as services read it.

`Input`, `Output` and `Source` are dict subclasses: Airflow serialises dicts (and dict subclasses in mapped tasks),
turns dataclasses into their repr, and rebuilds plain dicts when it renders templates.
"""

import re
from datetime import timedelta
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from outrider_contracts.model import Model

Mode = Literal["files", "uris", "volume"]
"""How a job gets at its data: carried in and out of plain directories, by addresses, or on the team's shared volume."""
_FORMAT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+/;=-]{0,99}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,62}")
_DURATION = re.compile(r"([0-9]+)([smhdw])")
_UNIT = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


class Input(dict[str, Any]):
    """A named thing a task reads: another task's output.

    `Input(task="extract", output="orders")` names a task of the same run; with `dag` another DAG's newest sealed
    version (`run="latest"`) or that of the same logical date (`run="same-date"`); with `team` another team's, which
    needs a grant of both sides. *task* may be the operator, or what calling a decorated function gave.
    `wait="2h"` puts the task off for so long while there is no sealed version, instead of failing it at once;
    `optional=True` lets it run without one.
    """

    def __init__(
        self,
        task: object,
        output: str,
        *,
        dag: str | None = None,
        team: str | None = None,
        run: Literal["same", "latest", "same-date"] | None = None,
        optional: bool = False,
        wait: str | None = None,
    ) -> None:
        operator = getattr(task, "operator", task)  # of a decorated task's result
        task_id = getattr(operator, "task_id", operator)
        super().__init__(task=task_id, output=output, dag=dag, team=team, run=run, optional=optional, wait=wait)


class Output(dict[str, Any]):
    """A named thing a task writes.

    `retention`: "run", "forever" or a duration such as "12h" or "7d". `format`: a word for those who read it, such as
    "parquet" or "text/csv"; nothing is checked by it. `required=False`: the task may succeed without it.
    """

    def __init__(self, *, retention: str | None = None, required: bool = True, format: str | None = None) -> None:
        super().__init__(retention=retention, required=required, format=format)


class Source(dict[str, Any]):
    """An outside system a task reads or writes through one of the team's Airflow connections."""

    def __init__(self, connection: str) -> None:
        super().__init__(connection=connection)


def parse_duration(text: str) -> timedelta:
    """Read "90s", "30m", "12h", "7d", "2w". Raises ValueError naming the accepted form."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no duration; write a number and a unit, for example '12h' or '7d'")
    try:
        return timedelta(**{_UNIT[match[2]]: int(match[1])})
    except (OverflowError, ValueError):
        raise ValueError(f"{text[:40]!r} is longer than any duration can be") from None


class InputDeclaration(Model):
    """An input as declared. `run` is "same" within a DAG and "latest" across DAGs unless said otherwise."""

    task: str
    output: str
    dag: str | None = None
    team: str | None = None
    run: Literal["same", "latest", "same-date"] | None = None
    optional: bool = False
    wait: str | None = Field(default=None, description="how long a try is put off while there is no sealed version")
    part: Literal["all", "own"] = Field(
        default="all",
        description="`own`: of a producer in the same mapped task group, the part of the reading instance's map index",
    )

    @field_validator("wait")
    @classmethod
    def _duration(cls, value: str | None) -> str | None:
        if value is not None:
            parse_duration(value)
        return value

    @model_validator(mode="after")
    def _check(self) -> "InputDeclaration":
        if self.team is not None and self.dag is None:
            raise ValueError("an input of another team needs its dag too: Input(team=…, dag=…, task=…, output=…)")
        if self.dag is not None and self.run == "same":
            raise ValueError('an input of another DAG has no same run; use run="latest" or run="same-date"')
        return self

    @property
    def selection(self) -> Literal["same", "latest", "same-date"]:
        """Which of the producer's runs is meant."""
        return self.run or ("same" if self.dag is None else "latest")


class OutputDeclaration(Model):
    """An output as declared; `retention` None means the team's default."""

    retention: str | None = None
    required: bool = True
    format: str | None = Field(default=None, description="a free word for those who read it")

    @field_validator("retention")
    @classmethod
    def _check(cls, value: str | None) -> str | None:
        if value is not None and value not in ("run", "forever"):
            parse_duration(value)
        return value

    @field_validator("format")
    @classmethod
    def _word(cls, value: str | None) -> str | None:
        if value is not None and not _FORMAT.fullmatch(value):
            raise ValueError(f"{value[:100]!r} is no format; write one word such as 'parquet' or 'text/csv'")
        return value


class SourceDeclaration(Model):
    """A connection of the team, by its id."""

    connection: str


class TaskDeclaration(Model):
    """Everything one task declares."""

    task_id: str
    operator: str = ""
    mapped: bool = False
    mode: Literal["files", "uris"] = Field(
        default="files", description="with `volume`: that it is no files is all it says"
    )
    volume: bool = Field(default=False, description="the job works on the team's shared volume itself")
    inputs: dict[str, InputDeclaration] = Field(default_factory=dict)
    outputs: dict[str, OutputDeclaration] = Field(default_factory=dict)
    sources: dict[str, SourceDeclaration] = Field(default_factory=dict)
    destinations: dict[str, SourceDeclaration] = Field(default_factory=dict)

    @property
    def way(self) -> Mode:
        """How the job gets at its data, in the author's word.

        Facts spell it in two fields, because the words of `mode` are released: a reader that knows no `volume` takes
        stock of what the job wrote, as of any that wrote itself.
        """
        return "volume" if self.volume else self.mode

    @model_validator(mode="before")
    @classmethod
    def _authors_word(cls, value: Any) -> Any:
        if isinstance(value, dict) and value.get("mode") == "volume":
            return {**value, "mode": "uris", "volume": True}
        return value

    @field_validator("mode", mode="before")
    @classmethod
    def _word(cls, value: Any) -> Any:
        if value not in ("files", "uris"):
            raise ValueError(f"it is 'files', 'uris' or 'volume', not {value!r}")
        return value

    @field_validator("inputs", "outputs", "sources", "destinations")
    @classmethod
    def _names(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name in value:
            if not _NAME.fullmatch(name):
                raise ValueError(
                    f"{name!r} is no name: letters, digits, '_' and '-', at most 63, not beginning with a digit"
                )
        return value


def parse_declaration(task_id: str, **declared: Any) -> TaskDeclaration:
    """Read what an operator holds (inputs=, outputs=, …). Raises ValueError in an author's words."""
    try:
        return TaskDeclaration.model_validate({"task_id": task_id, **declared})
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(map(str, e['loc']))}: {e['msg'].removeprefix('Value error, ')}" for e in error.errors()
        )
        raise ValueError(f"task {task_id!r}: {faults}") from None
