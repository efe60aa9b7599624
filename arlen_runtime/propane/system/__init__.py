"""Thin wrappers of system calls. They know nothing of propane."""
