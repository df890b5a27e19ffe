"""Working off what was read: in lanes or in batches, once more, and what is parked meanwhile."""
