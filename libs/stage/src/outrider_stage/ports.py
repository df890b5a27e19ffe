"""What carrying needs of a store: four acts on one generation directory."""

from typing import BinaryIO, Protocol

from outrider_contracts.environments import Manifest


class Store(Protocol):
    """Where versions lie. `version` is a generation directory relative to the store's root, ending in a slash.

    Methods may be called from several threads and repeated with the same result; they raise `StoreUnavailable`
    where the store is away or refuses.
    """

    def manifest(self, version: str) -> Manifest | None:
        """What the version holds, or None where it has not been sealed."""
        ...

    def fetch(self, version: str, path: str, into: BinaryIO) -> None:
        """Write one file's bytes to *into*. Raises FileNotFoundError where the store has no such file."""
        ...

    def put(self, version: str, path: str, content: BinaryIO) -> None:
        """Store one file, replacing what an earlier attempt left. *content* may be closed by it."""
        ...

    def commit(self, version: str, manifest: Manifest) -> None:
        """Write the manifest unless there is one. The same content already there is success.

        Raises FileExistsError where another content is there: a version never changes.
        """
        ...
