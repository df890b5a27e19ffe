"""What people do by hand: with sick lanes, stuck rows and dead letters."""
