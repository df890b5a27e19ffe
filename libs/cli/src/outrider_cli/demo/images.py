"""The image of a demo team's jobs on the stack's node: the scripts and data of its bundle, nothing of Outrider."""

import hashlib
import tarfile
from pathlib import Path

from outrider_local import cache
from outrider_local.kubernetes import container_runtime, images
from outrider_local.kubernetes.image_archive import Image, Layer
from outrider_local.layout import Layout
from outrider_local.stack import Stack

_PARTS = ("data", "jobs")


def put_on_node(stack: Stack, team: str, bundle: Path) -> str:
    """Have the node hold it; returns its name."""
    image = _image(stack.layout, team, bundle)
    if image.name not in container_runtime.images(stack):
        container_runtime.load(stack, image.write)
    return image.name


def _image(layout: Layout, team: str, bundle: Path) -> Image:
    files = {str(file.relative_to(bundle)): file for part in _PARTS for file in sorted((bundle / part).glob("*"))}
    told = b"\0".join(part for name, file in files.items() for part in (name.encode(), file.read_bytes()))
    directory = layout.cache / f"demo-{team}-{hashlib.sha256(told).hexdigest()[:12]}"

    def make(target: Path) -> None:
        with tarfile.open(target / "layer.tar", "w") as tar:
            for name, file in files.items():
                tar.add(file, name)
        Layer(target).seal()

    job, own = images.job(layout), Layer(cache.make_once(directory, make))
    return Image(f"localhost/outrider/demo-{team}", (*job.layers, own), job.settings)
