"""How facts are said and heard: runners, inbox, outbox, parking, dead letters. The promises stand in `ports`."""

from pathlib import Path

MIGRATIONS = Path(__file__).parent / "migrations"
"""Numbered SQL files of schema `bus`; a service applies them before its own."""
