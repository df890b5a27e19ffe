"""Team ids: what is one, and that no team's derived name is another's."""

import re

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from outrider_contracts.names import PLATFORM, DerivedNames, check_new_team_id, check_team_id
from outrider_contracts.topics import team_concerned, team_events, team_inbox, team_of_topic

GRAMMAR = r"[a-z][a-z0-9]{0,6}(-[a-z0-9]{1,6}){0,3}"
IDS = st.from_regex(GRAMMAR, fullmatch=True).filter(lambda value: 3 <= len(value) <= 30)
DERIVED = sorted({name for name, value in vars(DerivedNames).items() if isinstance(value, property)} - {"unix_id"})
"""All but the number, which is drawn: tenancy refuses a team whose number another one has."""
ROLES = ("postgres_owner", "postgres_login")


@given(IDS)
def test_every_id_of_the_grammar_is_accepted_and_kept(value: str) -> None:
    """The id is never rewritten."""
    assert check_team_id(value) == value


@pytest.mark.parametrize(
    "value", ["", "ab", "a" * 31, "Ads", "1ads", "-ads", "ads-", "ad--s", "ad_s", "ad.s", "ads\n", " ads", "äds", "ad٣"]
)
def test_what_breaks_a_rule_is_refused_with_the_rule(value: str) -> None:
    """Nobody has to guess what an id looks like."""
    with pytest.raises(ValueError, match="must"):
        check_team_id(value)


@pytest.mark.parametrize("value", [PLATFORM, "airflow", "kube-system", "pg-x", "aws", "default", "dags-folder"])
def test_reserved_ids_can_be_read_but_not_onboarded(value: str) -> None:
    """A reserved word names something else in one of the systems."""
    assert check_team_id(value)
    with pytest.raises(ValueError, match="reserved"):
        check_new_team_id(value)


@given(IDS, IDS)
@example("ads", "ads-rw")
@example("pay", "payroll")
def test_no_derived_name_of_a_team_is_a_derived_name_of_another(left: str, right: str) -> None:
    """Name by name, and for PostgreSQL's roles across both kinds: an owner is never another team's login."""
    assume(left != right)
    one, other = DerivedNames(left), DerivedNames(right)

    for name in DERIVED:
        assert getattr(one, name) != getattr(other, name)
    assert not {getattr(one, role) for role in ROLES} & {getattr(other, role) for role in ROLES}


@given(IDS, IDS)
@example("pay", "payroll")
def test_prefixes_of_a_team_hold_nothing_of_another(left: str, right: str) -> None:
    """Prefix rights are given on these two."""
    assume(left != right)

    assert not DerivedNames(right).storage_prefix.startswith(DerivedNames(left).storage_prefix)
    assert not DerivedNames(right).kafka_prefix.startswith(DerivedNames(left).kafka_prefix)


@given(IDS)
def test_derived_names_fit_their_systems(team: str) -> None:
    """PostgreSQL 63 bytes, IAM 64 characters, Kafka topic 249, Kubernetes 63 characters and a user below 2**31."""
    names = DerivedNames(team)

    assert re.fullmatch(r"[a-z_][a-z0-9_]{0,62}", names.postgres_login)
    assert re.fullmatch(r"[\w+=,.@-]{1,64}", names.iam_name)
    assert re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", names.namespace)
    assert 1_000_000_000 <= names.unix_id < 2**31
    assert len(team_events(team)) <= 249
    assert {team_of_topic(team_events(team)), team_of_topic(team_inbox(team))} == {team}


@pytest.mark.parametrize("topic", ["outrider.airflow.v1", "outrider.team.ads", "other.team.ads.inbox.v1", ""])
def test_shared_topics_belong_to_no_team(topic: str) -> None:
    """The topic is the identity only where it is a team's own."""
    assert team_of_topic(topic) is None


@pytest.mark.parametrize(
    ("topic", "key", "team"),
    [
        ("outrider.airflow.v1", b"ads/daily/r1", "ads"),
        ("outrider.tenants.desired.v1", b"ads", "ads"),
        ("outrider.team.news.inbox.v1", b"ads/daily", "news"),
        ("outrider.airflow.v1", b"\xff/daily", None),
        ("outrider.airflow.v1", None, None),
    ],
)
def test_a_record_concerns_the_team_of_its_topic_or_the_one_its_key_begins_with(
    topic: str, key: bytes | None, team: str | None
) -> None:
    """What names no team concerns none, rather than one of an odd name."""
    assert team_concerned(topic, key) == team
