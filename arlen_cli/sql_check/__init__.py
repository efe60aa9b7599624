"""Checks the SQL statements in the source of an application against its migrated schema."""
