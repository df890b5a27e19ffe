"""The interface every component of the stack has; nothing else is known about one outside its module."""

from collections.abc import Mapping
from typing import Protocol

from outrider_local.stack import Stack


class Component(Protocol):
    """One system of the stack. Every method may be repeated with the same result, and is called from a thread."""

    @property
    def name(self) -> str:
        """Name in `outrider status` and of its directory below data/; its processes are called <name> or <name>-…."""

    @property
    def after(self) -> tuple[str, ...]:
        """Components that must be ready before this one is started; optional ones (names.OPTIONAL) where they are."""

    def install(self, stack: Stack) -> None:
        """Fetch what is needed into the cache. Quick when it is there. Raises InstallFailed or MissingPrerequisite."""

    def start(self, stack: Stack) -> None:
        """Make all of it run and return when it is usable; what runs already is left alone, what died is started again.

        Raises StartFailed with the tail of the log.
        """

    def ready(self, stack: Stack) -> bool:
        """Say whether it can be used now: one quick real question to it, no waiting, no exception."""

    def stop(self, stack: Stack) -> None:
        """Stop what `start` started and nothing else; return when it is gone."""

    def endpoints(self, stack: Stack) -> Mapping[str, str]:
        """Addresses a person or a test may use, by a short name ("web", "bootstrap"). Empty for a step."""
