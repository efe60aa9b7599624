"""Whole databases: connect, create, drop, replace, and the client programs."""
