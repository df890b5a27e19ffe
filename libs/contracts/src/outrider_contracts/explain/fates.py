"""What a task reads and wrote: which versions, what becomes of them, who reads them."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from outrider_contracts.explain import words
from outrider_contracts.explain.facts import TaskFacts, source
from outrider_contracts.explain.story import InputStory, OutputStory
from outrider_contracts.holdings import EnvironmentView, Frozen, VersionView

Readers = Mapping[tuple[str, str], list[str]]


def inputs_of(facts: TaskFacts) -> Iterator[InputStory]:
    """Inputs of each try that has an environment."""
    for one in facts.environments:
        if one.try_number is None:
            continue
        for name in one.declared or one.inputs:
            parts, found = one.inputs.get(name, ()), one.input_sizes.get(name)
            yield InputStory(
                task=facts.label, try_number=one.try_number, name=name, source=source(one.task, one, name),
                versions=tuple(part.path for part in parts), files=found.files if found else 0,
                bytes=found.bytes if found else 0, text=_read(one, name),
            )  # fmt: skip


def outputs_of(facts: TaskFacts, readers: Readers, frozen: Frozen | None, now: datetime) -> Iterator[OutputStory]:
    """Every version of the task that was given to a try, or is ready for one."""
    for one in facts.environments:
        for version in one.versions if one.state != "dropped" else ():
            yield OutputStory(
                task=facts.label, try_number=one.try_number, output=version.output, path=version.path,
                generation=one.generation, state=version.state, current=version.current, files=version.files,
                bytes=version.bytes, retention=version.retention,
                clears_at=version.cleared_at or version.not_before or version.due_at,
                fate=_fate(one, version, frozen, now),
                held_by=tuple(words.holder(hold.holder, one.task.run) for hold in version.holds),
                readers=_readers(readers.get((facts.task_id, version.output), []), one, version),
                fix=_fix(one, version),
            )  # fmt: skip


def _readers(known: list[str], one: EnvironmentView, version: VersionView) -> tuple[str, ...]:
    """Nobody is given what a failed try left, nor will be a version that is neither current nor still to come."""
    if one.outcome == "failed":
        return ()
    coming = version.current or version.state == "open"
    return tuple(reader for reader in known if coming or not reader.startswith("next: "))


def _read(one: EnvironmentView, name: str) -> str:
    if name in one.missing_inputs:
        return "optional, and there was none"
    if name not in one.inputs:
        return "not resolved yet"
    found = one.input_sizes.get(name)
    return "resolved" if found is None else f"{words.held(found.files, found.bytes)}, from the store itself"


def _fate(one: EnvironmentView, version: VersionView, frozen: Frozen | None, now: datetime) -> str:
    match version.state:
        case "doomed":
            left = words.length(version.not_before - now) if version.not_before else "a while"
            return f"out of reach ({version.reason}); deleted in {left}, until then it can be restored"
        case "clearing":
            return f"is being deleted: {version.reason}"
        case "cleared":
            return f"gone{f' since {words.moment(version.cleared_at)}' if version.cleared_at else ''}: {version.reason}"
    if version.due_at is None:
        return _undated(one, version)
    due = f"clears in {words.length(version.due_at - now)}" if version.due_at > now else "is due to be cleared"
    run = one.task.run
    stays = [f"held by {words.holder(h.holder, run)} until {words.moment(h.expires_at)}" for h in version.holds]
    if frozen is not None and frozen.frozen:
        stays.append(f"storage is frozen by {frozen.by}: {frozen.reason}")
    if version.waiting_for:
        stays.append(version.waiting_for)
    return f"{due}, because {version.reason}" + (f"; but {'; '.join(stays)}" if stays else "")


def _undated(one: EnvironmentView, version: VersionView) -> str:
    if version.retention == "forever":
        return "kept forever"
    if version.state == "open":
        return "ready for its task" if one.try_number is None else "may still be written"
    after = "until its run has ended" if version.retention == "run" else f"for {version.retention} after its run's end"
    return f"kept {after}" + (f" ({version.reason})" if version.reason else "")


def _fix(one: EnvironmentView, version: VersionView) -> str:
    if version.state == "doomed":
        return f"outrider storage restore {version.path}"
    if version.state == "cleared":
        return words.clear_command(one.task)
    if version.state == "sealed" and version.due_at is not None:
        return f"outrider storage hold {version.path} --for 7d"
    return ""
