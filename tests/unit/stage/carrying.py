"""One suite for every store a job's files are carried to and from; each store's test module inherits it."""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import pytest
from outrider_contracts.environments import InputVersion, Manifest, OutputPlace, VersionKey
from outrider_contracts.http import Environment, StoreAddress
from outrider_contracts.keys import TryKey
from outrider_contracts.places import generation_path, place
from outrider_stage import InputNotStaged, Layout, OutputNotStored, stage_in, stage_out
from outrider_stage.ports import Store


def at(task_id: str, map_index: int = -1) -> TryKey:
    return TryKey(team="ads", dag_id="daily", run_id="manual__1", task_id=task_id, map_index=map_index, try_number=1)


def path_of(task: TryKey, output: str, generation: int = 1) -> str:
    return generation_path(place(task.task, None), output, generation)


def version(task: TryKey, output: str, generation: int = 1) -> InputVersion:
    key = VersionKey(**task.task.model_dump(), output=output, generation=generation)
    return InputVersion(version=key, path=path_of(task, output, generation))


@dataclass
class Job:
    """A try in the middle of its life: its environment, and the directory its job works in."""

    root: Path
    address: StoreAddress
    task: TryKey = field(default_factory=lambda: at("load"))
    inputs: dict[str, tuple[InputVersion, ...]] = field(default_factory=dict)
    outputs: tuple[str, ...] = ()

    @property
    def layout(self) -> Layout:
        return Layout(self.root)

    @property
    def environment(self) -> Environment:
        return Environment(
            task=self.task,
            run_started_at=datetime(2026, 11, 1, tzinfo=UTC),
            generation=1,
            place=place(self.task.task, None),
            mode="files",
            store=self.address,
            inputs=self.inputs,
            outputs={name: OutputPlace(path=path_of(self.task, name)) for name in self.outputs},
        )


@dataclass
class WritingJob:
    """A store that a job's file is carried to while something of the job goes on writing it."""

    store: Store
    written: Path

    def manifest(self, version: str) -> Manifest | None:
        return self.store.manifest(version)

    def fetch(self, version: str, path: str, into: BinaryIO) -> None:
        self.store.fetch(version, path, into)

    def put(self, version: str, path: str, content: BinaryIO) -> None:
        with self.written.open("ab") as more:
            more.write(b"2")
        self.store.put(version, path, content)
        content.close()

    def commit(self, version: str, manifest: Manifest) -> None:
        self.store.commit(version, manifest)


