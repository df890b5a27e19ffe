"""Decisions about teams: pure functions over frozen values. No clock, no I/O."""
