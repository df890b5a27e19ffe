"""`outrider events …`: the bus as its operators see it; which command lives in which module, one line each."""

import typer

from outrider_cli import (
    events_dlq,
    events_groups,
    events_outbox,
    events_parked,
    events_redrive,
    events_replay,
    events_replays,
    events_tail,
    events_topics,
)

app = typer.Typer(
    no_args_is_help=True,
    help="The bus: topics, groups, records, what is sick, what was given up.",
    rich_markup_mode=None,
)

app.command()(events_topics.topics)
app.command()(events_groups.groups)
app.command()(events_groups.lag)
app.command()(events_tail.tail)
app.add_typer(events_parked.app, name="parked")
app.add_typer(events_outbox.app, name="outbox")
app.add_typer(events_dlq.app, name="dlq")
events_dlq.app.command()(events_redrive.redrive)
events_dlq.app.command()(events_redrive.discard)
app.command()(events_replay.replay)
app.add_typer(events_replays.app, name="replays")
