"""Carrying to and from a directory tree."""

from io import BytesIO
from pathlib import Path

import pytest
from outrider_contracts.http import Credentials, StoreAddress
from outrider_stage import open_store
from outrider_stage.ports import Store

from tests.unit.stage.carrying import CarryingSuite


class TestDirectoryStore(CarryingSuite):
    """The whole suite, on the local file system."""

    @pytest.fixture
    def address(self, tmp_path: Path) -> StoreAddress:
        return StoreAddress(kind="directory", root=str(tmp_path / "store"))

    @pytest.fixture
    def store(self, address: StoreAddress) -> Store:
        def none_needed() -> Credentials:
            raise AssertionError("a directory needs no credentials")

        return open_store(address, none_needed)

    def test_no_half_file_is_left_behind(self, store: Store, tmp_path: Path) -> None:
        """Files are renamed into place; nothing else stays beside them."""
        store.put("ads/d/t/x/o/g1/", "a", BytesIO(b"1"))
        store.put("ads/d/t/x/o/g1/", "a", BytesIO(b"2"))

        assert [p.name for p in (tmp_path / "store").rglob("*") if p.is_file()] == ["a"]

    def test_nor_where_it_could_not_be_written_whole(self, store: Store, tmp_path: Path) -> None:
        """A volume that is full would not become emptier by halves."""

        class Torn(BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if self.tell():
                    raise OSError("no space left")
                return super().read(1)

        with pytest.raises(OSError, match="no space left"):
            store.put("ads/d/t/x/o/g1/", "a", Torn(b"12"))

        assert [p.name for p in (tmp_path / "store").rglob("*") if p.is_file()] == []
