"""Facts of tries."""

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.sdk import Asset, BaseOperator
from outrider_airflow import Input, LocalExecutionEnvironmentOperator, OutputSensor
from outrider_airflow.tries import _assets, _looks_again, error_of
from outrider_contracts.airflow import AssetUpdated
from outrider_contracts.keys import TryKey

KEY = TryKey(team="ads", dag_id="daily", run_id="r", task_id="load", map_index=-1, try_number=1)


def test_an_error_is_told_by_its_class_and_a_fingerprint_never_by_its_words() -> None:
    told = error_of(ValueError("row 17 of secret.csv is broken\nmore"))

    assert told is not None
    assert told.error_class == "ValueError"
    assert len(told.fingerprint) == 16
    assert "secret" not in told.model_dump_json()


def test_the_same_error_with_other_numbers_has_the_same_fingerprint() -> None:
    one, other = error_of(ValueError("row 17 is broken")), error_of(ValueError("row 18 is broken\nat 0x7f"))

    assert one == other
    assert one != error_of(KeyError("row 17 is broken"))


def test_an_error_that_can_not_say_itself_is_told_by_its_class() -> None:
    class Dumb(Exception):
        def __str__(self) -> str:
            raise AttributeError("message")

    told = error_of(Dumb())

    assert told is not None
    assert told.error_class.endswith("Dumb")


def test_a_failure_that_the_scheduler_only_has_words_for_is_told_too() -> None:
    told = error_of("Task killed externally")

    assert told is not None
    assert told.error_class == "message"
    assert error_of(None) is None


def test_outlets_by_reference_are_assets_too() -> None:
    """By address it has no name of its own; by name alone nobody here knows the address."""
    outlets = [Asset("orders", "s3://b/orders"), Asset.ref(uri="s3://b/sums"), Asset.ref(name="orders")]
    instance = SimpleNamespace(task=SimpleNamespace(outlets=outlets))

    told = _assets(instance, KEY, datetime(2026, 11, 1, tzinfo=UTC))

    assert [(one.name, one.uri) for one in told if isinstance(one, AssetUpdated)] == [
        ("orders", "s3://b/orders"),
        ("s3://b/sums", "s3://b/sums"),
    ]


def job(**inputs: Input) -> BaseOperator:
    return LocalExecutionEnvironmentOperator(task_id="load", command="true", inputs=inputs)


def sensor(mode: str) -> BaseOperator:
    return OutputSensor(task_id="load", awaited=Input("extract", "orders", dag="other"), mode=mode)


@pytest.mark.parametrize(
    ("task", "put_off", "again"),
    [
        (sensor("reschedule"), 1, True),
        (sensor("reschedule"), 0, False),
        (sensor("poke"), 1, False),
        (job(orders=Input("extract", "orders", dag="other", wait="2h")), 1, True),
        (job(orders=Input("extract", "orders", dag="other")), 1, False),
        (BaseOperator(task_id="load"), 1, False),
    ],
)
def test_a_try_begins_once_also_where_its_worker_did_not_know_the_dag_yet(
    task: BaseOperator, put_off: int, again: bool
) -> None:
    """Airflow puts such a try off, whatever it is; who does not put himself off has not begun before."""
    context = SimpleNamespace(task_reschedule_count=put_off)
    instance = SimpleNamespace(_ti_context_from_server=context, task=task, map_index=-1)

    assert _looks_again(instance) is again
