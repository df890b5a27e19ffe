"""`outrider explain`: the timeline of a run or task, the first cause of what is wrong, and what mends it."""

import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer
from outrider_contracts.explain import Explanation, Moment, Subject
from outrider_contracts.explain import explain as compose
from outrider_contracts.holdings import MOST_OF_A_RUN, Environments
from outrider_contracts.runs import RunAnswer, RunsAnswer
from pydantic import ValidationError

from outrider_cli.connection import Connection, Missing, NotConnected, outlasting
from outrider_cli.context import fail
from outrider_cli.explain_text import show_end, show_moments, show_story
from outrider_cli.lineage import connection_of

_LOOK_SECONDS = 1.0
_WRONG = 3

Name = Annotated[
    str,
    typer.Argument(
        metavar="TEAM/DAG[/RUN[/TASK[/INDEX]]]",
        help="A run, or a task of it; RUN may be `latest`, and is where it is left out.",
    ),
]


def explain(
    context: typer.Context,
    name: Name,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until it is over.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Tell what happened to a run or task, what is wrong first, and what mends it. Works while the run goes on.

    Status 0: it is well, or goes on. 3: something failed. 1: it can't be told (unknown, or a service is away).

    \b
    Examples:
      outrider explain ops/flights
      outrider explain ops/flights/latest/check --follow
      outrider explain ops/flights/manual__2026-11-01T09:00:00+00:00/delays/2 --json
    """
    try:
        connection = connection_of(context)
        subject = find(connection, name)
        story = ask(connection, subject)
        if as_json:
            if follow:
                story = _until_over(connection, story, lambda _: None)
            print(story.model_dump_json(indent=1))
        elif follow:
            show_moments(subject, story.moments, heading=True)
            story = _until_over(connection, story, lambda new: show_moments(subject, new))
            show_end(story)
        else:
            show_story(story)
    except NotConnected as error:
        fail(error)
    except KeyboardInterrupt:
        return
    if story.cause is not None and story.cause.kind == "failed":
        sys.exit(_WRONG)


def find(connection: Connection, name: str) -> Subject:
    """What *name* means. Raises NotConnected where it names nothing."""
    parts = name.strip("/").split("/")
    if not 2 <= len(parts) <= 5:
        raise NotConnected(f"{name!r} names no run: write TEAM/DAG[/RUN[/TASK[/INDEX]]]")
    team, dag_id, run_id, task_id, index = [*parts, *[""] * (5 - len(parts))]
    if index and not index.isdecimal():
        raise NotConnected(f"{index!r} is no map index: write TEAM/DAG/RUN/TASK/2 for the third part of a mapped task")
    if run_id in ("", "latest"):
        run_id = _latest(connection, team, dag_id)
    try:
        return Subject(
            team=team, dag_id=dag_id, run_id=run_id, task_id=task_id or None, map_index=int(index) if index else None
        )
    except ValidationError as error:
        raise NotConnected(f"{name!r} names no run: {error.errors()[0]['msg']}") from None


def ask(connection: Connection, subject: Subject) -> Explanation:
    """The story as of now. Raises NotConnected for a run nobody has heard of, and where a service is away."""
    run = {"team": subject.team, "dag_id": subject.dag_id, "run_id": subject.run_id}
    environments = Environments.model_validate(connection.ask("storage", "/v1/environments", params=run))
    try:
        asked = {**run, "readers": "true", "limit": str(MOST_OF_A_RUN)}
        told = RunAnswer.model_validate(connection.ask("lineage", "/v1/runs", params=asked))
    except Missing:
        if not (environments.environments or environments.told):
            raise
        told = None
    story = compose(subject, environments, told, datetime.now(UTC))
    if subject.task_id is not None and not any(moment.task for moment in story.moments):
        raise NotConnected(
            f"nothing is known of {subject.label} yet: a task is known when its place is announced or it begins. "
            f"Its run: outrider explain {subject.record_key}"
        )
    return story


def _latest(connection: Connection, team: str, dag_id: str) -> str:
    asked = {"team": team, "dag_id": dag_id, "limit": "1"}
    runs = RunsAnswer.model_validate(connection.ask("lineage", "/v1/runs", params=asked)).runs
    if not runs:
        raise NotConnected(f"no run of {team}/{dag_id} is known; `outrider lineage run {team}` lists the team's newest")
    return runs[0].run_id


def _until_over(connection: Connection, story: Explanation, tell: Callable[[Sequence[Moment]], None]) -> Explanation:
    """Look again and again; *tell* is given what is new each time."""
    seen = set(story.moments)
    while not story.over:
        time.sleep(_LOOK_SECONDS)
        story = outlasting(lambda subject=story.subject: ask(connection, subject))  # type: ignore[misc]
        new = [moment for moment in story.moments if moment not in seen and not _counts_on(moment)]
        tell(new)
        seen.update(new)
    return story


def _counts_on(moment: Moment) -> bool:
    """A wait that goes on is told anew each second: it is told when it is over."""
    return moment.kind == "waited" and moment.text.endswith(" now")
