"""`outrider events dlq redrive | discard`: dealing with dead letters, after a look at what would come of it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer
from outrider_contracts.operations import (
    DiscardRequest,
    LetterName,
    LetterOutcome,
    LetterOutcomes,
    RedriveRequest,
)
from rich.markup import escape
from rich.progress import track

from outrider_cli.connection import Connection
from outrider_cli.context import err, out
from outrider_cli.events_broker import Broker
from outrider_cli.events_context import confirm, connected, takes_reason
from outrider_cli.events_dlq import OfGroup, OfService, OfStage, OfTeam, Since, wanted_of
from outrider_cli.events_format import table, visible
from outrider_cli.events_letters import find, parse_id
from outrider_cli.events_services import post

Ids = Annotated[list[str] | None, typer.Argument(metavar="ID...", help="As `dlq ls` shows them: storage/0/123.")]
Reason = Annotated[str, typer.Option(help="Why; it is kept with the letter and audited.", callback=takes_reason)]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
_SETTLED = ("done", "known", "skipped")
_LEFT = 3
_AT_ONCE = 10
_COLOURS = {"done": "green", "known": "green", "skipped": "green", "failed": "red", "left_out": "yellow"}
_WORDS = {
    "done": ("would be handled", "handled"),
    "known": ("was handled already", "was handled already, by another telling"),
    "skipped": ("is of a type nobody hears now", "nothing to do: of a type its group does not hear"),
    "failed": ("would fail", "failed again"),
    "refused": ("is refused", "refused"),
    "left_out": ("is left out", "left out"),
}


def redrive(
    context: typer.Context,
    ids: Ids = None,
    reason: Reason = "",
    all_matching: Annotated[bool, typer.Option("--all-matching", help="Every open letter the filters take.")] = False,
    service: OfService = None,
    team: OfTeam = None,
    stage: OfStage = None,
    group: OfGroup = None,
    since: Since = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would come of it.")] = False,
    first_delivery: Annotated[
        bool,
        typer.Option("--first-delivery", help="One ID: with the full effect of a first delivery."),
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Also letters that have failed three redrives.")] = False,
    yes: Yes = False,
) -> None:
    """Have dead letters handled again by the group that gave them up, from their untouched bytes.

    First shows what would come of it with the present contract, then asks. A letter whose record was handled meanwhile,
    by another telling of the same fact, changes nothing. One that fails again stays a dead letter, with its tries
    counted; no copy is made.

    Much may have happened since, so letters are handled with the care of a replay: facts that may end in a deletion or
    change a tenant are left out, and a start is kept but no environment is made ahead of it. Where the full effect is
    meant for one letter, --first-delivery handles it as if Kafka gave it for the first time; all checks of a first
    delivery hold (newer generations win, Airflow is asked, the undo window runs).

    \b
    Examples:
      outrider events dlq redrive storage/0/123 --reason "bucket is back"
      outrider events dlq redrive --all-matching --service lineage --stage handle --reason "fixed in 1.4" --yes
      outrider events dlq redrive --all-matching --team ops --dry-run

    Ends with 0 where all are settled; 1 where Kafka or a service does not answer; 2 for a mistake in the command or no
    confirmation; 3 where letters failed again or were left out.
    """
    if first_delivery and (all_matching or len(ids or ()) != 1):
        raise typer.BadParameter("--first-delivery is for one ID: a person has to mean this very record")
    if bool(ids) == all_matching:
        raise typer.BadParameter("name ids as `outrider events dlq ls` shows them, or say --all-matching with filters")
    if not reason and not dry_run:
        raise typer.BadParameter("say why: --reason TEXT")
    with connected(context) as connection:
        chosen = list(dict.fromkeys(ids or ()))
        if all_matching:
            wanted = wanted_of(service, team, stage, group, since)
            chosen = [one.id for one in find(Broker(connection.kafka), connection, wanted, settled=False)]
        if not chosen:
            out.print("no dead letters are open")
            return

        def ask(some: Sequence[str], *, plan_only: bool) -> list[tuple[str, LetterOutcome]]:
            request = RedriveRequest(
                letters=_names(some),
                reason=reason or "a look",
                plan_only=plan_only,
                first_delivery=first_delivery,
                force=force,
            )
            return _post(connection, some, "redrive", request)

        planned = [one for some in _portions(chosen) for one in ask(some, plan_only=True)]
        _show(planned, planned=True)
        if dry_run:
            raise typer.Exit(0 if _all_well(planned) else _LEFT)
        confirm(f"redrive {len(chosen)} letter(s)?", yes)
        outcomes: list[tuple[str, LetterOutcome]] = []
        try:
            for some in _tracked(chosen, "redriving"):
                outcomes += ask(some, plan_only=False)
        finally:  # what was done is told also where the rest could not be
            _show(outcomes, planned=False)
    raise typer.Exit(0 if _all_well(outcomes) else _LEFT)


def discard(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="As `dlq ls` shows them: storage/0/123.")],
    reason: Reason,
    yes: Yes = False,
) -> None:
    """Put dead letters away for good: they are not handled, and no longer listed. Their bytes stay until their time.

    \b
    Examples:
      outrider events dlq discard storage/0/123 --reason "a test's record"

    Ends with 0 where all are settled; 1 where a service does not answer; 2 for a mistake in the command or no
    confirmation; 3 where letters were refused.
    """
    if not reason:
        raise typer.BadParameter("say why: --reason TEXT")
    with connected(context) as connection:
        for id_ in ids:
            parse_id(id_)
        confirm(f"discard {len(ids)} letter(s) for good?", yes)
        outcomes = [
            one
            for some in _tracked(list(dict.fromkeys(ids)), "discarding")
            for one in _post(connection, some, "discard", DiscardRequest(letters=_names(some), reason=reason))
        ]
    for id_, one in outcomes:
        well = one.outcome == "done"
        said = "[green]discarded[/]" if well else f"[red]refused[/]: {escape(visible(one.reason))}"
        out.print(f"{id_}  {said}", soft_wrap=True)
    raise typer.Exit(0 if _all_well(outcomes) else _LEFT)


def _names(ids: Sequence[str]) -> tuple[LetterName, ...]:
    return tuple(LetterName(partition=parse_id(one)[1], offset=parse_id(one)[2]) for one in ids)


def _post(
    connection: Connection, some: Sequence[str], act: str, request: DiscardRequest
) -> list[tuple[str, LetterOutcome]]:
    service = parse_id(some[0])[0]
    answer = post(connection, service, f"/v1/bus/dead-letters/{act}", request, LetterOutcomes)
    return [(f"{service}/{one.partition}/{one.offset}", one) for one in answer.letters]


def _portions(ids: Sequence[str]) -> Iterator[list[str]]:
    """Few at a time, each of one service: an answer is never far, and Ctrl-C leaves nothing half done."""
    services = dict.fromkeys(parse_id(one)[0] for one in ids)
    for service in services:
        own = [one for one in ids if parse_id(one)[0] == service]
        yield from (own[at : at + _AT_ONCE] for at in range(0, len(own), _AT_ONCE))


def _tracked(ids: Sequence[str], what: str) -> Iterator[list[str]]:
    portions = list(_portions(ids))
    quiet = len(portions) < 2 or not err.is_terminal
    yield from portions if quiet else track(portions, what, console=err, transient=True)


def _show(outcomes: Sequence[tuple[str, LetterOutcome]], *, planned: bool) -> None:
    if not outcomes:
        return
    shown = table("id", "", "why")
    for id_, one in outcomes:
        word = _WORDS[one.outcome][0 if planned else 1]
        shown.add_row(id_, f"[{_COLOURS.get(one.outcome, 'red')}]{word}[/]", escape(visible(one.reason)))
    out.print(shown)
    counts = Counter(_WORDS[one.outcome][0 if planned else 1] for _, one in outcomes)
    if len(outcomes) > 1:
        out.print("\n" + ", ".join(f"{count} {word}" for word, count in counts.most_common()))


def _all_well(outcomes: Sequence[tuple[str, LetterOutcome]]) -> bool:
    return all(one.outcome in _SETTLED for _, one in outcomes)
