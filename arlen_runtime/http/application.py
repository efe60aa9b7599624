"""The door between server and framework: four calls. One rule: neither side knows more of the other than this file says.

`start` in each worker after fork, `admit` as soon as the header block is there, `run` when the chain may run, `refuse`
for what the server turns away itself, so that every answer has one shape.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from traceback import print_exception
from typing import Literal, Protocol, TextIO

from arlen_runtime.errors import ArlenError, HTTPError
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Response

BodyPolicy = Literal["none", "buffer", "stream"]
"""none: the chain runs at once, a body is refused or drained; buffer: it runs when the body is there; stream: it runs at
once on a pool thread and reads the body as it comes."""


class Admission:
    """What `admit` found: the estimate's key, the body's policy and limit in bytes, and what `run` will need again."""

    __slots__ = ("endpoint", "immediate", "key", "limit", "params", "policy")

    def __init__(
        self,
        key: Hashable,
        policy: BodyPolicy,
        limit: int,
        endpoint: object = None,
        params: dict[str, object] | None = None,
        *,
        immediate: bool = False,
    ) -> None:
        """Build a ticket; `immediate` requests are never queued (health checks)."""
        self.key = key
        self.policy = policy
        self.limit = limit
        self.endpoint = endpoint
        self.params = params
        self.immediate = immediate


class WorkerHandle(Protocol):
    """What the server gives the application in `start`."""

    number: int
    """The slot of this worker, from 0; a respawned worker takes the slot of the one before it."""

    def draining(self) -> bool:
        """Say whether this worker is about to stop: readiness answers 503 then."""
        ...

    def metrics(self) -> str:
        """Return the server's counters over all workers in Prometheus' text format."""
        ...

    def shared(self, name: str, size: int) -> memoryview:
        """Return `size` bytes of memory, zero at first, that all workers of all generations share under that name."""
        ...

    def on_stop(self, hook: Callable[[], None]) -> None:
        """Have `hook` called after the last request of this worker."""
        ...


class Application(Protocol):
    """What the server asks of an application."""

    def start(self, worker: WorkerHandle) -> None:
        """Open what must not be open before the fork: pools, threads, random state."""
        ...

    def admit(self, head: Head) -> Admission:
        """Find the endpoint. Must not fail and must not wait: 404 and 405 are endpoints too."""
        ...

    def run(self, admission: Admission, request: Request) -> Response:
        """Run the chain. Must not raise."""
        ...

    def refuse(self, error: ArlenError, head: Head | None) -> Response:
        """Answer for the server; runs no user code and must not fail. `head` is None when there was none to read."""
        ...


def admit_or_raise(application: Application, head: Head, error_log: TextIO | None = None) -> Admission:
    """Have the endpoint found where there is no server's log: what a converter of the application raises is told in `told`.

    Without it that is standard error. Raises HTTPError, and ArlenError in place of anything else.
    """
    try:
        return application.admit(head)
    except HTTPError:
        raise
    except Exception as error:
        print_exception(error, file=error_log)
        raise ArlenError("the request could not be admitted") from error
