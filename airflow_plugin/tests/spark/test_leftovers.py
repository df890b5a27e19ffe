"""Whose executors may be cleared: those whose driver runs no longer, and of ours only."""

from outrider_airflow.spark.leftovers import Made, lost


def test_what_a_running_driver_made_is_let_be() -> None:
    assert lost([Made("outrider-1", "driver"), Made("outrider-1", "executor")]) == set()


def test_what_a_driver_left_that_has_ended_or_is_gone_is_lost() -> None:
    """A pod that was kept is not cleared itself: somebody wants to look at it."""
    kept = [Made("outrider-1", "driver", over=True), Made("outrider-1", "executor", over=True)]

    assert lost([*kept, Made("outrider-2", "")]) == {"outrider-1", "outrider-2"}
    assert lost([Made("outrider-3", "driver", over=True)]) == set()


def test_applications_that_others_started_are_let_be() -> None:
    assert lost([Made("spark-0123", "executor")]) == set()
