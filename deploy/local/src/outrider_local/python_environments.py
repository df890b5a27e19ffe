"""Virtual environments in the cache, for programs whose pins cannot live beside ours; made by uv."""

import os
import shutil
import sys
from pathlib import Path

from outrider_local import cache
from outrider_local.errors import MissingPrerequisite


def uv() -> str:
    """The `uv` to use: the one that runs us, beside this interpreter, or on PATH."""
    for candidate in (os.environ.get("UV"), str(Path(sys.executable).with_name("uv")), shutil.which("uv")):
        if candidate and Path(candidate).exists():
            return candidate
    raise MissingPrerequisite("uv is missing; `make` brings it, or see https://docs.astral.sh/uv/ to install it.")


def make(directory: Path, *requirements: str) -> None:
    """Make a virtual environment in *directory* with *requirements*, bytecode compiled, on this interpreter."""
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    python = str(directory / "bin" / "python")
    cache.run((uv(), "venv", "-q", "--allow-existing", "-p", sys.executable, str(directory)), env=environment)
    cache.run((uv(), "pip", "install", "-q", "--compile-bytecode", "-p", python, *requirements), env=environment)
