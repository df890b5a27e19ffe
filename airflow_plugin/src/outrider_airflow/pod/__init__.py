"""A job as a pod in its team's namespace. Nothing here is imported before a DAG asks for the operator."""