class CarryingSuite:
    """What holds of every store. A subclass gives the fixtures `store` and `address`."""

    @pytest.fixture
    def producer(self, tmp_path: Path, address: StoreAddress) -> Job:
        job = Job(tmp_path / "producer", address, at("extract"), outputs=("orders",))
        job.layout.output("orders").mkdir(parents=True)
        return job

    @pytest.fixture
    def consumer(self, tmp_path: Path, address: StoreAddress) -> Job:
        orders = version(at("extract"), "orders")
        return Job(tmp_path / "consumer", address, inputs={"orders": (orders,)}, outputs=("daily",))

    @pytest.fixture
    def held_back(self) -> Iterator[Path]:
        """A directory of somebody whom rights hold back, who we are meanwhile: root may do everything."""
        before = os.geteuid()
        os.seteuid(before or 65534)
        with tempfile.TemporaryDirectory() as directory:
            yield Path(directory)
        os.seteuid(before)

    def test_what_one_job_wrote_the_next_one_reads(self, store: Store, producer: Job, consumer: Job) -> None:
        """Names, sub-directories and bytes arrive as they were; large files too."""
        written = {"a.csv": b"1,2\n", "deep/er/b c+é%2e.bin": os.urandom(40 << 20), "empty": b""}
        for name, content in written.items():
            target = producer.layout.output("orders") / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

        stored = stage_out(producer.environment, store, producer.layout)
        carried = stage_in(consumer.environment, store, consumer.layout)

        found = consumer.layout.input("orders")
        assert {str(p.relative_to(found)): p.read_bytes() for p in found.rglob("*") if p.is_file()} == written
        assert carried["orders"] == stored["orders"].size == sum(map(len, written.values()))
        assert all(file.sha256 for file in stored["orders"].files)
        assert {oct(p.stat().st_mode & 0o777) for p in found.rglob("*") if p.is_file()} == {"0o644"}
        assert consumer.layout.output("daily").is_dir()

    def test_the_manifest_makes_the_version(self, store: Store, producer: Job, consumer: Job) -> None:
        """Files without a manifest are an upload that was cut off: nobody reads them."""
        store.put(path_of(producer.task, "orders"), "a.csv", BytesIO(b"half"))

        with pytest.raises(InputNotStaged, match="no manifest"):
            stage_in(consumer.environment, store, consumer.layout)

    def test_what_the_manifest_does_not_name_is_not_carried(self, store: Store, producer: Job, consumer: Job) -> None:
        """An earlier attempt of the same try may have left files: they are no part of the version."""
        store.put(path_of(producer.task, "orders"), "left-over", BytesIO(b"x"))
        (producer.layout.output("orders") / "a").write_bytes(b"1")

        stage_out(producer.environment, store, producer.layout)
        stage_in(consumer.environment, store, consumer.layout)

        assert os.listdir(consumer.layout.input("orders")) == ["a"]

    def test_an_empty_directory_is_a_version_without_files(self, store: Store, producer: Job, consumer: Job) -> None:
        """A day without orders is a result."""
        stage_out(producer.environment, store, producer.layout)
        stage_in(consumer.environment, store, consumer.layout)

        assert store.manifest(path_of(producer.task, "orders")) == Manifest()
        assert consumer.layout.input("orders").is_dir()

    def test_an_absent_directory_is_no_version(self, store: Store, producer: Job) -> None:
        """A job says "nothing this time" by removing its output directory."""
        producer.layout.output("orders").rmdir()

        assert stage_out(producer.environment, store, producer.layout) == {}
        assert store.manifest(path_of(producer.task, "orders")) is None

    def test_storing_again_the_same_is_success(self, store: Store, producer: Job) -> None:
        """A stager that was cut off after the manifest starts again and finds its work done."""
        (producer.layout.output("orders") / "a").write_bytes(b"1")

        first = stage_out(producer.environment, store, producer.layout)

        assert stage_out(producer.environment, store, producer.layout) == first

    def test_a_version_never_changes(self, store: Store, producer: Job) -> None:
        """Whoever read it may read it again: other content under the same generation is refused."""
        stage_out(producer.environment, store, producer.layout)
        (producer.layout.output("orders") / "a").write_bytes(b"1")

        with pytest.raises(OutputNotStored, match="other content"):
            stage_out(producer.environment, store, producer.layout)
        assert store.manifest(path_of(producer.task, "orders")) == Manifest()

    def test_parts_of_a_mapped_producer_lie_side_by_side(
        self, store: Store, tmp_path: Path, address: StoreAddress
    ) -> None:
        """`inputs/orders/m0/`, `m1/`: files of the same name do not meet."""
        parts = [at("extract", index) for index in (0, 1)]
        for part in parts:
            job = Job(tmp_path / f"m{part.map_index}", address, part, outputs=("orders",))
            job.layout.output("orders").mkdir(parents=True)
            (job.layout.output("orders") / "a").write_text(str(part.map_index))
            stage_out(job.environment, store, job.layout)
        consumer = Job(tmp_path / "c", address, inputs={"orders": tuple(version(p, "orders") for p in parts)})

        stage_in(consumer.environment, store, consumer.layout)

        found = consumer.layout.input("orders")
        assert [(found / f"m{index}/a").read_text() for index in (0, 1)] == ["0", "1"]

    @pytest.mark.parametrize("path", ["../a", "/etc/a", "a/../../b", "a//b", "./a", ""])
    def test_a_manifest_that_would_leave_the_directory_is_refused(self, store: Store, consumer: Job, path: str) -> None:
        """A manifest is data of another job: it says what lies in its directory, never elsewhere."""
        store.commit(path_of(at("extract"), "orders"), Manifest(files=(Manifest.File(path=path, size=0),)))

        with pytest.raises(InputNotStaged, match="would leave its directory"):
            stage_in(consumer.environment, store, consumer.layout)

    @pytest.mark.parametrize(
        ("file", "reason"),
        [
            (Manifest.File(path="a", size=2), "has 1 bytes"),
            (Manifest.File(path="a", size=1, sha256="0" * 64), "sha256 differs"),
            (Manifest.File(path="b", size=1), "b is gone, though its manifest names it"),
        ],
    )
    def test_bytes_that_are_not_those_of_the_manifest_are_refused(
        self, store: Store, consumer: Job, file: Manifest.File, reason: str
    ) -> None:
        """Size and digest are checked on arrival; a file that is gone is said too."""
        store.put(path_of(at("extract"), "orders"), "a", BytesIO(b"1"))
        store.commit(path_of(at("extract"), "orders"), Manifest(files=(file,)))

        with pytest.raises(InputNotStaged, match=reason) as refused:
            stage_in(consumer.environment, store, consumer.layout)
        assert str(refused.value).endswith(
            "Fix: clear task ads/daily/extract of run manual__1 in Airflow, which writes it anew"
        )

    def test_links_are_never_followed(self, store: Store, producer: Job, tmp_path: Path) -> None:
        """A link in an output could name any file of the machine; it is refused by name, nothing is stored."""
        (tmp_path / "secret").write_text("s3cret")
        (producer.layout.output("orders") / "link").symlink_to(tmp_path / "secret")

        with pytest.raises(OutputNotStored, match="link is a symbolic link"):
            stage_out(producer.environment, store, producer.layout)
        assert store.manifest(path_of(producer.task, "orders")) is None

    def test_a_link_in_the_place_of_the_output_is_not_followed(
        self, store: Store, producer: Job, tmp_path: Path
    ) -> None:
        """Nor where the job replaced the output directory itself."""
        producer.layout.output("orders").rmdir()
        producer.layout.output("orders").symlink_to(tmp_path)

        with pytest.raises(OutputNotStored, match="no directory"):
            stage_out(producer.environment, store, producer.layout)

    def test_a_link_on_the_way_to_the_output_is_not_followed(self, store: Store, producer: Job, tmp_path: Path) -> None:
        """Nor where the job replaced the directory above: the stager may look where the job may not."""
        (tmp_path / "elsewhere/orders").mkdir(parents=True)
        (tmp_path / "elsewhere/orders/secret").write_text("s3cret")
        producer.layout.output("orders").rmdir()
        producer.layout.output("orders").parent.rmdir()
        producer.layout.output("orders").parent.symlink_to(tmp_path / "elsewhere")

        with pytest.raises(OutputNotStored, match="no directory"):
            stage_out(producer.environment, store, producer.layout)

    def test_what_can_not_be_looked_into_is_refused(self, store: Store, held_back: Path, address: StoreAddress) -> None:
        """Files below a directory without rights would be missing in a version that says it is whole."""
        producer = Job(held_back, address, at("extract"), outputs=("orders",))
        closed = producer.layout.output("orders") / "closed"
        closed.mkdir(parents=True)
        (closed / "a").write_text("1")
        closed.chmod(0)

        with pytest.raises(OutputNotStored, match=r"Permission denied: .*closed"):
            stage_out(producer.environment, store, producer.layout)

    def test_a_file_that_is_written_to_while_it_is_stored_is_refused(self, store: Store, producer: Job) -> None:
        """Else the manifest would tell other bytes than were stored, and nobody could ever read the version."""
        written = producer.layout.output("orders") / "a"
        written.write_bytes(b"1")

        with pytest.raises(OutputNotStored, match="a was written to while it was stored"):
            stage_out(producer.environment, WritingJob(store, written), producer.layout)
        assert store.manifest(path_of(producer.task, "orders")) is None

    @pytest.mark.parametrize("make", ["fifo", "manifest", "bytes", "a\nb", "deep/a\tb/c", "\x9b"])
    def test_what_cannot_be_carried_is_refused(self, store: Store, producer: Job, make: str) -> None:
        """Leaving a file out would lose data silently."""
        directory = producer.layout.output("orders")
        if make == "fifo":
            os.mkfifo(directory / "pipe")
        elif make == "manifest":
            (directory / "_manifest.json").write_text("{}")
        elif make == "bytes":
            Path(os.fsdecode(bytes(directory) + b"/\xff")).write_text("")
        else:
            (directory / make).parent.mkdir(parents=True, exist_ok=True)
            (directory / make).write_text("")

        with pytest.raises(OutputNotStored, match=r"regular|reserved|UTF-8|control character") as refused:
            stage_out(producer.environment, store, producer.layout)
        assert str(refused.value).isprintable()

    def test_more_files_than_a_version_can_list_are_refused(
        self, store: Store, producer: Job, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Storage would not read such a list, and call the output missing."""
        monkeypatch.setattr("outrider_stage.outward.LARGEST_MANIFEST", 1000)
        for number in range(20):
            (producer.layout.output("orders") / str(number)).write_text("")

        with pytest.raises(OutputNotStored, match="its 20 files are more than a version can list; pack them together"):
            stage_out(producer.environment, store, producer.layout)

        assert store.manifest(path_of(producer.task, "orders")) is None
