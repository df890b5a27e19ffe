"""The tabs in Airflow's UI: what they show, to whom, and how they look in a real headless Chromium."""

import os
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import quote

import httpx
import pytest
from outrider_cli.demo.ride import Ride
from outrider_local import airflow_config
from outrider_local.airflow import PROCESSOR, SCHEDULER
from outrider_local.waiting import wait_until
from playwright.async_api import Browser, FrameLocator, Page, async_playwright, expect

from tests.e2e.airflow_users import AirflowSide, airflow_side
from tests.riding import Flown

USERS: list[tuple[str, str, list[str]]] = [
    ("olga", "viewer", ["ops"]),
    ("nina", "op", ["newsroom"]),
    ("ada", "admin", []),
]
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync", "--no-first-run"]
_PATIENCE = 240_000
"""Milliseconds: Airflow's page takes seconds where it has the machine to itself."""


@pytest.fixture(scope="module")
def side(ride: Ride) -> AirflowSide:
    return airflow_side(ride.stack, USERS)


@pytest.fixture(scope="module")
def airflow(ride: Ride) -> Iterator[httpx.Client]:
    """Nobody in particular at Airflow's API server."""
    with httpx.Client(base_url=airflow_config.url(ride.stack), timeout=60, trust_env=False) as client:
        yield client


def ask(airflow: httpx.Client, side: AirflowSide, user: str, path: str, flown: Flown, **more: str) -> httpx.Response:
    """Ask as *user* ("" for nobody)."""
    headers = {"Authorization": f"Bearer {side.tokens[user]}"} if user else {}
    return airflow.get(f"/outrider{path}", params={"run_id": flown.flights, **more}, headers=headers)


def paths(side: AirflowSide, dag_id: str) -> list[str]:
    """Every route of the application, for this DAG."""
    return [path.replace("{dag_id}", dag_id).replace("{name}", "style.css") for path, _ in side.routes]


def test_every_route_is_refused_to_the_other_teams_user_and_to_nobody(
    airflow: httpx.Client, side: AirflowSide, flown: Flown
) -> None:
    """Also those not written yet: the routes are the application's own. Each answers its own team's user."""
    assert len(side.routes) >= 5
    for path, methods in side.routes:
        assert path.startswith("/{dag_id}/"), path
        assert methods == ["GET"], path
    for path in paths(side, "flights"):
        answers = {user: ask(airflow, side, user, path, flown).status_code for user in ("olga", "ada", "nina", "")}

        assert answers == {"olga": 200, "ada": 200, "nina": 403, "": 401}, path


@pytest.mark.parametrize("dag_id", ["~", "nothing", "%7E"])
def test_what_names_no_dag_is_refused_even_to_an_administrator(
    airflow: httpx.Client, side: AirflowSide, flown: Flown, dag_id: str
) -> None:
    """Airflow takes `~` as every DAG, and a DAG it has not got as one without a team."""
    for path in paths(side, dag_id):
        assert {ask(airflow, side, user, path, flown).status_code for user in ("ada", "nina")} == {404}, path


def test_another_teams_names_are_masked(airflow: httpx.Client, side: AirflowSide, flown: Flown) -> None:
    """Ops' user learns that the newsroom reads `daily`, an administrator also which task does."""

    def texts(user: str) -> str:
        asked = [("explanation", {}), ("explanation", {"task_id": "daily"}), ("history", {"task_id": "daily"})]
        return "\n".join(ask(airflow, side, user, f"/flights/{path}", flown, **more).text for path, more in asked)

    assert wait_until(lambda: "newsroom/punctuality/rank" in texts("ada"), seconds=60, every=1)
    seen = texts("olga")
    assert "given to a task of team newsroom (" in seen
    assert "newsroom (another team)" in seen
    assert "punctuality" not in seen


def test_the_tabs_secret_is_told_to_the_api_server_alone(ride: Ride) -> None:
    """Neither the shared configuration nor the processes that run teams' code name its file."""
    shared = (airflow_config.home(ride.stack) / "airflow.cfg").read_text()
    told = {
        name: b"TABS_SECRET_FILE" in Path(f"/proc/{ride.stack.processes.pid(name)}/environ").read_bytes()
        for name in ("airflow-api", SCHEDULER, PROCESSOR)
    }

    assert "tabs_secret_file" not in shared
    assert told == {"airflow-api": True, SCHEDULER: False, PROCESSOR: False}


