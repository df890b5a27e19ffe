"""The layer that makes Spark of a Debian with Java: PySpark with its jars, and those by which it talks to S3."""

import hashlib
import os
import shutil
import sys
import tempfile
from pathlib import Path

from outrider_local import cache, prerequisites, python_environments
from outrider_local.kubernetes import debian
from outrider_local.kubernetes.image_archive import Layer
from outrider_local.layout import Layout

JAVA = ("openjdk-17-jre-headless", "libnss-wrapper")
"""Packages its Debian has besides the usual ones."""
_PLACE = "opt/spark"
HOME = f"/{_PLACE}/pyspark"
PYTHONPATH = f"/{_PLACE}"
ENTRYPOINT = f"/{_PLACE}/entrypoint.sh"
_FILES = ("spark-requirements.txt", "spark-pom.xml", "spark-entrypoint.sh")
_S3 = (
    "org.apache.hadoop",
    "software.amazon.awssdk",
    "software.amazon.s3.analyticsaccelerator",
    "software.amazon.eventstream",
    "org.reactivestreams",
    "org.wildfly.openssl",
)
"""Groups of what Spark does not bring itself; a second Netty or HTTP client would only be in its way."""


def build(layout: Layout) -> None:
    """Have Debian and layer in the cache: 500 MB to fetch and some minutes, the first time."""
    debian.build(layout, *JAVA)
    cache.make_once(_directory(layout), lambda target: _make(layout, target))


def layer(layout: Layout) -> Layer:
    """PySpark below /opt/spark."""
    return Layer(_directory(layout))


def _directory(layout: Layout) -> Path:
    key = hashlib.sha256("\0".join(map(cache.packaged, _FILES)).encode()).hexdigest()[:12]
    return layout.cache / f"spark-{key}"


def _make(layout: Layout, target: Path) -> None:
    maven = prerequisites.require(prerequisites.MAVEN)
    with tempfile.TemporaryDirectory(prefix="image-", dir=layout.cache) as scratch:
        place = Path(scratch) / _PLACE
        place.mkdir(parents=True)
        listed = target / "requirements.txt"
        listed.write_text(cache.packaged("spark-requirements.txt"))
        own = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
        arguments = ("-q", "--require-hashes", "--no-deps", "-p", sys.executable, "--target", str(place))
        cache.run((python_environments.uv(), "pip", "install", *arguments, "-r", str(listed)), env=own)
        (target / "pom.xml").write_text(cache.packaged("spark-pom.xml"))
        groups = f"-DincludeGroupIds={','.join(_S3)}"
        jars = f"-DoutputDirectory={place / 'pyspark' / 'jars'}"
        cache.run(
            (maven, "-q", "-B", "dependency:copy-dependencies", "-DincludeScope=runtime", groups, jars), cwd=target
        )
        entrypoint = place / "entrypoint.sh"
        entrypoint.write_text(cache.packaged("spark-entrypoint.sh"))
        entrypoint.chmod(0o755)
        shutil.rmtree(
            place / "bin", ignore_errors=True
        )  # start PySpark by the path of the interpreter that installed it
        cache.run(("tar", "-cf", str(target / "layer.tar"), "--owner=0", "--group=0", "-C", scratch, _PLACE))
    Layer(target).seal()
