"""Which records a replay is about, told from key and headers before anything is decoded. Pure."""

from collections.abc import Collection
from typing import Any, Literal

from outrider_contracts.event import Event
from outrider_contracts.replays import ReplayChoice
from outrider_contracts.topics import team_of_topic

from outrider_bus.groups import Group
from outrider_bus.records import cloud_event

Verdict = Literal["matches", "left_out", "no"]


class ReplayRefused(Exception):
    """A replay that can't be: what is wrong (`code` for programs), and what to do about it."""

    def __init__(self, code: str, message: str, fix: str) -> None:
        super().__init__(message)
        self.code, self.fix = code, fix


class Sieve:
    """Judges records of one topic for one group. Raises ReplayRefused for types the group does not hear."""

    def __init__(self, choice: ReplayChoice, group: Group) -> None:
        wanted = _types(choice.types, group)
        names = {kind.type: kind for kind in group.types if kind.type}
        self._verdicts: dict[bytes, tuple[Verdict, str]] = {
            name.encode(): (
                "no" if kind not in wanted else "left_out" if kind in group.never_again else "matches",
                name,
            )
            for name, kind in names.items()
        }
        self.types = wanted
        self._teams = frozenset(choice.teams)
        self._keys = frozenset(key.encode() for key in choice.keys if not key.endswith("*"))
        self._beginnings = tuple(key[:-1].encode() for key in choice.keys if key.endswith("*"))
        self.tells_by_headers = group.decoder is cloud_event
        self._team = team_of_topic(choice.topic)
        self._looks_at_keys = bool(self._teams or self._keys or self._beginnings)

    def judge(self, record: Any) -> tuple[Verdict, str, str]:
        """Verdict on *record* (of aiokafka or ours), its type and id. Where headers can't tell, it matches: the
        decoder has the last word."""
        if self._looks_at_keys:
            key = record.key or b""
            if not self._is_key(key) or not self._is_team(key):
                return "no", "", ""
        if not self.tells_by_headers:
            return "matches", "", ""
        headers = dict(record.headers)
        kind, id_ = headers.get("ce_type"), headers.get("ce_id")
        if not kind or not id_:
            return "matches", "", ""
        spelt = id_.decode(errors="replace").replace("\0", "")
        verdict, name = self._verdicts.get(kind) or ("no", kind.decode(errors="replace"))
        return verdict, name, spelt

    def _is_key(self, key: bytes) -> bool:
        return not (self._keys or self._beginnings) or key in self._keys or key.startswith(self._beginnings)

    def _is_team(self, key: bytes) -> bool:
        if not self._teams:
            return True
        return (self._team or key.split(b"/", 1)[0].decode(errors="replace")) in self._teams


def _types(names: Collection[str], group: Group) -> frozenset[type[Event]]:
    spelt = {name: kind for kind in group.types for name in (kind.__name__, kind.type) if name}
    if unknown := [name for name in names if name not in spelt]:
        heard = ", ".join(sorted(kind.__name__ for kind in group.types))
        raise ReplayRefused("unknown_type", f"{group.name} does not hear {', '.join(unknown)}", f"it hears {heard}")
    return frozenset(spelt[name] for name in names) if names else group.types
