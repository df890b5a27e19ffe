"""Fetches Kafka from Maven Central and makes its class archive, which halves the time and CPU of a start."""

import hashlib
import subprocess
from collections.abc import Callable
from pathlib import Path

from outrider_local import cache, prerequisites
from outrider_local.layout import Layout
from outrider_local.waiting import wait_until

VERSION = "4.4.0"
HEAP = ("-Xms64m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1")


def programs(layout: Layout) -> Path:
    return layout.cache / f"kafka-{VERSION}"


def fetch(layout: Layout) -> None:
    """Have the jars in the cache."""
    cache.make_once(programs(layout), _fetch)


def _fetch(directory: Path) -> None:
    maven = prerequisites.require(prerequisites.MAVEN)
    (directory / "pom.xml").write_text(cache.packaged("kafka-pom.xml"))
    (directory / "log4j2.yaml").write_text(cache.packaged("kafka-log4j2.yaml"))
    cache.run(
        (maven, "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib"),
        cwd=directory,
    )


def java_arguments(layout: Layout, *flags: str) -> tuple[str, ...]:
    """Arguments of `java` up to the main class; the archive is used where there is one."""
    directory = programs(layout)
    # named one by one and absolute: the archive is only valid for the very same class path
    jars = ":".join(str(jar) for jar in sorted((directory / "lib").glob("*.jar")))
    shared = archive(layout)
    use = (f"-XX:SharedArchiveFile={shared}",) if shared.exists() and not flags else ()
    return (*HEAP, *use, *flags, f"-Dlog4j2.configurationFile={directory / 'log4j2.yaml'}", "-cp", jars)


def argument_file(path: Path, arguments: tuple[str, ...]) -> str:
    """Write *arguments* (a class path, a password) for `java @file`, so that no list of processes shows them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text("\n".join('"' + argument.replace("\\", "\\\\").replace('"', '\\"') + '"' for argument in arguments))
    return f"@{path}"


def archive(layout: Layout) -> Path:
    """Where the class archive for this machine's Java lies or will lie."""
    java = prerequisites.require(prerequisites.JAVA)
    said = subprocess.run([java, "-version"], capture_output=True, text=True, check=True).stderr
    return programs(layout).with_name(f"kafka-{VERSION}-classes-{hashlib.sha256(said.encode()).hexdigest()[:12]}.jsa")


def make_archive(layout: Layout, scratch: Path, main: tuple[str, ...], answers: Callable[[], bool]) -> None:
    """Run the broker once with *main* until it *answers*, and keep the classes it loaded."""
    target = archive(layout)
    if target.exists():
        return
    java = prerequisites.require(prerequisites.JAVA)
    beside = target.with_suffix(f".{scratch.name}.tmp")
    arguments = (*java_arguments(layout, f"-XX:ArchiveClassesAtExit={beside}"), *main)
    with (scratch / "archive.log").open("wb") as log:
        broker = subprocess.Popen(
            [java, argument_file(scratch / "archive.args", arguments)], stdout=log, stderr=subprocess.STDOUT
        )
        try:
            wait_until(lambda: answers() or broker.poll() is not None, seconds=60)
        finally:
            broker.terminate()
            broker.wait(60)
    if beside.exists():  # without it the broker starts slower, and just as well
        beside.replace(target)
