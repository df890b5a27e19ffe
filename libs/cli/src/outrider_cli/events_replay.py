"""`outrider events replay`: a group handles records again; first the plan, then the job, then how far it is."""

import re
from datetime import UTC, datetime
from typing import Annotated

import typer
from outrider_contracts.replays import Groups, GroupView, Replay, ReplayMode, ReplayPlan, ReplayRequest
from rich.markup import escape

from outrider_cli.connection import Connection, NotConnected
from outrider_cli.context import out
from outrider_cli.events_context import AsJson, connected, takes_reason
from outrider_cli.events_replays import follow_to_its_end, show_plan
from outrider_cli.events_tail import read_moment

_PATH = "/v1/bus/replays"
_BY_OFFSET = re.compile(r"(\d+):(\d+)")


def replay(
    context: typer.Context,
    group: Annotated[str, typer.Argument(help="The consumer group; `outrider events groups` lists them.")],
    topic: Annotated[str, typer.Option(help="The topic; needed where the group hears several.")] = "",
    from_: Annotated[
        list[str] | None,
        typer.Option("--from", help="From 2h or 3d ago, 2026-11-22T10:00Z, or PARTITION:OFFSET (may be repeated)."),
    ] = None,
    to: Annotated[
        list[str] | None, typer.Option(help="Up to that time or PARTITION:OFFSET, without it; else up to now.")
    ] = None,
    team: Annotated[list[str] | None, typer.Option(help="Only records of this team; may be repeated.")] = None,
    key: Annotated[
        list[str] | None, typer.Option(help="Only this record key, or its beginning and *; may be repeated.")
    ] = None,
    type_: Annotated[
        list[str] | None, typer.Option("--type", help="Only this type (TaskStarted, or in full); may be repeated.")
    ] = None,
    partition: Annotated[list[int] | None, typer.Option(help="Only this partition; may be repeated.")] = None,
    mode: Annotated[
        ReplayMode, typer.Option(help="What to handle; --missing and --reapply are short for it.")
    ] = "missing",
    missing: Annotated[
        bool, typer.Option("--missing", help="Only what the group has not handled (the default).")
    ] = False,
    reapply: Annotated[bool, typer.Option("--reapply", help="Also what the group has handled, once more.")] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.01, max=1e9, help="At most so many matching records a second.")
    ] = None,
    reason: Annotated[
        str, typer.Option(help="Why; it is shown and audited. Needed to run it.", callback=takes_reason)
    ] = "",
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Run what the plan shows, without asking.")] = False,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Show how far it is until it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Have a group handle records again, from where they lie. Shows a plan first; nothing is done without a yes.

    The service that owns the group reads the original records beside its own reading and gives them to the same
    handlers; no other group notices, nothing is copied. The plan freezes the end. Repeating a replay changes nothing;
    what ends in a deletion or changes a tenant is left out, and the plan says so.

    \b
    Examples:
      outrider events replay storage --from 2h
          the plan of what storage missed in the last two hours; nothing is done
      outrider events replay lineage --topic outrider.airflow.v1 --team ops --from 3d --reason "bug 12" --yes --follow
          what lineage missed of team ops, watched until its end
      outrider events replay lineage --topic outrider.airflow.v1 --from 3:1200 --to 3:1300 --reapply --rate 50 \\
          --reason "new rules" --yes
          offsets 1200 to 1299 of partition 3 once more, whether handled or not, 50 a second
      outrider events replay storage --key 'ops/flights/*' --type RunStarted --json | jq .matching

    \b
    Then:  outrider events replays                 how far they are, and earlier ones
           outrider events replays cancel ID       stop one; resume goes on where it was

    Ends with 0; 1 where it can't be planned or run; 2 for options that can't be read; with --follow also 3 where
    records failed (replays show ID tells which) and 4 where the replay was cancelled or failed.
    """
    if missing and reapply:
        raise typer.BadParameter("--missing and --reapply exclude each other")
    if yes and not reason.strip():
        raise typer.BadParameter('a replay is audited and needs a reason: --reason "…"')
    since, offsets = _begin_or_end(from_)
    until, until_offsets = _begin_or_end(to)
    mode = "reapply" if reapply else "missing" if missing else mode
    request = ReplayRequest(
        group=group, topic=topic, mode=mode, teams=tuple(team or ()),
        keys=tuple(key or ()), types=tuple(type_ or ()), partitions=tuple(partition or ()), rate=rate, reason=reason,
        since=since, until=until, offsets=offsets, until_offsets=until_offsets,
    )  # fmt: skip
    with connected(context) as connection:
        service = owner_of(connection, group).service
        plan = ReplayPlan.model_validate(_post(connection, service, request.model_copy(update={"plan_only": True})))
        if as_json and not yes:
            print(plan.model_dump_json(indent=1))
            return
        if not as_json:
            show_plan(plan)
        if not plan.matching and plan.complete:
            _say("Nothing matches: there is nothing to do.", as_json)
            return
        if not yes and not _agreed():
            _say("Nothing was done. Run it with --reason WHY --yes.", as_json)
            return
        reason = reason.strip() or takes_reason(typer.prompt("Why (it is audited)"))
        told = {"topic": plan.topic, "ranges": plan.ranges, "digest": plan.digest, "reason": reason}
        job = Replay.model_validate(_post(connection, service, request.model_copy(update=told)))
        if follow:
            raise typer.Exit(follow_to_its_end(connection, service, job.id, as_json=as_json))
        if as_json:
            print(job.model_dump_json(indent=1))
        else:
            out.print(f"replay [bold]{job.id}[/] runs; outrider events replays show {job.id} --follow", soft_wrap=True)


def owner_of(connection: Connection, group: str) -> GroupView:
    """The group as the service that owns it tells it. Raises NotConnected naming the groups there are, and why a
    service that may have it does not tell."""
    found: dict[str, GroupView] = {}
    silent = []
    for service in connection.urls:
        try:
            answer = Groups.model_validate(connection.ask(service, "/v1/bus/groups"))
            found |= {one.name: one for one in answer.groups}
        except NotConnected as error:
            silent.append(str(error))
    if group in found:
        return found[group]
    why = "; ".join(dict.fromkeys(silent))
    if not found:
        raise NotConnected(why)
    asked = f" ({why})" if why else ""
    raise NotConnected(f"no service has a group {group}{asked}; there are: {', '.join(sorted(found))}")


def _begin_or_end(texts: list[str] | None) -> tuple[datetime | None, dict[int, int]]:
    moment, offsets = None, {}
    for text in texts or ():
        if by_offset := _BY_OFFSET.fullmatch(text):
            offsets[int(by_offset[1])] = int(by_offset[2])
        elif moment is not None:
            raise typer.BadParameter("one time is enough; PARTITION:OFFSET may be repeated")
        else:
            moment = read_moment(text, datetime.now(UTC))
    return moment, offsets


def _post(connection: Connection, service: str, request: ReplayRequest) -> object:
    found: object = connection.ask(service, _PATH, "POST", json=request.model_dump(mode="json"))
    return found


def _agreed() -> bool:
    return out.is_terminal and typer.confirm("Run it?", default=False)


def _say(text: str, as_json: bool) -> None:
    if not as_json:
        out.print(escape(text), soft_wrap=True)
