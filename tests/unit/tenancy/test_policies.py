"""No pair of teams reaches one another's data, whatever they are called."""

import string

from hypothesis import assume, given
from hypothesis import strategies as st
from outrider_contracts.names import DerivedNames, check_new_team_id
from outrider_contracts.tenants import Acceptance
from tenancy.domain.policies import deny_everything, granted_policy, own_policy, same_policy, trust_policy

from tests.unit.tenancy.policy_evaluator import allows

BUCKET = "outrider"
READING = ("s3:GetObject", "s3:GetObjectVersion")
WRITING = ("s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
LISTING = ("s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads")


def is_team_id(text: str) -> bool:
    try:
        check_new_team_id(text)
    except ValueError:
        return False
    return True


words = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)
team_ids = st.lists(words, min_size=1, max_size=3).map("-".join).filter(is_team_id)
pairs = st.one_of(
    st.tuples(team_ids, team_ids),
    team_ids.flatmap(lambda t: st.tuples(st.just(t), st.sampled_from([t + "2", t + "-b", t[:-1]]).filter(is_team_id))),
).filter(lambda pair: pair[0] != pair[1])
keys = st.text(st.characters(codec="utf-8"), max_size=40)


def identity(team: str, *readable: Acceptance) -> list[dict[str, object]]:
    granted = granted_policy(BUCKET, readable)
    return [own_policy(BUCKET, DerivedNames(team).storage_prefix), *([granted] if granted else [])]


def on(key: str) -> str:
    return f"arn:aws:s3:::{BUCKET}/{key}"


@given(pairs, keys)
def test_no_team_reaches_an_object_of_another(pair: tuple[str, str], key: str) -> None:
    one, other = pair

    assert not any(allows(identity(one), action, on(f"{other}/{key}")) for action in READING + WRITING)


@given(pairs, keys)
def test_no_team_lists_another(pair: tuple[str, str], key: str) -> None:
    one, other = pair

    for prefix in (other, f"{other}/", f"{other}/{key}"):
        context = {"s3:prefix": prefix}
        assert not any(allows(identity(one), action, f"arn:aws:s3:::{BUCKET}", context) for action in LISTING)


@given(team_ids)
def test_nobody_lists_the_bucket_or_by_the_bare_id(team: str) -> None:
    """With the bare id as prefix, `ads` would list `ads2/` too."""
    for action in LISTING:
        assert not allows(identity(team), action, f"arn:aws:s3:::{BUCKET}")
        assert not allows(identity(team), action, f"arn:aws:s3:::{BUCKET}", {"s3:prefix": ""})
        assert not allows(identity(team), action, f"arn:aws:s3:::{BUCKET}", {"s3:prefix": team})


@given(team_ids, keys)
def test_a_team_reads_writes_and_lists_its_own(team: str, key: str) -> None:
    mine = identity(team)

    assert all(allows(mine, action, on(f"{team}/{key}")) for action in ("s3:GetObject", *WRITING))
    assert all(allows(mine, action, f"arn:aws:s3:::{BUCKET}", {"s3:prefix": f"{team}/{key}"}) for action in LISTING)


@given(team_ids)
def test_a_team_may_change_neither_the_bucket_nor_any_right(team: str) -> None:
    for action in (
        "s3:PutBucketPolicy",
        "s3:DeleteObjectVersion",
        "s3:PutObjectAcl",
        "iam:PutUserPolicy",
        "sts:AssumeRole",
    ):
        assert not allows(identity(team), action, f"arn:aws:s3:::{BUCKET}")
        assert not allows(identity(team), action, on(f"{team}/x"))


def test_a_grant_opens_one_output_for_reading_and_nothing_else() -> None:
    news = identity("news", Acceptance.model_validate({"from": "ads", "output": "daily/join/table"}))
    place = "ads/daily/join/20261101T000000.000000Z"

    assert allows(news, "s3:GetObject", on(f"{place}/table/g1/part.csv"))
    assert allows(news, "s3:GetObject", on(f"{place}/m3/table/g2/_manifest.json"))
    assert allows(news, "s3:ListBucket", f"arn:aws:s3:::{BUCKET}", {"s3:prefix": f"{place}/table/g1/"})
    assert not allows(news, "s3:GetObject", on(f"{place}/other/g1/part.csv"))
    assert not allows(news, "s3:GetObject", on("ads/daily/join2/20261101T000000.000000Z/table/g1/part.csv"))
    assert not any(allows(news, action, on(f"{place}/table/g1/part.csv")) for action in WRITING)


@given(st.text(min_size=1, max_size=20).filter(lambda s: "/" not in s and "\0" not in s))
def test_a_name_in_a_grant_can_hold_no_wildcard(dag_id: str) -> None:
    assume(dag_id != "daily")
    grant = Acceptance.model_validate({"from": "ads", "output": f"{dag_id}/join/table"})

    assert not allows(identity("news", grant), "s3:GetObject", on("ads/daily/join/x/table/g1/part.csv"))


def test_a_suspended_team_may_nothing() -> None:
    suspended = [*identity("ads"), deny_everything()]

    assert not allows(suspended, "s3:GetObject", on("ads/x"))
    assert not allows(suspended, "s3:ListBucket", f"arn:aws:s3:::{BUCKET}", {"s3:prefix": "ads/"})


def test_policies_are_compared_by_meaning() -> None:
    one = {"Statement": [{"Action": ["a", "b"], "Resource": "r"}], "Version": "2012-10-17"}
    same = {"Version": "2012-10-17", "Statement": {"Resource": ["r"], "Action": ["b", "a"]}}

    assert same_policy(one, same)
    assert not same_policy(one, {**same, "Statement": {"Resource": ["r"], "Action": ["a"]}})
    assert not same_policy(None, one)


def test_only_storage_takes_a_role_on() -> None:
    trust = trust_policy("arn:aws:iam::1:user/storage")

    assert trust["Statement"] == [
        {"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::1:user/storage"}, "Action": "sts:AssumeRole"}
    ]
