"""Checks the SQL statements of the source against the migrated schema."""
