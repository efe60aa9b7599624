"""The production server: a prefork manager and its workers."""
