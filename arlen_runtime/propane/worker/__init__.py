"""The worker: serves connections in one process."""
