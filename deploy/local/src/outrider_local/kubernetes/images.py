"""The images pods of the local cluster run: `pause`, one for jobs in many languages, and one that carries files."""

import shutil
from pathlib import Path

from outrider_local import cache
from outrider_local.kubernetes import debian, programs, spark, stager
from outrider_local.kubernetes.image_archive import Image, Layer
from outrider_local.layout import Layout

_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def build(layout: Layout) -> None:
    """Have the layers of all images in the cache; the programs are there."""
    cache.make_once(_pause_directory(layout), lambda target: _make_pause(layout, target))
    debian.build(layout)
    stager.build(layout)


def all_images(layout: Layout) -> tuple[Image, ...]:
    """Those every node has."""
    return (pause(layout), job(layout), stage(layout))


def pause(layout: Layout) -> Image:
    """Holds a pod's namespaces open."""
    return Image("localhost/outrider/pause", (Layer(_pause_directory(layout)),), {"Entrypoint": ["/pause"]})


def job(layout: Layout) -> Image:
    """Debian with sh, Python, Perl and awk, and nothing of Outrider."""
    return Image("localhost/outrider/job", (debian.layer(layout),), {"Env": [_PATH], "Cmd": ["/bin/sh"]})


def stage(layout: Layout) -> Image:
    """The same Debian with outrider_stage: `python3 -m outrider_stage`."""
    environment = [_PATH, f"PYTHONPATH={stager.PYTHONPATH}", "PYTHONDONTWRITEBYTECODE=1", "PYTHONUNBUFFERED=1"]
    layers = (debian.layer(layout), *stager.layers(layout))
    return Image("localhost/outrider/stage", layers, {"Env": environment, "Cmd": ["python3", "-m", "outrider_stage"]})


def spark_jobs(layout: Layout) -> Image:
    """Spark with Java, Python and S3, and nothing of Outrider; its entrypoint is what Spark asks of images."""
    environment = [_PATH, f"SPARK_HOME={spark.HOME}", f"PYTHONPATH={spark.PYTHONPATH}", "PYSPARK_PYTHON=python3"]
    layers = (debian.layer(layout, *spark.JAVA), spark.layer(layout))
    return Image("localhost/outrider/spark", layers, {"Env": environment, "Entrypoint": [spark.ENTRYPOINT]})


def _pause_directory(layout: Layout) -> Path:
    built = programs.program(layout, "pause").parent
    return built.with_name(f"pause-{built.name}")


def _make_pause(layout: Layout, target: Path) -> None:
    root = target / "root"
    root.mkdir()
    shutil.copy2(programs.program(layout, "pause"), root / "pause")
    cache.run(("tar", "-cf", str(target / "layer.tar"), "-C", str(root), "pause"))
    Layer(target).seal()
