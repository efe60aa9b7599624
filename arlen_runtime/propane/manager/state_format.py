"""The format of the state that one manager hands over to the next.

A preflight learns from the environment which format its manager hands over, and exits with
`TAKES_OVER` only if it can read that. Any other program, an older release included, exits with
another status: then the current manager stays.
"""

from __future__ import annotations

import json
from collections.abc import MutableMapping
from typing import Any

from arlen_runtime.errors import BootError

FORMAT = 1
VARIABLE = "PROPANE_PREFLIGHT_FORMAT"
TAKES_OVER = 100
"""Exit status of a preflight that passed and can take over. Not 0: most programs exit with that."""

_NAMES_OF_FORMAT_0 = {
    "wanted": "worker_count",
    "places": "addresses",
    "lineages": "generations",
    "programs": "sidecars",
    "count": "generation_count",
    "reload_due": "reload_reason",
    "pid_file": "pid_file_fd",
    "orders": "boot_args",
    "invocation": "command_line",
    "listeners_ours": "owns_listeners",
    "broken": "boot_error",
    "ended": "has_exited",
    "due": "pending_starts",
    "asked_at": "requested_at",
    "retiring_at": "retiring_since",
    "leaving_at": "draining_since",
    "told": "stop_signal",
    "told_at": "stop_requested_at",
}
"""Release 0.1.0 wrote no format, and called these parts otherwise."""

_BY_NAME = frozenset({"commands", "crashes", "paths", "notifier", "flags", "environ"})
"""Parts whose keys are names of users, which stay as they are."""


def is_preflight(environ: MutableMapping[str, str]) -> bool:
    """Return True if a manager runs this process to check whether it could take over.

    Raise BootError if it hands over a format that this release cannot read.
    """
    text = environ.pop(VARIABLE, "")
    if text not in {"", str(FORMAT)}:
        raise _unknown_format(text)
    return text != ""


def in_current_format(state: dict[str, Any]) -> dict[str, Any]:
    """Return a handed-over state in the current format.

    Raise BootError if the format is unknown.
    """
    number = state.pop("format", 0)
    if number == 0:
        return _from_format_0(state)
    if number != FORMAT:
        raise _unknown_format(number)
    return state


def _unknown_format(name: object) -> BootError:
    return BootError(f"cannot take over state of format {name} (this release reads {FORMAT}): restart the service")


def _from_format_0(state: dict[str, Any]) -> dict[str, Any]:
    for generation in state["lineages"]:
        generation["orders"] = json.loads(generation["orders"])
        generation["workers"] = {worker["row"]: worker for worker in generation["workers"]}
    state["listeners"] = {key: state.pop(old) for key, old in _LISTENERS_OF_FORMAT_0.items()}
    state["programs"]["due"] = list(state["programs"]["due"].items())
    renamed: dict[str, Any] = _renamed(state)
    return renamed


_LISTENERS_OF_FORMAT_0 = {"sockets": "listeners", "paths": "paths", "addresses": "places"}


def _renamed(value: Any) -> Any:  # noqa: ANN401 - any JSON value
    if isinstance(value, dict):
        return {
            _NAMES_OF_FORMAT_0.get(key, key): item if key in _BY_NAME else _renamed(item) for key, item in value.items()
        }
    return [_renamed(item) for item in value] if isinstance(value, list) else value
