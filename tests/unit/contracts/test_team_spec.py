"""A team's document: what is added to it later changes nothing for those who don't write it."""

from outrider_contracts.tenants import TeamSpec


def test_the_digest_of_a_document_outlives_new_fields() -> None:
    """Records that lie in the topic name it; this is what version 1 of this document gave."""
    assert TeamSpec().digest == "96a436edd0931fc6d50d34861fed0c7d4af2230f459c0e56e6a2d23141940bda"


def test_the_digest_tells_what_is_written() -> None:
    digests = {
        TeamSpec.model_validate({"kubernetes": told}).digest
        for told in ({}, {"podSecurity": "baseline"}, {"force": True}, {"quota": {"pods": 1}})
    }

    assert len(digests) == 4
