"""`arlen propane`: the production server, as the command `propane` starts it too."""

from __future__ import annotations

from arlen_runtime.propane.__main__ import main


def run(arguments: list[str]) -> int:
    """Serve until stopped; the flags are propane's."""
    return main(arguments)
