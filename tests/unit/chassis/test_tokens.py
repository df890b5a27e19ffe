"""A token is believed when the issuer's published key says so, and for what it was made."""

import time

import jwt
import pytest
from outrider_chassis.callers import Caller, Role
from outrider_chassis.tokens import KeySet, TokenRefused

from tests.unit.chassis.issuer import URL, Issuer


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def keys(issuer: Issuer) -> KeySet:
    return KeySet(URL, issuer.jwks)


async def test_a_good_token_says_who_calls(issuer: Issuer, keys: KeySet) -> None:
    assert await keys.verify(issuer.token(sub="team:ads", team="ads")) == Caller("team:ads", Role.operator, "ads")


async def test_keys_are_fetched_once(issuer: Issuer, keys: KeySet) -> None:
    for _ in range(3):
        await keys.verify(issuer.token())

    assert issuer.fetched == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"iss": "http://elsewhere.test"}, {"aud": "somebody-else"}, {"role": "emperor"}, {"sub": "absent"},
        {"role": "absent"}, {"exp": int(time.time()) - 60}, {"exp": "absent"},
    ],
)  # fmt: skip
async def test_a_token_for_something_else_is_refused(issuer: Issuer, keys: KeySet, wrong: dict[str, str]) -> None:
    with pytest.raises(TokenRefused):
        await keys.verify(issuer.token(**wrong))


async def test_a_token_of_another_key_is_refused(issuer: Issuer, keys: KeySet) -> None:
    await keys.verify(issuer.token())
    stranger = Issuer()

    with pytest.raises(TokenRefused):
        await keys.verify(stranger.token())


async def test_an_unsigned_token_and_nonsense_are_refused(keys: KeySet) -> None:
    for text in (jwt.encode({"sub": "x"}, "", algorithm="none"), "nonsense", "", "a.b.c"):
        with pytest.raises(TokenRefused):
            await keys.verify(text)


def test_roles_include_the_ones_below_and_teams_keep_to_themselves() -> None:
    operator = Caller("airflow", Role.operator)
    of_ads = Caller("team:ads", Role.operator, "ads")

    assert operator.may(Role.viewer, "ads")
    assert not operator.may(Role.administrator)
    assert of_ads.may(Role.operator, "ads")
    assert not of_ads.may(Role.viewer, "news")
    assert not of_ads.may(Role.viewer), "the platform as a whole is not one team's business"
