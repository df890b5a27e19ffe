"""Why an input is missing, in words a DAG author can act on."""

from collections.abc import Sequence
from datetime import UTC, datetime

from outrider_contracts.declarations import InputDeclaration, parse_duration
from outrider_contracts.explain.words import clear_command

from storage.domain.attempts import Wanted
from storage.domain.refusals import Refused, Waiting
from storage.domain.resolution import Candidate

_LAST = datetime(9999, 1, 1, tzinfo=UTC)
"""No wait ends later: there are no dates for it."""


def missing_input(
    name: str, wanted: Wanted, declared: InputDeclaration, candidates: Sequence[Candidate]
) -> Refused | Waiting:
    """The refusal (or the wait, where a seal is about to come) for input *name*; *candidates* in any state."""
    dag = declared.dag or wanted.task.dag_id
    output = f"{dag}/{declared.task}/{declared.output}"
    # another date's say nothing of this one, nor do later runs'; and a part that holds things up says more than one
    # that is fine
    if declared.selection == "same-date":
        candidates = [candidate for candidate in candidates if candidate.logical_date == wanted.logical_date]
    elif declared.selection == "latest":
        candidates = [candidate for candidate in candidates if candidate.run_after <= wanted.run_after]
    blocking = [candidate for candidate in candidates if not candidate.readable]
    latest = max(blocking or candidates, key=lambda c: (c.run_after, c.order), default=None)
    said = f"input {name!r} of {wanted.task.label} is {output}"
    if latest is None:
        return Refused(
            "input-missing",
            f"{said}, and no try of {declared.task} has opened it {_where(wanted, declared)}",
            f'check that {declared.task} runs before and declares outputs={{"{declared.output}": Output()}}',
        )
    where = f"{_try(latest)} of {latest.version.label} in run {latest.version.run_id}"
    if latest.state in ("doomed", "clearing", "cleared"):
        at = "" if latest.gone_at is None else f" on {_spell(latest.gone_at)}"
        done = "cleared" if latest.state == "cleared" else "taken out of reach"
        fix = f"outrider storage restore {latest.path}" if latest.state == "doomed" else rebuild(latest)
        return Refused("input-cleared", f"{said}; what {where} wrote was {done}{at}: {latest.reason}", fix)
    if latest.attempt_state != "sealed" and latest.ended == "success":
        return Waiting(f"the seal of {where}, which has just ended")
    if latest.attempt_state == "sealed":
        return Refused("input-missing", f"{said}; {where} was sealed without it", rebuild(latest))
    return Refused("input-missing", f"{said}; {where} has not sealed it (it is {_state(latest)})", rebuild(latest))


def put_off(
    why: Refused | Waiting, name: str, declared: InputDeclaration, since: datetime | None, now: datetime
) -> Refused | Waiting:
    """The wait that the input's declaration allows instead of a refusal, while it lasts; *since*: the try first asked.

    How often to look grows with how long there is: from every second to every minute.
    """
    if not isinstance(why, Refused) or declared.wait is None or since is None:
        return why
    length = min(parse_duration(declared.wait), _LAST - since)
    if now < since + length:
        every = min(max(length.total_seconds() / 100, 1.0), 60.0)
        return Waiting(str(why), every, awaited=name, until=since + length)
    return Refused(why.reason, f"{why.message}; {declared.wait} of waiting are over", why.fix)


def rebuild(candidate: Candidate) -> str:
    """The command that makes the version anew, with all that reads it."""
    return clear_command(candidate.version)


def _where(wanted: Wanted, declared: InputDeclaration) -> str:
    match declared.selection:
        case "same":
            return f"in run {wanted.task.run_id}"
        case "same-date":
            return f"for {wanted.logical_date and _spell(wanted.logical_date)}"
        case _:
            return f"in any run up to {_spell(wanted.run_after)}"


def _try(candidate: Candidate) -> str:
    return "no try yet" if candidate.try_number is None else f"try {candidate.try_number}"


def _state(candidate: Candidate) -> str:
    return candidate.ended or ("waiting to begin" if candidate.try_number is None else "at work")


def _spell(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")
