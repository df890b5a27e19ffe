"""What can go wrong while the stack is brought up, each with what the reader can do about it."""


class StackError(Exception):
    """Something a person has to know; the message says what happened and what to do next."""


class MissingPrerequisite(StackError):
    """A program the stack needs is not on this machine."""


class InstallFailed(StackError):
    """A component could not be fetched into the cache."""


class StartFailed(StackError):
    """A component did not become ready; the message ends with the last lines of its log."""


class PortTaken(StackError):
    """A port this stack has to use belongs to another process."""
