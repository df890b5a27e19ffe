"""What an administrator says of a shared volume, and may not."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tenancy.settings import Settings


def told(**more: Any) -> Settings:
    return Settings.model_validate(
        {
            "kafka_bootstrap_servers": "k:1", "database_url": "postgresql://x", "secrets_dir": Path("/s"),
            "signing_key_file": Path("/k"), "issuer_url": "http://i", **more,
        }
    )  # fmt: skip


def test_a_volume_that_all_teams_would_share_is_refused() -> None:
    with pytest.raises(ValidationError, match="all teams would share one directory"):
        told(kubernetes_volume_source={"hostPath": {"path": "/srv/outrider"}})


def test_backends_are_words_of_the_document() -> None:
    assert told().backends == ("s3",)
    assert told(storage_backends="s3, directory").backends == ("s3", "directory")
    with pytest.raises(ValidationError):
        told(storage_backends="s3,nfs").backends  # noqa: B018
