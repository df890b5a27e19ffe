"""The client of Airflow's REST API: tokens, pages, and that whoever can't be asked is never taken for gone."""

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

import httpx
import pytest
from outrider_bus.ports import UnavailableError
from outrider_chassis.airflow import AirflowApi

# as Airflow 3.3.2 answered, shortened
VERSION = {
    "id": "0197f0a0-0000-7000-8000-000000000001",
    "version_number": 1,
    "bundle_name": "ads",
    "bundle_version": None,
}
RUN = {
    "dag_run_id": "r:1+", "dag_id": "daily", "logical_date": None, "queued_at": "2026-11-22T19:05:02.633278Z",
    "start_date": "2026-11-22T19:05:03.209832Z", "end_date": "2026-11-22T19:05:08.273862Z", "duration": 5.06403,
    "data_interval_start": None, "data_interval_end": None, "run_after": "2026-11-22T19:05:02.627263Z",
    "run_type": "manual", "state": "failed", "conf": {"password": "x"}, "dag_versions": [VERSION],
}  # fmt: skip
TASK = {
    "task_id": "load", "dag_id": "daily", "dag_run_id": "r:1+", "map_index": -1, "logical_date": None,
    "run_after": "2026-11-22T19:05:02.627263Z", "start_date": "2026-11-22T19:05:03.385456Z",
    "end_date": "2026-11-22T19:05:03.385457Z", "state": "success", "try_number": 1, "max_tries": 0, "hostname": "",
    "pool": "default_pool", "queue": "default", "operator": "EmptyOperator", "dag_version": VERSION,
}  # fmt: skip
Answer = Callable[[httpx.Request], httpx.Response]


class Server:
    """Answers as it is told, to whoever shows the newest of its tokens."""

    def __init__(self) -> None:
        self.answer: Answer = lambda request: httpx.Response(200, json=RUN)
        self.logins = 0
        self.valid = ""
        self.asked: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            self.logins += 1
            if json.loads(request.content) != {"username": "outrider", "password": "secret"}:
                return httpx.Response(401, json={"detail": "Invalid credentials"})
            self.valid = f"token-{self.logins}"
            return httpx.Response(201, json={"access_token": self.valid})
        if request.headers["authorization"] != f"Bearer {self.valid}":
            return httpx.Response(401, json={"detail": "Invalid JWT token"})
        self.asked.append(request)
        return self.answer(request)


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
async def api(server: Server, tmp_path: Path) -> AsyncIterator[AirflowApi]:
    (tmp_path / "password").write_text("secret\n")
    async with AirflowApi(
        "http://airflow/", "outrider", tmp_path / "password", transport=httpx.MockTransport(server)
    ) as api:
        yield api


def not_found(detail: object) -> Answer:
    return lambda request: httpx.Response(404, json={"detail": detail})


async def test_a_run_is_read_with_what_is_needed_of_it(api: AirflowApi) -> None:
    """Its conf is not even kept: it may hold secrets."""
    run = await api.run("daily", "r:1+")

    assert run is not None
    assert (run.state, run.ended, run.start_date) == ("failed", True, datetime(2026, 11, 22, 19, 5, 3, 209832, UTC))
    assert run.dag_version is not None
    assert run.dag_version.bundle_name == "ads"
    assert "conf" not in run.model_dump()


async def test_a_token_is_kept_until_it_is_refused(api: AirflowApi, server: Server) -> None:
    """Then it is renewed once; the caller does not notice."""
    await api.run("daily", "r:1+")
    await api.run("daily", "r:1+")
    assert server.logins == 1
    server.valid = "revoked"

    assert await api.run("daily", "r:1+") is not None
    assert server.logins == 2


async def test_a_password_that_is_refused_is_unavailable(api: AirflowApi, server: Server, tmp_path: Path) -> None:
    """A person has to mend it; nothing is decided meanwhile."""
    (tmp_path / "password").write_text("wrong")

    with pytest.raises(UnavailableError, match="401"):
        await api.run("daily", "r:1+")


@pytest.mark.parametrize(
    "detail",
    [
        "The DagRun with dag_id: `daily` and run_id: `r:1+` was not found",
        "DagRun with dag_id: `daily` and run_id: `r:1+` was not found",
    ],
)
async def test_a_run_that_airflow_says_it_has_not_is_none(api: AirflowApi, server: Server, detail: str) -> None:
    """Both of Airflow's own ways to say so."""
    server.answer = not_found(detail)

    assert await api.run("daily", "r:1+") is None
    assert [task async for task in api.task_instances("daily", "r:1+")] == []


