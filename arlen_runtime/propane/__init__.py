"""The production server: a prefork manager, generations and their workers."""
