"""Live reload around an application, of whatever kind: an App, a WSGI callable, the failed boot.

Only `arlen serve` wraps an application, in development. So in production there is no route, script
or check that could be wrong: the code is not called.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError
from arlen_runtime.http.application import Admission, Application, WorkerHandle
from arlen_runtime.http.hosts import AllowedHosts
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Response
from arlen_runtime.live_reload.change_feed import ChangeFeed
from arlen_runtime.live_reload.page import CHANGES_PATH, SCRIPT, SCRIPT_PATH, add_script
from arlen_runtime.live_reload.watched_files import WatchedFiles

_READING = frozenset({"GET", "HEAD"})
_CHANGES_FIELDS = (("Cache-Control", "no-store"), ("X-Accel-Buffering", "no"), ("X-Content-Type-Options", "nosniff"))
_SCRIPT_FIELDS = (
    ("Cache-Control", "public, max-age=31536000, immutable"),  # its URL has a digest
    ("X-Content-Type-Options", "nosniff"),
)


def config_for_live_reload(config: Config) -> Config:
    """Return the configuration of an application whose pages are to reload.

    Pages are not compressed: a compressed page could not be changed. Public files are checked
    again at each load, else a page that loads again would get old ones from the browser's cache.
    """
    return replace(
        config,
        compression=replace(config.compression, enabled=False),
        static=replace(config.static, max_age_seconds=0),
    )


class LiveReload:
    """Adds a script to the pages of an application, and the event stream that it listens to."""

    def __init__(self, application: Application, config: Config, code: str, folders: Iterable[Path]) -> None:
        """`code` is the version of the code; `folders` hold files that are no code."""
        self.config = config
        self.feed = ChangeFeed(code, WatchedFiles(folders))
        self._application = application
        self._code = code
        self._hosts = AllowedHosts(config)
        self._changes = Admission("GET " + CHANGES_PATH, "none", 0, immediate=True)
        self._script = Admission("GET " + SCRIPT_PATH, "none", 0, immediate=True)
        self._admissions = {CHANGES_PATH: self._changes, SCRIPT_PATH: self._script}

    def start(self, worker: WorkerHandle) -> None:
        """Start the application."""
        self._application.start(worker)

    def admit(self, head: Head) -> Admission:
        """Admit a request for live reload, or let the application admit it."""
        admission = self._admissions.get(head.path)
        if admission is not None and head.method == "GET" and self._hosts.is_allowed(head):
            return admission
        return self._application.admit(head)

    def run(self, admission: Admission, request: Request) -> Response:
        """Answer a request."""
        if admission is self._changes:
            return Response(self.feed.subscribe(), 200, _CHANGES_FIELDS, "text/event-stream")
        if admission is self._script:
            return Response(SCRIPT.encode(), 200, _SCRIPT_FIELDS, "text/javascript; charset=utf-8")
        return self._with_script(self._application.run(admission, request), request.head)

    def refuse(self, error: ArlenError, head: Head | None) -> Response:
        """Let the application build the response."""
        return self._with_script(self._application.refuse(error, head), head)

    def __call__(self, request: Request) -> Response:
        """Admit a request and run it."""
        return self.run(self.admit(request.head), request)

    def _with_script(self, response: Response, head: Head | None) -> Response:
        # Not the answer to a form: loading that again would send the form again. HEAD has the
        # length of GET.
        if head is not None and head.method in _READING and self._hosts.is_allowed(head):
            add_script(response, self._code)
        return response
