"""Version of an installed distribution.

`importlib.metadata` is imported on use only, because it loads slowly.
"""

from __future__ import annotations


def version_of(distribution: str) -> str:
    """Return the version of an installed distribution."""
    from importlib.metadata import version  # noqa: PLC0415 - LAZY in arlen_cli/__init__.py

    return version(distribution)
