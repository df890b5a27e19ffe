"""What can go wrong while carrying files, named after what happened; each message is one line a person can act on."""


class StageError(Exception):
    """The base of this package's errors."""


class InputNotStaged(StageError):
    """An input's files could not be laid out as its manifest says."""


class OutputNotStored(StageError):
    """An output could not be stored as a version. Nothing of it counts: its manifest was not written."""


class StoreUnavailable(StageError):
    """The store is away or refuses the credentials; trying again later may help."""


class Revoked(StageError):
    """Storage says that nothing of this try counts any more, or never did."""
