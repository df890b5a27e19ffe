"""Carries a task's files in and out: from sealed versions to plain directories, and back into the try's generation."""

from outrider_stage.credentials import CredentialSource
from outrider_stage.errors import InputNotStaged, OutputNotStored, StageError, StoreUnavailable
from outrider_stage.inward import stage_in
from outrider_stage.layout import Layout
from outrider_stage.outward import stage_out
from outrider_stage.stores import open_store

__all__ = [
    "CredentialSource",
    "InputNotStaged",
    "Layout",
    "OutputNotStored",
    "StageError",
    "StoreUnavailable",
    "open_store",
    "stage_in",
    "stage_out",
]
