"""Decisions of lineage: what facts mean, how they merge, what is said because of them. Pure; no clock, no I/O."""
