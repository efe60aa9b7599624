"""`arlen serve`: propane in the development environment, with one worker and a watcher."""

from __future__ import annotations

from arlen_runtime.propane.__main__ import main


def run(arguments: list[str]) -> int:
    """Serve until stopped; the flags are those of propane."""
    return main(arguments, development=True)
