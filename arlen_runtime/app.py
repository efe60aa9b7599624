"""The application: its parts are passed in once, checked and assembled at boot.

def create(config: Config) -> App:
    return App(config, routes, pg=ALNPg(config.database.url))
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from arlen_runtime.config.sections import Config
from arlen_runtime.error_pages.development import ErrorContext
from arlen_runtime.error_pages.pages import ErrorPages
from arlen_runtime.errors import ArlenError
from arlen_runtime.http.application import Admission, WorkerHandle
from arlen_runtime.http.request import Head, Request
from arlen_runtime.http.response import Response
from arlen_runtime.log.logger import Log
from arlen_runtime.middleware.chain import Factory, Proceed, compose, with_copied_responses
from arlen_runtime.middleware.compression import Compression
from arlen_runtime.middleware.conditions import conditions
from arlen_runtime.middleware.error_boundary import ErrorBoundary
from arlen_runtime.middleware.hosts import Hosts
from arlen_runtime.middleware.request_id import id_line, log_correlation_id, request_id
from arlen_runtime.middleware.security_headers import SecurityHeaders
from arlen_runtime.routing.answers import ANSWERS
from arlen_runtime.routing.router import Router
from arlen_runtime.routing.routes import Endpoint, Routes
from arlen_runtime.web.action import innermost
from arlen_runtime.web.built_in import built_in_endpoints, reject_shadowed_routes
from arlen_runtime.web.context import Context
from arlen_runtime.web.refusals import reject_websocket
from arlen_runtime.web.services import Services
from arlen_runtime.web.site_url import site_url
from arlen_runtime.web.static_files import StaticFiles
from arlen_runtime.web.views import Templates, Views

Hook = Callable[[], None]
Helper = Callable[..., object]

_NO_VALUES: dict[str, object] = {}


class EndpointChain(NamedTuple):
    """An endpoint and the middleware chain composed for it."""

    endpoint: Endpoint
    chain: Proceed


class App:
    """What `create(config)` returns and the server runs.

    It is an Application for the server, and a callable from request to response.
    """

    def __init__(  # noqa: PLR0913 - the parts of an application, as keywords
        self,
        config: Config,
        routes: Callable[[Routes], None],
        *,
        pg: Any = None,  # noqa: ANN401 - any database; the runtime uses only services.Database
        middleware: Sequence[Factory] = (),
        log: Log | None = None,
        templates: Templates | None = None,
        helpers: dict[str, Helper] | None = None,
        on_worker_start: Sequence[Hook] = (),
        on_worker_stop: Sequence[Hook] = (),
    ) -> None:
        """Assemble the application; connect to nothing. Raise BootError for mistakes.

        `middleware`: factories of layers, outermost first, between Arlen's layers and the guards.
        `templates` is a folder or a mapping of name to source; the default is `[templates] folder`
        in the package of the application. `helpers` are functions for templates. The hooks run in
        each worker: after its start, and after its last request.
        """
        development = config.environment == "development"
        all_helpers: dict[str, Helper] = {"url_for": self.url_for, "asset": self._asset_url, **(helpers or {})}
        self.config = config
        self.log = log or Log(config.log, config.environment, config.root)
        self.static_files = StaticFiles(config.static, config.root)
        self.router = self._build_router(_collect_routes(routes))
        self.views = Views(_templates_of(config) if templates is None else templates, all_helpers, reload=development)
        self.pages = ErrorPages(config, self.router.endpoints)
        self.security_headers = SecurityHeaders(config.security_headers)
        self.error_boundary = ErrorBoundary(self.pages, keep_statements=development)
        self.outer: tuple[Factory, ...] = (request_id, self.security_headers, self.error_boundary)
        inner = (Hosts(config), conditions, Compression(config.compression))
        self.inner: tuple[Factory, ...] = (*inner, *map(with_copied_responses, middleware))
        self.services = Services(config, self.log, self.router, self.views, pg)
        if hasattr(pg, "report_to"):
            pg.report_to(self.log.warning)
        self.on_worker_start = tuple(on_worker_start)
        self.on_worker_stop = tuple(on_worker_stop)
        self._worker: WorkerHandle | None = None
        self._assemble()

    def _build_router(self, endpoints: list[Endpoint]) -> Router:
        """Build the router: built-in endpoints match first, static files last."""
        built_ins = built_in_endpoints(self.config, self._is_draining, self._metrics)
        redirects = self.config.routing.trailing_slash == "redirect"
        router = Router([*built_ins, *endpoints, *self._static_endpoints()], redirect_slashes=redirects)
        reject_shadowed_routes(endpoints, router)
        return router

    def _assemble(self) -> None:
        self._admissions = {
            endpoint: self._build_admission(endpoint)
            for endpoint in (*self.router.endpoints, *self.router.variants, *ANSWERS)
        }
        self._fixed = {
            path: {method: self._admissions[endpoint] for method, endpoint in methods.items()}
            for path, methods in self.router.fixed.items()
        }

    def start(self, worker: WorkerHandle) -> None:
        """Start serving in a worker, after the fork."""
        self._worker = worker
        for hook in self.on_worker_start:
            hook()
        if worker.number == 0 and hasattr(self.services.pg, "connection_budget"):
            # On a thread of its own: a database that does not answer must not delay the start.
            threading.Thread(target=self._check_budget, name="budget", daemon=True).start()
        for hook in self.on_worker_stop:
            worker.on_stop(hook)

    def _check_budget(self) -> None:
        """Warn if all workers together may open more connections than the database allows."""
        try:
            warning = self.services.pg.connection_budget(self.config.propane_accessories.worker_count)
        except ArlenError:  # /readyz reports that the database is unreachable
            return
        if warning:
            self.log.warning("connection_budget", reason=warning)

    def admit(self, head: Head) -> Admission:
        """Return the admission for a head. Paths without parameters share one Admission.

        Raise NotImplementedByServer for a WebSocket handshake.
        """
        if b"upgrade" in head.headers.first:
            reject_websocket(head)
        methods = self._fixed.get(head.path)
        if methods is not None and (admission := methods.get(head.method)) is not None:
            return admission
        match = self.router.match(head.method, head.path, head)
        shared = self._admissions[match.endpoint]
        return Admission(
            shared.key, shared.policy, shared.limit, shared.endpoint, match.params, immediate=shared.immediate
        )

    def run(self, admission: Admission, request: Request) -> Response:
        """Run the chain of the admitted endpoint."""
        composed: EndpointChain = admission.endpoint  # type: ignore[assignment] # see `_build_admission`; a cast would cost a call
        endpoint, chain = composed
        return chain(Context(self.services, request, endpoint, admission.params or _NO_VALUES))

    def refuse(self, error: ArlenError, head: Head | None) -> Response:
        """Return the response for an error of the server.

        It has the same format and headers as a response of the chain.
        """
        response = self.pages.respond(error, ErrorContext(head))
        response.prepared = self.security_headers.lines(response, head.scheme if head else "http")
        if head is not None:
            response.prepared += id_line(head)
            log_correlation_id(head, response)
        return response

    def __call__(self, request: Request) -> Response:
        """Admit a request and run it."""
        return self.run(self.admit(request.head), request)

    def url_for(self, name: str, /, **values: object) -> str:
        """Return the URL of a named route."""
        return self.router.url_for(name, values)

    def absolute_url_for(self, name: str, /, **values: object) -> str:
        """Return the URL of a named route with scheme and host, which `[app] url` names."""
        return self.router.absolute_url_for(name, values, site_url(self.config, None))

    def _asset_url(self, name: str) -> str:
        return self.static_files.asset(name)

    def _static_endpoints(self) -> list[Endpoint]:
        """Return the endpoint for static files, unless a front server serves them."""
        return [self.static_files.endpoint()] if self.config.static.enabled else []

    def _metrics(self) -> str:
        """Return the counters of the server; empty if no server started the application."""
        return self._worker.metrics() if self._worker is not None else ""

    def _is_draining(self) -> bool:
        return self._worker is not None and self._worker.draining()

    def _build_admission(self, endpoint: Endpoint) -> Admission:
        factories = self.outer if endpoint.bare else (*self.outer, *self.inner)
        limit = self.config.limits.body_bytes if endpoint.limit is None else endpoint.limit
        composed = EndpointChain(
            endpoint, compose(factories, endpoint, innermost(endpoint, by_accept=endpoint in self.router.negotiated))
        )
        return Admission(endpoint.key, endpoint.body, limit, composed, {}, immediate=endpoint.immediate)


def _collect_routes(routes: Callable[[Routes], None]) -> list[Endpoint]:
    collected = Routes()
    routes(collected)
    collected.check()
    return collected.endpoints


def _templates_of(config: Config) -> Templates:
    """Return the template folder: beside the module that `[app] target` names."""
    package = config.app.target.partition(":")[0].split(".")[:-1]
    return config.root.joinpath(*package, config.templates.folder)
