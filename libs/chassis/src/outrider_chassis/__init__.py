"""What every service needs once: settings, logs, pool and migrations, tokens, HTTP with callers, teams, `run`."""

from outrider_chassis.service import Resources, run
from outrider_chassis.settings import ServiceSettings

__all__ = ["Resources", "ServiceSettings", "run"]
