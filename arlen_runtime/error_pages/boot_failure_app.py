"""A door for an application that does not start. One rule: it keeps the socket answered until there is a better one."""

from __future__ import annotations

from dataclasses import replace

from arlen_runtime.config.sections import Config
from arlen_runtime.error_pages.boot_failure import BootFailure
from arlen_runtime.error_pages.development import Occasion
from arlen_runtime.error_pages.pages import ErrorPages
from arlen_runtime.errors import ArlenError
from arlen_runtime.http.application import Ticket, Worker
from arlen_runtime.http.hosts import AllowedHosts
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Response


class BrokenApp:
    """Answers with what is wrong whoever may ask, for `arlen serve`. Never for production: it shows source."""

    def __init__(self, error: BaseException, config: Config) -> None:
        """Take what ended the boot, and the configuration, whose secrets are not shown."""
        self._failure = BootFailure(error, config)
        self._pages = ErrorPages(config, ())
        self._hosts = AllowedHosts(replace(config, environment="development"))  # source is shown, so as strict as there
        self._ticket = Ticket("boot failure", "none", 0)

    def start(self, worker: Worker) -> None:
        """Open nothing."""

    def admit(self, head: Head) -> Ticket:  # noqa: ARG002 - the door's signature; every request gets the same
        """Let everything in."""
        return self._ticket

    def run(self, ticket: Ticket, request: Request) -> Response:  # noqa: ARG002 - the door's signature
        """Say what is wrong."""
        return self._tell(request.head)

    def refuse(self, error: ArlenError, head: Head | None) -> Response:
        """Say what is wrong; where no head tells who asks, only what was wrong with the request."""
        return self._tell(head) if head is not None else self._pages.respond(error, Occasion(None))

    def __call__(self, request: Request) -> Response:
        """Say what is wrong."""
        return self._tell(request.head)

    def _tell(self, head: Head) -> Response:
        """Answer with the failure, or with a refusal under a Host that is not the application's."""
        refusal = self._hosts.refusal(head)
        return self._pages.respond(refusal, Occasion(head)) if refusal else self._failure.respond(head)
