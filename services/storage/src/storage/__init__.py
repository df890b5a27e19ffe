"""Bootstraps, seals and clears the environments of tasks."""
