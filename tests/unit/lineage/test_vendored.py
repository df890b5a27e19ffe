"""The page's libraries are the ones their table names."""

import hashlib
import re
from pathlib import Path

import lineage

_VENDOR = Path(lineage.__file__).parent / "static" / "vendor"


def test_every_library_is_listed_with_version_licence_and_digest() -> None:
    """And nothing lies there that is not."""
    rows = re.findall(r"^\| (\S+\.js) \| .*? \| ([\d.]+) \| (.*?) \| ([0-9a-f]{64}) \|$", (_VENDOR / "README.md").read_text(), re.M)  # fmt: skip  # noqa: E501

    assert {name for name, *_ in rows} == {path.name for path in _VENDOR.glob("*.js")}
    for name, _, licence, digest in rows:
        assert hashlib.sha256((_VENDOR / name).read_bytes()).hexdigest() == digest
        assert (_VENDOR / licence.split("(")[1].split(")")[0]).exists()
