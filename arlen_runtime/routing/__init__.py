"""Paths to endpoints and back; pure strings."""
