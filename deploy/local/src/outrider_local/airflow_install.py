"""Airflow's environment: third-party packages once in the cache, by the plugin's lock; our own packages from the clone.

Two clones share the cached environment, so nothing of a clone goes into it. A stack gets a directory `site/` with the
plugin's metadata (its entry points) and puts it, with the clone's sources, on PYTHONPATH.
"""

import hashlib
import os
import platform
import sys
import tomllib
from pathlib import Path

from outrider_local import cache, python_environments
from outrider_local.errors import InstallFailed
from outrider_local.layout import Layout

CLONE = Path(__file__).resolve().parents[4]
PROJECT = CLONE / "airflow_plugin"
_SOURCES = (PROJECT / "src", CLONE / "libs/contracts/src", CLONE / "libs/stage/src")


def directory(layout: Layout) -> Path:
    """Where the environment of this lock and this Python lies in the cache."""
    digest = hashlib.sha256((PROJECT / "uv.lock").read_bytes() + _wanted_groups()).hexdigest()[:12]
    return layout.cache / f"airflow-{digest}-py{platform.python_version()}"


def program(layout: Layout, name: str) -> Path:
    """A program of the environment: "python", "airflow", "pytest"."""
    return directory(layout) / "venv" / "bin" / name


def install(layout: Layout) -> None:
    """Have the environment in the cache. Raises InstallFailed, or MissingPrerequisite where there is no uv."""
    cache.make_once(directory(layout), _sync)


def site(target: Path) -> str:
    """Write the plugin's metadata below *target* and return the PYTHONPATH that makes it installed, editable."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    metadata = target / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    metadata.mkdir(parents=True, exist_ok=True)
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in entries.items())
        for group, entries in project["entry-points"].items()
    )
    (metadata / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (metadata / "entry_points.txt").write_text(points)
    return os.pathsep.join(str(path) for path in (target, *_SOURCES))


def _wanted_groups() -> bytes:
    return repr(tomllib.loads((PROJECT / "pyproject.toml").read_text())["dependency-groups"]).encode()


def _sync(target: Path) -> None:
    wanted = ("--no-default-groups", "--group", "airflow", "--group", "dev")
    ours = ("--no-install-project", "--no-install-local")
    command = (
        python_environments.uv(),
        "sync",
        "--frozen",
        "--compile-bytecode",
        "--python",
        sys.executable,
        *ours,
        *wanted,
    )
    environment = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    cache.run(command, cwd=PROJECT, env={**environment, "UV_PROJECT_ENVIRONMENT": str(target / "venv")})
    if not (target / "venv/bin/airflow").exists():
        raise InstallFailed(f"uv made no Airflow environment in {target}")
