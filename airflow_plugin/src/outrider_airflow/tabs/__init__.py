"""Tabs in Airflow's pages of runs and tasks: what Outrider knows of them, with the rights the user has in Airflow."""
