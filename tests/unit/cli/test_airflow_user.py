"""A person in Airflow's UI does again what failed inside Airflow, and not what Airflow refused."""

import httpx
import pytest
from outrider_cli.demo.airflow import ATTEMPTS, AirflowUser


def airflow(*statuses: int) -> tuple[AirflowUser, list[int]]:
    """One that answers so, in turn; and what it has not answered yet."""
    left = list(statuses)

    def answer(request: httpx.Request) -> httpx.Response:
        return httpx.Response(left.pop(0), json={})

    return AirflowUser(httpx.Client(base_url="http://airflow", transport=httpx.MockTransport(answer))), left


def test_what_failed_inside_airflow_is_done_again() -> None:
    user, left = airflow(500, 200)

    user.mark_run("dag", "run", "success")

    assert left == []


@pytest.mark.parametrize(("statuses", "asked"), [((409, 200), 1), ((500,) * ATTEMPTS, ATTEMPTS)])
def test_a_refusal_and_a_lasting_failure_are_raised(statuses: tuple[int, ...], asked: int) -> None:
    user, left = airflow(*statuses)

    with pytest.raises(httpx.HTTPStatusError):
        user.mark_run("dag", "run", "success")

    assert len(statuses) - len(left) == asked
