"""The Airflow connection `outrider`, resolved for the task's team: where storage is, and who the task is there."""

from dataclasses import dataclass, field

from airflow.sdk import BaseHook, Connection
from airflow.sdk.exceptions import AirflowNotFoundException, AirflowRuntimeError

from outrider_airflow.errors import EnvironmentRefused, EnvironmentUnavailable

CONNECTION = "outrider"


@dataclass(frozen=True)
class StorageAccess:
    """Base URL of storage, and the client credentials that the token endpoint takes."""

    url: str
    token_url: str
    client_id: str
    client_secret: str = field(repr=False)


def storage_access() -> StorageAccess:
    """Read the connection. Raises EnvironmentUnavailable where there is none, or Airflow can't say now: its SDK tells
    both alike. Raises EnvironmentRefused where it lacks a part."""
    try:
        return _read(BaseHook.get_connection(CONNECTION))
    except (AirflowNotFoundException, AirflowRuntimeError) as error:
        raise _absent(error) from error


async def storage_access_async() -> StorageAccess:
    """The same in a triggerer, whose loop must not be held up."""
    try:
        return _read(await BaseHook.aget_connection(CONNECTION))
    except (AirflowNotFoundException, AirflowRuntimeError) as error:
        raise _absent(error) from error


def _absent(error: Exception) -> EnvironmentUnavailable:
    return EnvironmentUnavailable(
        f"Airflow gives this task's team no connection {CONNECTION!r} ({error}). "
        "It is made when the team is onboarded: outrider tenants get <team>"
    )


def _read(connection: Connection) -> StorageAccess:
    host = connection.host or ""
    url = host if "://" in host else f"{connection.schema or 'http'}://{host}"
    if connection.port:
        url = f"{url}:{connection.port}"
    access = StorageAccess(
        url=url.rstrip("/"),
        token_url=str(connection.extra_dejson.get("token_url", "")),
        client_id=connection.login or "",
        client_secret=connection.password or "",
    )
    if not (host and access.token_url and access.client_id and access.client_secret):
        raise EnvironmentRefused(
            f"the Airflow connection {CONNECTION!r} needs host, port, login, password and an extra 'token_url'"
        )
    return access
