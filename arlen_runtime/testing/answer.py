"""A response, as the test client received it."""

from __future__ import annotations

import json as _json
from collections.abc import Sequence
from typing import Any, NamedTuple


class Answer(NamedTuple):
    """A response, as it was serialized. `method` and `url` (a target) are of the last request."""

    status: int
    fields: Sequence[tuple[str, str]]
    body: bytes
    url: str
    method: str = "GET"

    def __repr__(self) -> str:
        """Return status and request: a failed assertion prints it."""
        return f"<Answer {self.status} {self.method} {self.url}>"

    @property
    def headers(self) -> dict[str, str]:
        """Header fields by lower-case name.

        Repeated fields are joined by a comma, as in HTTP.
        """
        joined: dict[str, str] = {}
        for name, value in self.fields:
            key = name.lower()
            joined[key] = f"{joined[key]}, {value}" if key in joined else value
        return joined

    @property
    def text(self) -> str:
        """The body, decoded as UTF-8."""
        return self.body.decode()

    def json(self) -> Any:  # noqa: ANN401 - JSON is anything
        """Return the body, parsed as JSON."""
        return _json.loads(self.body)
