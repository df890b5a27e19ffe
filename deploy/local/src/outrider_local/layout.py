"""Where everything of one stack lies: its home, and the cache all stacks of this user share."""

import os
from dataclasses import dataclass
from pathlib import Path


def default_home() -> Path:
    """`$OUTRIDER_HOME`, else `.outrider` in the working directory."""
    return Path(os.environ.get("OUTRIDER_HOME") or ".outrider").absolute()


def default_cache() -> Path:
    """`$OUTRIDER_CACHE`, else /var/cache/outrider for root (other users can read it), else ~/.cache/outrider."""
    if chosen := os.environ.get("OUTRIDER_CACHE"):
        return Path(chosen).absolute()
    if os.geteuid() == 0:
        return Path("/var/cache/outrider")
    return Path.home() / ".cache" / "outrider"


@dataclass(frozen=True)
class Layout:
    """Directories and files of one stack."""

    home: Path
    cache: Path

    @property
    def state_file(self) -> Path:
        return self.home / "stack.json"

    @property
    def lock_file(self) -> Path:
        return self.home / "lock"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    @property
    def bundles(self) -> Path:
        """One directory of DAG files per team."""
        return self.home / "bundles"

    def data(self, component: str) -> Path:
        return self.home / "data" / component

    def log(self, process: str) -> Path:
        return self.home / "logs" / f"{process}.log"

    def make(self) -> None:
        """Make the directories. The home says to git that it is to be ignored."""
        for directory in (self.home, self.home / "logs", self.home / "data", self.bundles, self.cache):
            directory.mkdir(parents=True, exist_ok=True)
        self.secrets.mkdir(mode=0o700, exist_ok=True)
        (self.home / ".gitignore").write_text("*\n")
