"""An explanation as text for people to read."""

from collections.abc import Iterable

from outrider_contracts.explain import Cause, Explanation, Moment, OutputStory, Subject
from outrider_contracts.explain.words import held
from rich.markup import escape

from outrider_cli.context import out

_STATES = {
    "success": "green", "sealed": "green", "failed": "red", "lost": "red", "upstream_failed": "red", "running": "yellow"
}  # fmt: skip
_CAUSES = {"failed": "bold red", "retrying": "bold yellow", "waiting": "bold yellow"}


def show_story(story: Explanation) -> None:
    """What is wrong first, then the timeline, then what was read and written."""
    colour = _STATES.get(story.state, "cyan")
    out.print(f"[bold]{escape(story.subject.label)}[/]  [{colour}]{escape(story.state)}[/]", soft_wrap=True)
    show_cause(story.cause)
    out.print()
    show_moments(story.subject, story.moments)
    if story.expected:
        out.print("\n[bold]to come[/]")
        show_moments(story.subject, story.expected)
    show_data(story)
    if story.truncated:
        out.print("\n[yellow]the run has more tries than the 5,000 that are told here[/]")


def show_end(story: Explanation) -> None:
    """How what was followed ended."""
    colour = _STATES.get(story.state, "cyan")
    out.print(f"\n[bold]{escape(story.subject.label)}[/]  [{colour}]{escape(story.state)}[/]", soft_wrap=True)
    show_cause(story.cause)
    show_data(story)


def show_cause(cause: Cause | None) -> None:
    """The first cause, and a command per line."""
    if cause is None:
        return
    word = {"failed": "because", "retrying": "on the way", "waiting": "waiting"}[cause.kind]
    out.print(f"[{_CAUSES[cause.kind]}]{word}:[/] {escape(cause.text)}", soft_wrap=True)
    for fix in cause.fix:
        out.print(f"  [bold]fix:[/] {escape(fix)}", soft_wrap=True)


def show_moments(subject: Subject, moments: Iterable[Moment], *, heading: bool = False) -> None:
    """A line per moment."""
    if heading:
        out.print(f"[bold]{escape(subject.label)}[/]", soft_wrap=True)
    for one in moments:
        at = f"{one.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] + "Z"
        who = f"{one.task}#{one.try_number}" if one.task and one.try_number else one.task
        text = f"[red]{escape(one.text)}[/]" if one.wrong else escape(one.text)
        out.print(f"[dim]{at}[/]  {escape(who):<16} {text}", soft_wrap=True)


def show_data(story: Explanation) -> None:
    """What was read, what was written and becomes of it."""
    if story.inputs:
        out.print("\n[bold]reads[/]")
    for read in story.inputs:
        out.print(
            f"  {escape(read.task)}#{read.try_number} {escape(read.name)} [dim]<-[/] {escape(read.source)}: "
            f"{escape(read.text)}", soft_wrap=True,
        )  # fmt: skip
    if story.outputs:
        out.print("\n[bold]writes[/]")
    for wrote in story.outputs:
        _show_output(wrote)


def _show_output(wrote: OutputStory) -> None:
    mark = "*" if wrote.current else " "
    what = "" if wrote.files is None else f"{held(wrote.files, wrote.bytes or 0)}; "
    out.print(f" {mark}/{escape(wrote.path)}  [cyan]{wrote.state}[/]  {what}{escape(wrote.fate)}", soft_wrap=True)
    if wrote.readers:
        out.print(f"    [dim]{escape('; '.join(wrote.readers))}[/]", soft_wrap=True)
    if wrote.fix:
        out.print(f"    [dim]{escape(wrote.fix)}[/]", soft_wrap=True)
