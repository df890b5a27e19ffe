"""Facts of tries."""

from outrider_airflow.tries import error_of


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


def test_a_failure_that_the_scheduler_only_has_words_for_is_told_too() -> None:
    told = error_of("Task killed externally")

    assert told is not None
    assert told.error_class == "message"
    assert error_of(None) is None
