"""Session policies: short enough for AWS, and never wider than the try's own places."""

import json
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outrider_contracts.places import generation_path
from storage.domain.access import LIMIT, Access, session_policy
from storage.domain.refusals import Refused

OUTPUT = "ads/daily/report/20261101T000000.000000Z/page/g2/"


def part(index: int, task: str = "extract", output: str = "orders") -> str:
    return f"ads/daily/{task}/20261101T000000.000000Z/m{index}/{output}/g1/"


def allows(policy: str, action: str, key: str) -> bool:
    """What IAM would say of the statements used here."""
    for statement in json.loads(policy)["Statement"]:
        if statement["Effect"] != "Allow" or action not in statement["Action"]:
            continue
        patterns = [re.escape(resource).replace(r"\*", ".*") for resource in statement["Resource"]]
        if any(re.fullmatch(pattern, f"arn:aws:s3:::lake/{key}") for pattern in patterns):
            return True
    return False


def test_the_policy_names_the_directories_exactly_while_they_fit() -> None:
    policy = session_policy(Access("ads", "s", (part(0),), (OUTPUT,)), "lake")

    assert allows(policy, "s3:GetObject", part(0) + "a")
    assert allows(policy, "s3:PutObject", OUTPUT + "a")
    assert not allows(policy, "s3:PutObject", part(0) + "a")
    assert not allows(policy, "s3:GetObject", part(1) + "a")
    assert not allows(policy, "s3:PutObject", OUTPUT.replace("g2", "g22") + "a")


def test_many_parts_become_one_pattern_of_their_output() -> None:
    policy = session_policy(Access("ads", "s", tuple(part(n) for n in range(500)), (OUTPUT,)), "lake")

    assert len(policy) <= LIMIT
    assert allows(policy, "s3:GetObject", part(499) + "a")
    assert not allows(policy, "s3:GetObject", part(1, output="secret") + "a")
    assert not allows(policy, "s3:GetObject", part(1, task="other") + "a")
    assert not allows(policy, "s3:PutObject", OUTPUT.replace("g2", "g1") + "a")


def test_an_output_named_like_a_part_is_spelt_in_the_pattern_as_in_its_path() -> None:
    parts = [generation_path(f"ads/daily/extract/20261101T000000.000000Z/m{n}", "m1", 1) for n in range(500)]

    policy = session_policy(Access("ads", "s", tuple(parts), (OUTPUT,)), "lake")

    assert allows(policy, "s3:GetObject", parts[499] + "a")


@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 40))
def test_whatever_fits_covers_the_try_and_stays_in_its_places(tasks: int, parts: int, outputs: int) -> None:
    place = "ads/daily/report/20261101T000000.000000Z"
    inputs = tuple(part(n, f"task-{t}") for t in range(tasks) for n in range(parts))
    written = tuple(f"{place}/output-{n}/g3/" for n in range(outputs))
    try:
        policy = session_policy(Access("ads", "s", inputs, written), "lake")
    except Refused:
        return

    assert len(policy) <= LIMIT
    assert all(allows(policy, "s3:GetObject", path + "a") for path in inputs)
    assert all(allows(policy, "s3:PutObject", path + "a") for path in written)
    assert not any(allows(policy, "s3:PutObject", path + "a") for path in inputs)
    assert not allows(policy, "s3:PutObject", f"{place}/output-0/g2/a")
    assert not allows(policy, "s3:GetObject", part(0, "never") + "a")
    assert not allows(policy, "s3:GetObject", "news/daily/extract/20261101T000000.000000Z/orders/g1/a")


def test_what_is_too_much_for_any_session_is_refused_with_a_way_out() -> None:
    inputs = tuple(part(0, f"{'long' * 40}-{n}") for n in range(30))

    with pytest.raises(Refused, match="too many for one session"):
        session_policy(Access("ads", "s", inputs, ()), "lake")


def test_a_task_without_places_gets_no_rights_at_all() -> None:
    policy = session_policy(Access("ads", "s"), "lake")

    assert json.loads(policy)["Statement"] == [{"Effect": "Deny", "Action": "*", "Resource": "*"}]


def test_a_job_that_talks_to_the_store_itself_may_tidy_up_in_its_outputs() -> None:
    """Spark renames what it has written, which is copy and delete; carried files are never deleted."""
    access = Access("ads", "s", (part(0),), (OUTPUT,))
    policy = session_policy(replace(access, by_job=True), "lake")

    assert allows(policy, "s3:DeleteObject", OUTPUT + "a")
    assert not allows(policy, "s3:DeleteObject", part(0) + "a")
    assert not allows(session_policy(access, "lake"), "s3:DeleteObject", OUTPUT + "a")


def test_a_job_that_talks_to_the_store_itself_may_ask_for_its_directories_by_name() -> None:
    """File systems over S3 look whether `…/g2` is a file before they take it for a directory."""
    policy = session_policy(Access("ads", "s", (part(0),), (OUTPUT,), by_job=True), "lake")

    assert allows(policy, "s3:GetObject", part(0).rstrip("/"))
    assert allows(policy, "s3:GetObject", OUTPUT.rstrip("/"))
    assert not allows(policy, "s3:GetObject", OUTPUT.replace("g2", "g22").rstrip("/"))