@pytest.fixture
async def page(side: AirflowSide, airflow: httpx.Client) -> AsyncIterator[Page]:
    """Airflow's UI as ops' user sees it."""
    chromium = os.environ.get("OUTRIDER_CHROMIUM") or shutil.which("chromium") or "/usr/bin/chromium"
    async with async_playwright() as playwright:
        browser: Browser = await playwright.chromium.launch(executable_path=chromium, args=_FLAGS, timeout=_PATIENCE)
        context = await browser.new_context(viewport={"width": 1500, "height": 950}, color_scheme="light")
        await context.add_cookies([{"name": "_token", "value": side.tokens["olga"], "url": str(airflow.base_url)}])
        opened = await context.new_page()
        opened.set_default_timeout(_PATIENCE)
        yield opened
        await browser.close()


@pytest.mark.page
async def test_a_runs_tabs_stand_in_airflows_ui(page: Page, airflow: httpx.Client, flown: Flown) -> None:
    """The environment tab with its timeline and outputs, and the lineage tab with what was read and written."""
    run = f"{airflow.base_url}/dags/flights/runs/{quote(flown.flights, safe='')}"
    await page.goto(run, wait_until="commit")
    await page.get_by_role("link", name="Environment").click()
    frame = _frame(page, "Environment")

    await expect(frame.locator("h1")).to_contain_text("success", timeout=_PATIENCE)
    await expect(frame.locator(".moments").first).to_contain_text("the run ended: success", timeout=_PATIENCE)
    await expect(frame.locator("table").last).to_contain_text("given to a task of team newsroom", timeout=_PATIENCE)
    await _picture(page, "tab-run-environment")
    await page.get_by_role("link", name="Lineage").click()
    await expect(_frame(page, "Lineage").locator("table")).to_contain_text(
        "ops/flights/extract/flights g1", timeout=_PATIENCE
    )
    await _picture(page, "tab-run-lineage")


@pytest.mark.page
async def test_a_tasks_tabs_are_about_that_task(page: Page, airflow: httpx.Client, flown: Flown) -> None:
    """A retried task's story with its failed try; a mapped part's alone; what lies up- and downstream."""
    run = f"{airflow.base_url}/dags/flights/runs/{quote(flown.flights, safe='')}/tasks"
    await page.goto(f"{run}/check/plugin/outrider-environment-task-instance", wait_until="commit")
    frame = _frame(page, "Environment")
    await expect(frame.locator("h1")).to_contain_text("check", timeout=_PATIENCE)
    failed = frame.locator(".moments li.wrong", has_text="up_for_retry with JobFailed")
    await expect(failed).to_have_count(1, timeout=_PATIENCE)
    await _picture(page, "tab-task-environment")

    await page.goto(f"{run}/delays/mapped/1/plugin/outrider-environment-task-instance", wait_until="commit")
    frame = _frame(page, "Environment")
    await expect(frame.locator("h1")).to_contain_text("delays[1]", timeout=_PATIENCE)
    await expect(frame.locator("body")).not_to_contain_text("delays[0]")

    await page.goto(f"{run}/daily/plugin/outrider-lineage-task-instance", wait_until="commit")
    around = _frame(page, "Lineage").locator(".around")
    await expect(around.locator(".self .node")).to_have_text("ops/flights/daily", timeout=_PATIENCE)
    await expect(around).to_contain_text("ops/flights/extract", timeout=_PATIENCE)
    await expect(around).to_contain_text("newsroom (another team)", timeout=_PATIENCE)
    await _picture(page, "tab-task-lineage")


def _frame(page: Page, title: str) -> FrameLocator:
    return page.frame_locator(f'iframe[title="{title}"]')


async def _picture(page: Page, name: str) -> None:
    """Keep a picture where OUTRIDER_PICTURES says, for people to look at."""
    if folder := os.environ.get("OUTRIDER_PICTURES"):
        await page.screenshot(path=f"{folder}/{name}.png")
