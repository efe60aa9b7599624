"""Thin calls of the operating system. Nothing here knows propane."""
