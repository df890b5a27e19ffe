"""The moments of a run and of its tasks."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from outrider_contracts.explain import words
from outrider_contracts.explain.facts import FAILED, TaskFacts, source
from outrider_contracts.explain.story import Moment
from outrider_contracts.holdings import EnvironmentView, ToldView
from outrider_contracts.runs import RunAnswer, TryAnswer

_WRONG = FAILED | {"up_for_retry"}


def of_run(run: RunAnswer | None) -> Iterator[Moment]:
    """When the run began and ended, each time."""
    for start in run.starts if run else ():
        again = f" again, after clear {start.clear_number}" if start.clear_number else ""
        yield Moment(at=start.started_at, kind="run", text=f"the run began{again}")
        if start.ended_at is not None:
            text = f"the run ended: {start.state}"
            yield Moment(at=start.ended_at, kind="run", text=text, wrong=start.state == "failed")
        if start.deleted_at is not None:
            yield Moment(at=start.deleted_at, kind="run", text="the run is gone from Airflow", wrong=True)


def of_task(facts: TaskFacts, now: datetime) -> Iterator[Moment]:
    """Everything that happened to one task instance."""
    for one in facts.tries:
        yield from _try(facts, one)
    for environment in facts.environments:
        yield from _environment(facts, environment)
        yield from _versions(facts, environment)
    for told in facts.told:
        yield _told(facts, told, now)


def expected_of(facts: TaskFacts, now: datetime) -> Iterator[Moment]:
    """What will become of its versions, as far as that has a date."""
    for environment in facts.environments:
        for version in environment.versions:
            common = {"task": facts.label, "try_number": environment.try_number}
            if version.state == "doomed" and version.not_before is not None:
                text = f"{version.path} is deleted; until then: outrider storage restore {version.path}"
                yield Moment(at=version.not_before, kind="cleared", text=text, **common)
            elif version.state in ("open", "sealed") and version.due_at is not None and version.due_at > now:
                text = f"{version.path} clears: {version.reason}"
                yield Moment(at=version.due_at, kind="doomed", text=text, **common)


def _try(facts: TaskFacts, one: TryAnswer) -> Iterator[Moment]:
    number = one.try_number
    if number == 0 and one.ended_at is not None:  # Airflow decided about it without a try
        text = f"{one.state}, without a try"
        yield Moment(at=one.ended_at, kind="ended", text=text, task=facts.label, wrong=one.state in _WRONG)
        return
    if one.started_at is not None:
        by = f" ({one.operator})" if one.operator else ""
        text = f"try {number} began{by}"
        yield Moment(at=one.started_at, kind="began", text=text, task=facts.label, try_number=number)
    if one.ended_at is not None:
        error = words.error(one.error_class) if one.state in _WRONG else ""
        with_ = f" with {error}" if error else ""
        after = f" after {words.length(one.ended_at - one.started_at)}" if one.started_at else ""
        yield Moment(
            at=one.ended_at, kind="ended", text=f"try {number} ended: {one.state}{with_}{after}",
            task=facts.label, try_number=number, wrong=one.state in _WRONG,
        )  # fmt: skip


def _environment(facts: TaskFacts, one: EnvironmentView) -> Iterator[Moment]:
    common = {"task": facts.label, "try_number": one.try_number}
    if one.announced_at is not None:
        yield Moment(at=one.announced_at, kind="announced", text=f"announced: generation {one.generation}", **common)
    if one.ready_at is not None:
        yield Moment(at=one.ready_at, kind="ready", text=f"place ready: /{one.place}", **common)
    if one.asked_at is not None:
        yield Moment(at=one.asked_at, kind="asked", text="asked for its environment", **common)
    if one.resolved_at is not None and (one.inputs or one.missing_inputs):
        yield Moment(at=one.resolved_at, kind="inputs", text=f"inputs resolved: {_inputs(one)}", **common)
    if one.credentials is not None:
        text = f"given credentials, good until {words.moment(one.credentials.expires_at)}"
        yield Moment(at=one.credentials.given_at, kind="credentials", text=text, **common)
    for kind, carried in (("staged", one.staged), ("stored", one.stored)):
        if carried is not None:
            what = "inputs staged" if kind == "staged" else "outputs stored"
            cold = "" if carried.cold_bytes is None else f", {words.size(carried.cold_bytes)} cold"
            text = f"{what} in {words.length(timedelta(seconds=carried.seconds))}{cold}"
            yield Moment(at=carried.at, kind=kind, text=text, **common)
    if one.sealed_at is not None:
        wrote = "; ".join(f"{v.output} {words.held(v.files or 0, v.bytes or 0)}" for v in one.versions) or "no outputs"
        how = " as failed" if one.outcome == "failed" else ""
        text = f"sealed{how}: {wrote}"
        yield Moment(at=one.sealed_at, kind="sealed", text=text, wrong=one.outcome == "failed", **common)


def _inputs(one: EnvironmentView) -> str:
    told = [f"{name} from {source(one.task, one, name)} ({_carried(one, name)})" for name in one.inputs]
    return "; ".join([*told, *(f"{name} is optional and not there" for name in one.missing_inputs)])


def _carried(one: EnvironmentView, name: str) -> str:
    parts = one.inputs[name]
    found = one.input_sizes.get(name)
    generations = sorted({part.version.generation for part in parts})
    which = f"{len(parts)} parts" if len(parts) > 1 else ", ".join(f"g{number}" for number in generations)
    return which if found is None else f"{which}, {words.held(found.files, found.bytes)}"


def _versions(facts: TaskFacts, one: EnvironmentView) -> Iterator[Moment]:
    for version in one.versions:
        common = {"task": facts.label, "try_number": one.try_number}
        for hold in version.holds:
            why = f": {hold.reason}" if hold.reason else ""
            who = words.holder(hold.holder, one.task.run)
            text = f"{version.output} is held by {who} until {words.moment(hold.expires_at)}{why}"
            yield Moment(at=hold.since, kind="held", text=text, **common)
        if version.doomed_at is not None:
            text = f"{version.output} g{one.generation} put out of reach: {version.reason}"
            yield Moment(at=version.doomed_at, kind="doomed", text=text, **common)
        if version.cleared_at is not None:
            text = f"{version.output} g{one.generation} cleared: {version.reason}"
            yield Moment(at=version.cleared_at, kind="cleared", text=text, **common)


def _told(facts: TaskFacts, told: ToldView, now: datetime) -> Moment:
    number = told.task.try_number
    if told.kind == "refused":
        text = f"refused ({told.what}): {told.message}"
        return Moment(
            at=told.first_at, kind="refused", text=text, task=facts.label, try_number=number, wrong=True
        )  # fmt: skip
    waits = told in facts.told_of(number) and facts.last is not None and facts.last.ended_at is None
    given = [
        one.resolved_at for one in facts.environments
        if one.resolved_at and (one.try_number, one.run_started_at) == (number, told.run_started_at)
    ]  # fmt: skip
    since = words.length((now if waits else max([told.last_at, *given])) - told.first_at)
    text = f"waits for {told.what}, for {since} now" if waits else f"waited {since} for {told.what}"
    return Moment(at=told.first_at, kind="waited", text=text, task=facts.label, try_number=number)
