"""What the plugin registers with Airflow. Imported by every process, so it imports nothing."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

PREFIX = "/outrider"
_Message = MutableMapping[str, Any]
_PAGES = {"environment": "Environment", "lineage": "Lineage"}
_PLACES = {
    "dag_run": "run_id={RUN_ID}",
    "task_instance": "run_id={RUN_ID}&task_id={TASK_ID}&map_index={MAP_INDEX}",
}


def views() -> list[dict[str, str]]:
    """A tab per page, on runs and on task instances. Addresses are relative: Airflow may lie below a prefix."""
    return [
        {
            "name": title,
            "href": f"{PREFIX.lstrip('/')}/{{DAG_ID}}/{page}?{query}",
            "destination": place,
            "url_route": f"outrider-{page}-{place.replace('_', '-')}",
        }
        for page, title in _PAGES.items()
        for place, query in _PLACES.items()
    ]


def apps() -> list[dict[str, object]]:
    """What the API server mounts."""
    return [{"app": _app, "url_prefix": PREFIX, "name": "outrider"}]


async def _app(
    scope: _Message, receive: Callable[[], Awaitable[_Message]], send: Callable[[_Message], Awaitable[None]]
) -> None:
    """The application, made at the first request: only the API server ever gets one."""
    from outrider_airflow.tabs.app import application

    await application()(scope, receive, send)
