"""Decisions of the storage service: pure functions over frozen values; no clock, no I/O."""
