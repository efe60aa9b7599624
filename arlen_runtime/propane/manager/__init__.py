"""The manager keeps the configured processes running.

Invariant: it never imports the application.
"""
