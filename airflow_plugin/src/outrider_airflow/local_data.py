"""How a local job gets at its data: files carried by the stage library, or the volume, or addresses and credentials."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

from outrider_contracts.environments import Manifest
from outrider_contracts.http import Environment
from outrider_stage import (
    InputNotStaged as StageInputNotStaged,
)
from outrider_stage import (
    Layout,
    StoreUnavailable,
    open_store,
    stage_in,
    stage_out,
)
from outrider_stage import (
    OutputNotStored as StageOutputNotStored,
)
from outrider_stage.credential_server import serve_credentials
from outrider_stage.credentials import CredentialSource
from outrider_stage.ports import Store

from outrider_airflow.errors import InputNotStaged, OutputNotStored
from outrider_airflow.job_environment import store_variables


class LocalData:
    """The data of one try, in the mode its task declared."""

    def __init__(self, environment: Environment, credentials: CredentialSource, layout: Layout) -> None:
        self._environment = environment
        self._credentials = credentials
        self._layout = layout

    def bring(self) -> dict[str, int]:
        """Lay the inputs out, if they are files. Gives bytes per input. Raises InputNotStaged."""
        if self._environment.store.kind == "directory":
            self._require_volume()
        if self._environment.mode != "files" or not (self._environment.inputs or self._environment.outputs):
            return {}
        try:
            return stage_in(self._environment, self._store, self._layout)
        except (StageInputNotStaged, StoreUnavailable) as error:
            raise InputNotStaged(str(error)) from error

    def take(self) -> dict[str, Manifest]:
        """Store the outputs, if they are files. Gives what each holds. Raises OutputNotStored."""
        if self._environment.mode != "files" or not self._environment.outputs:
            return {}
        try:
            return stage_out(self._environment, self._store, self._layout)
        except (StageOutputNotStored, StoreUnavailable) as error:
            raise OutputNotStored(str(error)) from error

    def _require_volume(self) -> None:
        """What storage has made has to be there: else all that is written would lie on this worker's own disk."""
        given, store = self._environment, self._environment.store
        paths = [place.path for place in given.outputs.values()]
        paths += [version.path for versions in given.inputs.values() for version in versions]
        if missing := [path for path in paths if not os.path.isdir(store.directory(path))]:
            raise InputNotStaged(
                f"{store.directory(missing[0])} is not there: this worker does not have the shared volume at "
                f"{store.root}. Fix: mount it there, or say in airflow.cfg where it is: [outrider] volume_root"
            )

    @cached_property
    def _store(self) -> Store:
        """Opened when first needed, and once: the SDK's client costs 0.1 s."""
        return open_store(self._environment.store, self._credentials)

    @contextmanager
    def access(self) -> Iterator[dict[str, str]]:
        """Variables by which any AWS SDK finds the store and credentials that renew themselves; none for files."""
        store = self._environment.store
        if self._environment.mode != "uris" or store.kind != "s3":
            yield {}
            return
        with serve_credentials(self._credentials) as variables:
            yield {**variables, **store_variables(store)}
