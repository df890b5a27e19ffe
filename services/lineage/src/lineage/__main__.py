"""`python -m lineage`."""

from outrider_chassis.service import run

from lineage.app import MIGRATIONS, wire
from lineage.settings import Settings

if __name__ == "__main__":
    run(Settings(), name="lineage", migrations=MIGRATIONS, wire=wire)
