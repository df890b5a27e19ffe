"""Names that can't be keys: S3 lists keys as XML, and what it can't spell there nobody can list or remove."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from outrider_contracts.http import Credentials, StoreAddress
from outrider_stage import open_store


@pytest.mark.parametrize("name", ["a\x01b", "deep/er\r", "\ufffe", "\x7f\x1b[0m"])
def test_a_name_that_could_never_be_listed_is_refused_before_it_is_stored(name: str) -> None:
    """Else the version could be sealed, and never be removed."""

    given = Credentials(
        access_key_id="a", secret_access_key="b", session_token="c", expires_at=datetime.now(UTC) + timedelta(hours=1)
    )  # fmt: skip

    with pytest.raises(ValueError, match="can't be listed in S3; rename the file"):
        open_store(StoreAddress(kind="s3", bucket="b"), lambda: given).put("ads/d/t/x/o/g1/", name, BytesIO(b""))
