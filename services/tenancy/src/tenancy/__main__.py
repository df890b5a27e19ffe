"""`python -m tenancy`."""

from pathlib import Path

from outrider_chassis.service import run

from tenancy.app import wire
from tenancy.settings import Settings

if __name__ == "__main__":
    run(Settings(), name="tenancy", migrations=Path(__file__).parent / "migrations", wire=wire)