@pytest.mark.parametrize(
    "answer",
    [
        not_found("Not Found"),
        not_found("The Dag with ID: `daily` was not found"),
        not_found({"reason": "was not found"}),
        lambda request: httpx.Response(404, text="<h1>no such site</h1>"),
        lambda request: httpx.Response(200, text="<h1>please log in</h1>"),
        lambda request: httpx.Response(200, json=[]),
        lambda request: httpx.Response(200, json={}),
        lambda request: httpx.Response(200, json={**RUN, "dag_run_id": "another"}),
        lambda request: httpx.Response(204),
        lambda request: httpx.Response(302, headers={"location": "/login"}),
        lambda request: httpx.Response(401, json={"detail": "no"}),
        lambda request: httpx.Response(403, json={"detail": "no"}),
        lambda request: httpx.Response(429),
        lambda request: httpx.Response(500),
        lambda request: httpx.Response(503, text="starting"),
    ],
)
async def test_any_other_answer_is_unavailable_never_gone(api: AirflowApi, server: Server, answer: Answer) -> None:
    """A proxy's 404, a login page, a DAG whose file went: none of them says that a run is gone or has no task."""
    server.answer = answer

    with pytest.raises(UnavailableError):
        await api.run("daily", "r:1+")
    with pytest.raises(UnavailableError):
        [task async for task in api.task_instances("daily", "r:1+")]


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ReadTimeout("slow"), httpx.ReadError("reset")])
async def test_an_airflow_that_does_not_answer_is_unavailable(
    api: AirflowApi, server: Server, error: httpx.HTTPError
) -> None:
    """Whatever the network did."""

    def fail(request: httpx.Request) -> httpx.Response:
        raise error

    server.answer = fail

    with pytest.raises(UnavailableError, match="does not answer"):
        await api.run("daily", "r:1+")


async def test_pages_are_followed_to_the_last(api: AirflowApi, server: Server) -> None:
    """By Airflow's own token, in the order of its row ids, with the filters in every question."""

    def answer(request: httpx.Request) -> httpx.Response:
        following = {"": "p2", "p2": "p3", "p3": None}[request.url.params["cursor"]]
        rows = [{**TASK, "map_index": len(server.asked)}]
        return httpx.Response(200, json={"task_instances": rows, "next_cursor": following})

    server.answer = answer
    since = datetime(2026, 11, 22, 19, tzinfo=UTC)

    tasks = [task async for task in api.task_instances_updated(since, states=("success", "failed"))]

    assert [task.map_index for task in tasks] == [1, 2, 3]
    assert tasks[0].bundle_name == "ads"
    for request in server.asked:
        assert request.url.path == "/api/v2/dags/~/dagRuns/~/taskInstances"
        assert request.url.params.get_list("state") == ["failed", "success"]
        assert request.url.params["order_by"] == "id"
        assert datetime.fromisoformat(request.url.params["updated_at_gte"]) == since


async def test_a_page_carries_airflows_own_clock(api: AirflowApi, server: Server) -> None:
    """Cursors are moments of Airflow's, so our clock need not agree."""
    server.answer = lambda request: httpx.Response(
        200, json={"dag_runs": [RUN], "next_cursor": None}, headers={"date": "Sun, 22 Nov 2026 19:06:12 GMT"}
    )

    page = await api.runs_page()

    assert (page.at, page.next, len(page.items)) == (datetime(2026, 11, 22, 19, 6, 12, tzinfo=UTC), None, 1)


@pytest.mark.parametrize("run_id", ["..", ".", "a/b", "a b", "é", "?x=1", "#", "%2e%2e", "r:1+"])
async def test_an_id_is_one_segment_whatever_it_holds(api: AirflowApi, server: Server, run_id: str) -> None:
    """No name climbs out of its place in the path, or becomes another one on the way."""
    server.answer = not_found(f"The DagRun with dag_id: `daily` and run_id: `{run_id}` was not found")

    assert await api.run("daily", run_id) is None

    *path, segment = server.asked[0].url.raw_path.decode().split("/")
    assert path == ["", "api", "v2", "dags", "daily", "dagRuns"]
    assert unquote(segment) == run_id
    assert segment not in (".", "..")


async def test_a_run_that_is_called_like_all_of_them_is_one_run(api: AirflowApi, server: Server) -> None:
    """Airflow lets anybody start a run `~`; a list asked for by that name is one of every run's tasks."""
    server.answer = lambda request: httpx.Response(200, json={**RUN, "dag_run_id": "~"})
    run = await api.run("daily", "~")
    rows = [TASK, {**TASK, "dag_run_id": "~"}]
    server.answer = lambda request: httpx.Response(200, json={"task_instances": rows, "next_cursor": None})
    found = [task.run_id async for task in api.task_instances("daily", "~")]

    assert run is not None
    assert run.run_id == "~"
    assert found == ["~"]
    assert [task async for task in api.task_instances("~", "~")] == []
    assert len(server.asked) == 2
