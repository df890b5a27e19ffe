"""Spark in a team's pods: the driver is the job's container, and its executors come and go with it."""
