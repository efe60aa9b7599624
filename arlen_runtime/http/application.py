"""The interface between server and framework: four calls that every application implements.

Invariant: the server and the application know only what this file defines of each other.

The server calls `start` in each worker after the fork, `admit` when the header block is complete,
`run` when the handler chain can run, and `refuse` for requests that the server rejects itself, so
that all responses have one form.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from traceback import print_exception
from typing import Literal, Protocol, TextIO

from arlen_runtime.errors import ArlenError, HTTPError
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Response
from arlen_runtime.log.lines import NO_ENDPOINT, EndpointFields

BodyPolicy = Literal["none", "buffer", "stream"]
"""none: run at once; a body is refused or drained. buffer: run when the body is complete.

stream: run at once on a pool thread, which reads the body as it arrives.
"""


_new = object.__new__  # looked up once


class Admission:
    """The result of `admit`: timing key, body policy, body limit in bytes, and data for `run`.

    `log_fields` describe the endpoint in the access line.
    """

    __slots__ = ("endpoint", "immediate", "key", "limit", "log_fields", "params", "policy")

    def __init__(  # noqa: PLR0913 - the parts of an admission
        self,
        key: Hashable,
        policy: BodyPolicy,
        limit: int,
        endpoint: object = None,
        params: dict[str, object] | None = None,
        *,
        immediate: bool = False,
        log_fields: EndpointFields = NO_ENDPOINT,
    ) -> None:
        """Build an admission; `immediate` requests are never queued (health checks)."""
        self.key = key
        self.policy = policy
        self.limit = limit
        self.endpoint = endpoint
        self.params = params
        self.immediate = immediate
        self.log_fields = log_fields

    def with_params(self, params: dict[str, object]) -> Admission:
        """Return this admission for a request with these values of its path."""
        copy = _new(Admission)  # without __init__, whose keywords take as long as the rest
        copy.key = self.key
        copy.policy = self.policy
        copy.limit = self.limit
        copy.endpoint = self.endpoint
        copy.params = params
        copy.immediate = self.immediate
        copy.log_fields = self.log_fields
        return copy


class WorkerHandle(Protocol):
    """The server's side of `start`: what an application can ask of its worker."""

    number: int
    """The slot of this worker, from 0; a worker that replaces another takes over its slot."""

    generation: int
    """The number of its generation; each reload has the next one."""

    def draining(self) -> bool:
        """Return True if this worker is about to stop; readiness then answers 503."""
        ...

    def metrics(self) -> str:
        """Return the counters of all workers in the Prometheus text format."""
        ...

    def shared(self, name: str, size: int) -> memoryview:
        """Return `size` bytes of zeroed memory shared under `name`.

        All workers of all generations share it.
        """
        ...

    def on_stop(self, hook: Callable[[], None]) -> None:
        """Call `hook` after the last request of this worker."""
        ...


class Application(Protocol):
    """The calls that the server makes."""

    def start(self, worker: WorkerHandle) -> None:
        """Open what must not be open before the fork: pools, threads, random state."""
        ...

    def admit(self, head: Head) -> Admission:
        """Find the endpoint. Must not fail and must not wait: 404 and 405 are endpoints too."""
        ...

    def run(self, admission: Admission, request: Request) -> Response:
        """Run the handler chain. Must not raise."""
        ...

    def refuse(self, error: ArlenError, head: Head | None) -> Response:
        """Build the response to a request that the server rejects.

        Runs no user code and must not fail. `head` is None if no head could be read.
        """
        ...


def admit_or_raise(application: Application, head: Head, error_log: TextIO | None = None) -> Admission:
    """Call `application.admit` where there is no server log.

    If a converter of the application raises something else than HTTPError, print its traceback
    to `error_log` (standard error if None) and raise ArlenError instead. HTTPError passes
    through.
    """
    try:
        return application.admit(head)
    except HTTPError:
        raise
    except Exception as error:
        print_exception(error, file=error_log)
        raise ArlenError("the request could not be admitted") from error
