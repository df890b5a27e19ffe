"""Cluster policies (entry point `airflow.policy`)."""
