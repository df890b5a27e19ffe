"""A grant needs both sides."""

from outrider_contracts.tenants import TeamSpec
from tenancy.domain.grants import concerned, readable

from tests.unit.tenancy.teams import accepts, offers

OUTPUT = "daily/join/table"


def spec(**parts: object) -> TeamSpec:
    return TeamSpec.model_validate(parts)


def test_an_offer_that_is_accepted_is_readable() -> None:
    specs = {"ads": spec(**offers("news", OUTPUT)), "news": spec(**accepts("ads", OUTPUT))}

    assert [(grant.from_, grant.output) for grant in readable("news", specs)] == [("ads", OUTPUT)]
    assert readable("ads", specs) == ()


def test_one_side_alone_opens_nothing() -> None:
    assert readable("news", {"ads": spec(), "news": spec(**accepts("ads", OUTPUT))}) == ()
    assert readable("news", {"ads": spec(**offers("news", OUTPUT)), "news": spec()}) == ()
    assert readable("news", {"news": spec(**accepts("ads", OUTPUT))}) == ()


def test_an_offer_to_somebody_else_or_of_another_output_opens_nothing() -> None:
    mine = spec(**accepts("ads", OUTPUT))

    assert readable("news", {"ads": spec(**offers("sales", OUTPUT)), "news": mine}) == ()
    assert readable("news", {"ads": spec(**offers("news", "daily/join/other")), "news": mine}) == ()


def test_a_deleted_team_offers_nothing() -> None:
    specs = {"ads": spec(**offers("news", OUTPUT), lifecycle="Deleted"), "news": spec(**accepts("ads", OUTPUT))}

    assert readable("news", specs) == ()


def test_a_withdrawn_offer_concerns_the_team_it_was_made_to() -> None:
    assert concerned("ads", spec(**offers("news", OUTPUT)), spec()) == {"ads", "news"}
    assert concerned("ads", None, spec(**offers("sales", OUTPUT))) == {"ads", "sales"}
