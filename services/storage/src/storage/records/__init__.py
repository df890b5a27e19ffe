"""The service's tables: one module per table, functions over a connection. SQL lives here and nowhere else."""
