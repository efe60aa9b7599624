"""Middleware that runs around every action."""
