"""Sweep: reads Airflow's REST API and says what the listener could not."""
