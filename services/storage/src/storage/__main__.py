"""Runs the service: `python -m storage`."""

from outrider_chassis.service import run

from storage.app import MIGRATIONS, wire
from storage.settings import Settings

if __name__ == "__main__":
    run(Settings(), name="storage", migrations=MIGRATIONS, wire=wire)
