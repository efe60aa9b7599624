"""One statement on one connection, driven through libpq."""
