"""`python -m sweep`."""

from outrider_chassis.service import run

from sweep.app import MIGRATIONS, wire
from sweep.settings import Settings

if __name__ == "__main__":
    run(Settings(), name="sweep", migrations=MIGRATIONS, wire=wire)
