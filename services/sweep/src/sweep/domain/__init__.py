"""What is to be said of what was read: pure functions over frozen values. No clock, no I/O."""
