"""Which records a replay is about, told from key and headers alone."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from outrider_bus.counters import Counters
from outrider_bus.groups import Group
from outrider_bus.reading.subscription import Subscription
from outrider_bus.records import Decoder, RawHeaders, RawRecord, cloud_event
from outrider_bus.replay.plan import choose_topic
from outrider_bus.replay.sieve import ReplayRefused, Sieve
from outrider_contracts.airflow import AssetUpdated, RunFinished, RunStarted
from outrider_contracts.event import Event
from outrider_contracts.replays import OffsetRange, ReplayChoice, ReplayRequest, digest_of

SOONER, LATER = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)


def group(
    *,
    never_again: Iterable[Any] = (),
    topics: tuple[str, ...] = ("t",),
    pattern: str = "",
    decoder: Decoder = cloud_event,
) -> Group:
    reader = cast(Subscription, None)
    why = dict.fromkeys(never_again, "it removes")
    types: frozenset[type[Event]] = frozenset({RunStarted, RunFinished})
    return Group("g", topics, pattern, types, why, decoder, Counters("g"), reader)


@dataclass(frozen=True)
class Said:
    key: bytes | None
    headers: RawHeaders


def said(kind: str = RunFinished.type, key: bytes | None = b"ads/daily/r1") -> Said:
    return Said(key, (("ce_type", kind.encode()), ("ce_id", b"1")))


def verdict(record: Said, made: Group | None = None, **choice: Any) -> str:
    chosen = ReplayChoice(**{"group": "g", "topic": "t", **choice})
    return Sieve(chosen, made or group()).judge(record)[0]


@pytest.mark.parametrize(
    ("choice", "matches"),
    [
        ({}, True),
        ({"teams": ("ads",)}, True),
        ({"teams": ("ad",)}, False),
        ({"keys": ("ads/daily/r1",)}, True),
        ({"keys": ("ads/daily/r",)}, False),
        ({"keys": ("ads/daily/*",)}, True),
        ({"keys": ("news/*", "ads/*")}, True),
        ({"keys": ("ads/*",), "teams": ("news",)}, False),
        ({"types": ("RunFinished",)}, True),
        ({"types": (RunFinished.type,)}, True),
        ({"types": ("RunStarted",)}, False),
    ],
)  # fmt: skip
def test_a_record_matches_by_team_key_and_type(choice: dict[str, Any], matches: bool) -> None:
    assert verdict(said(), **choice) == ("matches" if matches else "no")


def test_types_nobody_hears_are_not_meant_and_types_never_handled_again_are_left_out() -> None:
    assert verdict(said(AssetUpdated.type)) == "no"
    assert verdict(said(), group(never_again=[RunFinished])) == "left_out"
    assert verdict(said(RunStarted.type), group(never_again=[RunFinished])) == "matches"


def test_where_headers_can_not_tell_the_decoder_has_the_last_word() -> None:
    assert verdict(Said(b"ads/x", ())) == "matches"
    assert verdict(Said(None, (("ce_type", None),))) == "matches"

    def own(record: RawRecord) -> None:
        raise AssertionError(record)

    assert verdict(said(AssetUpdated.type), group(decoder=own)) == "matches"


def test_the_topic_of_a_team_says_whose_its_records_are() -> None:
    inbox = "outrider.team.ads.inbox.v1"

    assert verdict(said(key=None), teams=("ads",), topic=inbox) == "matches"
    assert verdict(said(key=b"ads/x"), teams=("news",), topic=inbox) == "no"


@pytest.mark.parametrize(
    ("request_", "of", "code"),
    [
        ({}, group(topics=("a", "b")), "which_topic"),
        ({"topic": "other"}, group(), "which_topic"),
        ({"topic": "other"}, group(topics=(), pattern="^t.$"), "which_topic"),
        ({}, group(never_again=[RunStarted, RunFinished]), "never_again"),
        ({"since": LATER, "until": SOONER}, group(), "empty_range"),
        ({"offsets": {3: 5}, "until_offsets": {3: 5}}, group(), "empty_range"),
    ],
)  # fmt: skip
def test_what_can_not_be_replayed_is_refused_with_what_to_do(request_: dict[str, Any], of: Group, code: str) -> None:
    with pytest.raises(ReplayRefused) as refusal:
        choose_topic(ReplayRequest(group="g", **request_), of)

    assert refusal.value.code == code
    assert refusal.value.fix


def test_a_topic_may_be_named_without_its_beginning() -> None:
    of = group(topics=("outrider.airflow.v1", "outrider.tenant.v1"))

    assert choose_topic(ReplayRequest(group="g", topic="airflow.v1"), of).topic == "outrider.airflow.v1"


def test_an_unknown_type_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(ReplayRefused) as refusal:
        verdict(said(), types=("Nonsense",))

    assert refusal.value.fix == "it hears RunFinished, RunStarted"


def test_a_digest_tells_plans_apart_whatever_the_order_of_their_ranges() -> None:
    choice = ReplayChoice(group="g", topic="t")
    one, two = OffsetRange(partition=0, start=1, end=5), OffsetRange(partition=1, start=1, end=5)

    same = digest_of(choice, (one, two))

    assert digest_of(choice, (two, one)) == same
    assert digest_of(choice, (one,)) != same
    assert digest_of(choice.model_copy(update={"rate": 5.0}), (one, two)) != same
