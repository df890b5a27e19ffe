"""The one place that knows which kinds of store there are."""

from pathlib import Path

from outrider_contracts.http import StoreAddress

from outrider_stage.credentials import CredentialSource
from outrider_stage.directory import DirectoryStore
from outrider_stage.ports import Store


def open_store(address: StoreAddress, credentials: CredentialSource) -> Store:
    """The store at *address*. The SDK is imported only where the store is S3: it is heavy."""
    if address.kind == "directory":
        return DirectoryStore(Path(address.root))
    from outrider_stage.s3 import S3Store

    return S3Store(address, credentials)
