"""The application that answers while the real one cannot start."""

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
    """Answers every request with the reason, for `arlen serve`.

    Never use it in production: it shows source code.
    """

    def __init__(self, error: BaseException, config: Config, *, refreshes: bool = True) -> None:
        self._failure = BootFailure(error, config, refreshes=refreshes)
        self._pages = ErrorPages(config, ())
        # The answer shows source code, so hosts are checked as strictly as in development.
        self._hosts = AllowedHosts(replace(config, environment="development"))
        self._admission = Admission("boot failure", "none", 0)

    def start(self, worker: WorkerHandle) -> None:
        """Do nothing."""

    def admit(self, head: Head) -> Admission:  # noqa: ARG002 - Application's signature
        """Admit every request."""
        return self._admission

    def run(self, admission: Admission, request: Request) -> Response:  # noqa: ARG002 - Application's signature
        """Return the reason."""
        return self._respond(request.head)

    def refuse(self, error: ArlenError, head: Head | None) -> Response:
        """Return the reason. Without a head, return only what was wrong with the request."""
        return self._respond(head) if head is not None else self._pages.respond(error, ErrorContext(None))

    def __call__(self, request: Request) -> Response:
        """Return the reason."""
        return self._respond(request.head)

    def _respond(self, head: Head) -> Response:
        """Return the failure, or a refusal if the Host is not one of the application."""
        refusal = self._hosts.refusal(head)
        return self._pages.respond(refusal, ErrorContext(head)) if refusal else self._failure.respond(head)
