"""The base of all facts and the register of their types."""

import hashlib
import json
from datetime import datetime
from typing import Any, ClassVar, TypeVar

from pydantic import TypeAdapter

from outrider_contracts.model import Model

_REGISTER: dict[str, type["Event"]] = {}
_AS_JSON: TypeAdapter[Any] = TypeAdapter(Any)
_spell = json.JSONEncoder(separators=(",", ":")).encode


class Event(Model):
    """Something that happened, said once under one id whoever says it.

    A subclass names its `type` (`outrider.<domain>.<fact>.v<n>`) and its `topic`, and says by `key()` which records
    must stay in order with it, by `identity()` what makes two tellings one fact.
    """

    type: ClassVar[str] = ""
    topic: ClassVar[str] = ""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "type" in cls.__dict__ and cls.type:
            if cls.type in _REGISTER and _REGISTER[cls.type].__qualname__ != cls.__qualname__:
                raise TypeError(f"{cls.type} is said by {_REGISTER[cls.type].__qualname__} already")
            _REGISTER[cls.type] = cls

    def key(self) -> str:
        """The record key."""
        raise NotImplementedError

    def identity(self) -> tuple[object, ...]:
        """Natural key (generation or try included), state, and the fact's time as its source records it."""
        raise NotImplementedError

    def team_id(self) -> str:
        """The team the fact concerns."""
        return self.key().split("/", 1)[0]

    def traced_run(self) -> str:
        """Record key of the run that the fact is a part of, whose trace it belongs to; "" where it is no run's."""
        return ""

    def occurred_at(self) -> datetime | None:
        """When it happened, as its source records it; None where the fact has no time of its own."""
        return None

    @property
    def id(self) -> str:
        """32 hex digits of SHA-256 over type and identity: equal for every teller and every retry."""
        said = _spell([self.type, *_AS_JSON.dump_python(self.identity(), mode="json")])
        return hashlib.sha256(said.encode()).hexdigest()[:32]


E_ = TypeVar("E_", bound=Event)


def event_type(name: str) -> type[Event] | None:
    """The event class of that type, where this version knows it."""
    return _REGISTER.get(name)


def event_types() -> dict[str, type[Event]]:
    """Every known event class by its type. Importing `outrider_contracts.events` fills it."""
    return dict(_REGISTER)
