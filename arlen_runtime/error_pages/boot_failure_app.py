"""A door for an application that does not start. One rule: it keeps the socket answered until there is a better one."""

from __future__ import annotations

from dataclasses import replace

from arlen_runtime.config.sections import Config
from arlen_runtime.error_pages.boot_failure import BootFailure
from arlen_runtime.error_pages.development import ErrorContext
from arlen_runtime.error_pages.pages import ErrorPages
from arlen_runtime.errors import ArlenError
from arlen_runtime.http.application import Admission, WorkerHandle
from arlen_runtime.http.hosts import AllowedHosts
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Response


class BootFailureApp:
    """Answers with what is wrong whoever may ask, for `arlen serve`. Never for production: it shows source."""

    def __init__(self, error: BaseException, config: Config) -> None:
        """Take what ended the boot, and the configuration, whose secrets are not shown."""
        self._failure = BootFailure(error, config)
        self._pages = ErrorPages(config, ())
        self._hosts = AllowedHosts(replace(config, environment="development"))  # source is shown, so as strict as there
        self._admission = Admission("boot failure", "none", 0)

    def start(self, worker: WorkerHandle) -> None:
        """Open nothing."""

    def admit(self, head: Head) -> Admission:  # noqa: ARG002 - the door's signature; every request gets the same
        """Let everything in."""
        return self._admission

    def run(self, admission: Admission, request: Request) -> Response:  # noqa: ARG002 - the door's signature
        """Say what is wrong."""
        return self._respond(request.head)

    def refuse(self, error: ArlenError, head: Head | None) -> Response:
        """Say what is wrong; where no head tells who asks, only what was wrong with the request."""
        return self._respond(head) if head is not None else self._pages.respond(error, ErrorContext(None))

    def __call__(self, request: Request) -> Response:
        """Say what is wrong."""
        return self._respond(request.head)

    def _respond(self, head: Head) -> Response:
        """Answer with the failure, or with a refusal under a Host that is not the application's."""
        refusal = self._hosts.refusal(head)
        return self._pages.respond(refusal, ErrorContext(head)) if refusal else self._failure.respond(head)
