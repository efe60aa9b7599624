"""PostgreSQL by explicit SQL. Knows nothing of HTTP."""
