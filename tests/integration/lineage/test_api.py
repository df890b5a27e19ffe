"""The HTTP routes over a real database, as the platform and as teams see them."""

from collections.abc import AsyncIterator
from uuid import uuid4

import httpx
import pytest
from outrider_chassis.database import Pool
from outrider_contracts.tenants import Acceptance, TeamStatus

from tests.integration.lineage.serving import ingest, served
from tests.unit.lineage.stories import at, story

RUN = {"team": "ads", "dag_id": "daily", "run_id": "scheduled__2026-11-01"}


@pytest.fixture
async def address(pool: Pool) -> AsyncIterator[str]:
    await ingest(pool, story())
    async with served(pool) as url:
        yield url


@pytest.fixture
async def platform(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, headers={"Authorization": "Bearer platform"}) as client:
        yield client


@pytest.fixture
async def news(address: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=address, headers={"Authorization": "Bearer news"}) as client:
        yield client


async def _labels(client: httpx.AsyncClient, way: str, node: str, **more: str) -> list[str]:
    answer = await client.get(f"/v1/lineage/{way}", params={"node": node, **more})

    assert answer.status_code == 200, answer.text
    return sorted(found["label"] for found in answer.json()["nodes"])


async def _grant(pool: Pool, team: str, *outputs: str) -> None:
    readable = tuple(Acceptance.model_validate({"from": "ads", "output": output}) for output in outputs)
    status = TeamStatus(
        team=team, uid=uuid4().hex, observed_generation=1, digest="d", phase="Ready", readable=readable, revision=1,
        updated_at=at(0),
    )  # fmt: skip
    await pool.execute(
        "INSERT INTO chassis.teams (team, phase, updated_at, status) VALUES ($1, 'Ready', now(), $2::jsonb)",
        team, status.model_dump_json(by_alias=True),
    )  # fmt: skip


async def test_upstream_and_downstream_are_walked_apart(platform: httpx.AsyncClient) -> None:
    """What a dataset was made from holds nothing that was made from it."""
    up = await _labels(platform, "upstream", "ads/daily/transform/daily")
    down = await _labels(platform, "downstream", "ads/daily/transform/daily")

    assert up == [
        "ads/daily/extract", "ads/daily/extract/orders", "ads/daily/transform", "ads/daily/transform/daily",
        "airflow://test/ads/connections/shop",
    ]  # fmt: skip
    assert down == ["ads/daily/transform/daily", "news/front/report", "news/front/report/page"]


@pytest.mark.parametrize(("more", "nodes"), [({"depth": "1"}, 2), ({"limit": "3"}, 3)])
async def test_a_walk_that_was_cut_says_so(platform: httpx.AsyncClient, more: dict[str, str], nodes: int) -> None:
    """By depth or by the number of nodes: what is missing is never silently missing."""
    answer = await platform.get("/v1/lineage/upstream", params={"node": "news/front/report/page", **more})

    assert answer.json()["truncated"] is True
    assert len(answer.json()["nodes"]) == nodes


async def test_a_walk_to_its_end_is_whole(platform: httpx.AsyncClient) -> None:
    """Nothing was cut."""
    answer = await platform.get("/v1/lineage/upstream", params={"node": "news/front/report/page"})

    assert answer.json()["truncated"] is False


async def test_another_teams_nodes_are_masked_and_end_the_walk(news: httpx.AsyncClient) -> None:
    """Team news sees that team ads feeds it; not by what, nor what lies behind."""
    assert await _labels(news, "upstream", "news/front/report/page") == [
        "ads (another team)", "news/front/report", "news/front/report/page",
    ]  # fmt: skip


async def test_a_granted_output_is_shown_and_what_lies_behind_it_is_not(pool: Pool, news: httpx.AsyncClient) -> None:
    """A grant is on an output, not on a DAG."""
    await _grant(pool, "news", "daily/transform/daily")

    assert await _labels(news, "upstream", "news/front/report/page") == [
        "ads (another team)", "ads/daily/transform/daily", "news/front/report", "news/front/report/page",
    ]  # fmt: skip


@pytest.mark.parametrize("node", ["ads/daily/extract/orders", "ads/daily/nothing", "s3://lake/daily", "nonsense"])
async def test_what_may_not_be_seen_is_as_unknown_as_what_is_not_there(news: httpx.AsyncClient, node: str) -> None:
    """The answer to a guess must not tell whether the guess was right."""
    answer = await news.get("/v1/lineage/upstream", params={"node": node})

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "unknown-node"
    assert answer.json()["error"]["fix"]


async def test_an_outside_dataset_is_found_by_its_address(platform: httpx.AsyncClient) -> None:
    """As people know it."""
    assert "ads/daily/transform" in await _labels(platform, "upstream", "s3://lake/daily")


async def test_a_run_tells_its_tries_and_exact_versions(platform: httpx.AsyncClient) -> None:
    """Two starts, the retry of each mapped instance, the generation each read."""
    answer = (await platform.get("/v1/runs", params=RUN)).json()

    assert answer["state"] == "failed"
    assert [start["clear_number"] for start in answer["starts"]] == [0, 1]
    tries = {(t["task_id"], t["map_index"], t["try_number"]): t for t in answer["tries"]}
    assert tries[("transform", 0, 1)]["state"] == "up_for_retry"
    assert tries[("transform", 0, 1)]["error_class"] == "ValueError"
    [read] = tries[("transform", 0, 2)]["inputs"]
    assert (read["dataset"], read["generation"]) == ("ads/daily/extract/orders", 1)
    assert read["path"] == "ads/daily/extract/20261101T000000.000000Z/orders/g1/"


async def test_a_run_tells_who_reads_what_it_wrote(platform: httpx.AsyncClient) -> None:
    """By declaration and by deed, with the very tries that were given this run's versions."""
    answer = (await platform.get("/v1/runs", params={**RUN, "readers": "true"})).json()

    readers = {(one["task_id"], one["output"], one["job"]): one for one in answer["readers"]}
    assert set(readers) == {
        ("extract", "orders", "ads/daily/transform"),
        ("transform", "daily", "news/front/report"),
    }
    report = readers["transform", "daily", "news/front/report"]
    assert (report["declared"], report["ran"]) == (True, True)
    assert [(one["run_id"], one["try_number"]) for one in report["tries"]] == [("manual__1", 1)]


async def test_the_platform_may_look_as_a_team_would(platform: httpx.AsyncClient, news: httpx.AsyncClient) -> None:
    """Whoever shows answers on to a team's people asks so: another team's names are masked. No team can be another."""
    seen = (await platform.get("/v1/runs", params={**RUN, "readers": "true", "seen_by": "ads"})).json()
    walked = await _labels(platform, "upstream", "news/front/report/page", seen_by="news")

    assert {(one["team"], one["job"], one["tries_in_all"], len(one["tries"])) for one in seen["readers"]} == {
        ("ads", "ads/daily/transform", 4, 4),
        ("news", None, 1, 0),
    }
    assert walked == ["ads (another team)", "news/front/report", "news/front/report/page"]
    assert await _labels(news, "upstream", "news/front/report/page", seen_by="ads") == walked


async def test_an_openlineage_run_id_leads_to_its_try_and_its_run(platform: httpx.AsyncClient) -> None:
    """A reader of the topic can ask for more."""
    run = (await platform.get("/v1/runs", params=RUN)).json()
    task = run["tries"][0]

    by_try = await platform.get(f"/v1/runs/{task['openlineage_run_id']}")
    by_run = await platform.get(f"/v1/runs/{run['starts'][0]['openlineage_run_id']}")

    assert by_try.json()["task_id"] == task["task_id"]
    assert by_run.json()["run_id"] == RUN["run_id"]


async def test_runs_are_listed_newest_first(platform: httpx.AsyncClient) -> None:
    """Without a run id."""
    listed = (await platform.get("/v1/runs", params={"team": "ads"})).json()["runs"]

    assert [run["clear_number"] for run in listed] == [1, 0]


async def test_a_team_asks_for_its_own_runs_only(platform: httpx.AsyncClient, news: httpx.AsyncClient) -> None:
    """By name it is refused; by a run id it learned somewhere it is told that there is none."""
    run_id = (await platform.get("/v1/runs", params=RUN)).json()["tries"][0]["openlineage_run_id"]

    assert (await news.get("/v1/runs", params=RUN)).status_code == 403
    assert (await news.get(f"/v1/runs/{run_id}")).status_code == 404


async def test_an_unknown_run_is_answered_with_what_to_do(platform: httpx.AsyncClient) -> None:
    """Not an empty list."""
    answer = await platform.get("/v1/runs", params={**RUN, "run_id": "never"})

    assert answer.status_code == 404
    assert "GET /v1/runs" in answer.json()["error"]["fix"]


async def test_search_finds_by_any_part_of_the_name(platform: httpx.AsyncClient, news: httpx.AsyncClient) -> None:
    """Within the caller's own."""
    found = (await platform.get("/v1/nodes", params={"q": "TRANSFORM"})).json()["nodes"]
    own = (await news.get("/v1/nodes", params={"q": "a"})).json()["nodes"]

    assert {node["label"] for node in found} == {"ads/daily/transform", "ads/daily/transform/daily"}
    assert {node["team"] for node in own} == {"news"}


async def test_a_version_tells_what_became_of_it(platform: httpx.AsyncClient) -> None:
    """Doomed, restored, doomed again, cleared; and who had read it."""
    detail = (await platform.get("/v1/node", params={"node": "ads/daily/extract/orders"})).json()

    states = {(version["generation"], version["state"], version["readers"]) for version in detail["versions"]}
    assert states == {(1, "cleared", 4), (2, "sealed", 0)}


async def test_without_a_token_nothing_is_told_but_the_page_is_served(address: str) -> None:
    """The page has no data in it; only listed files are served."""
    async with httpx.AsyncClient(base_url=address) as nobody:
        assert (await nobody.get("/v1/graph")).status_code == 401
        assert (await nobody.get("/")).status_code == 200
        assert (await nobody.get("/static/vendor/cytoscape.min.js")).status_code == 200
        assert (await nobody.get("/static/..%2fapp.py")).status_code == 404
