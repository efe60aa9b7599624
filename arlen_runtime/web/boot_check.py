"""Checks at boot that constant names in templates and code lead somewhere.

Names of templates, routes and assets are checked, outside development. All mistakes are reported at
once, a line for each. Names that are computed are not checked.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.routing.router import Router
from arlen_runtime.routing.routes import Endpoint, Routes
from arlen_runtime.web.code_references import code_references
from arlen_runtime.web.static_files import StaticFiles
from arlen_runtime.web.template_errors import did_you_mean, shortened
from arlen_runtime.web.template_references import Kind, Reference, template_references
from arlen_runtime.web.views import Views

_TEST_MODULES = ("test_", "conftest")


class BootCheck:
    """The names of one application."""

    def __init__(self, router: Router, views: Views, static_files: StaticFiles, helpers: Collection[str] = ()) -> None:
        """Take the parts of an application. `helpers` are the names of its own functions."""
        self._views = views
        self._static_files = static_files
        self._router = router
        self._helpers = frozenset(helpers)
        self._template_names: frozenset[str] = frozenset()
        self._routes = {endpoint.name: endpoint for endpoint in router.endpoints if endpoint.name is not None}
        self._fault_of: dict[Kind, Callable[[Reference], str]] = {
            "template": self._template_fault,
            "route": self._route_fault,
            "asset": self._asset_fault,
        }

    def run(self, config: Config, routes: Callable[[Routes], None]) -> None:
        """Compile the templates and check the names in them and in the application's code.

        The code is that of the package of `[app] target` if `routes` is a function of it, and that
        of the actions in any case. Raise BootError with all mistakes.
        """
        mistakes = self._views.compile()
        self._template_names = frozenset(self._views.environment.list_templates())
        references = [*self._in_templates(), *_in_code(config, routes, self._router.endpoints)]
        for reference in dict.fromkeys(references):
            fault = self._fault_of[reference.kind](reference)
            if fault:
                mistakes.append(f"{reference.file}:{reference.line}: {fault}")
        if mistakes:
            raise BootError("\n".join(mistakes))

    def _in_templates(self) -> Iterator[Reference]:
        """Yield the references of all templates.

        A helper of the application with the name of Arlen's function replaces it.
        """
        replaced = {kind for kind, name in (("route", "url_for"), ("asset", "asset")) if name in self._helpers}
        for name in self._views.compiled:
            for reference in template_references(self._views.environment, name):
                if reference.kind not in replaced:
                    yield reference

    def _template_fault(self, reference: Reference) -> str:
        if not self._template_names.isdisjoint(reference.names) or any(map(self._views.exists, reference.names)):
            return ""
        name = reference.names[0]
        return f"there is no template {shortened(name)!r}{did_you_mean(name, self._template_names)}"

    def _route_fault(self, reference: Reference) -> str:
        name = reference.names[0]
        endpoint = self._routes.get(name)
        if endpoint is None:
            return f"there is no route named {shortened(name)!r}{did_you_mean(name, self._routes)}"
        if reference.values is None:
            return ""
        absent = [parameter for parameter in endpoint.pattern.names if parameter not in reference.values]
        return f"the route {name!r} ({endpoint.pattern.text}) needs a value for {', '.join(absent)}" if absent else ""

    def _asset_fault(self, reference: Reference) -> str:
        """Return what is wrong with an asset. If nothing is, its digest is read now."""
        try:
            self._static_files.asset(reference.names[0])
        except ArlenError as error:
            return error.detail
        return ""


def _in_code(config: Config, routes: Callable[[Routes], None], endpoints: Iterable[Endpoint]) -> Iterator[Reference]:
    """Yield the references in the code of the application."""
    for path in _files_of_package(config, routes):
        yield from (item.reference for item in code_references(path))
    for endpoint in endpoints:
        for function in (endpoint.action, *endpoint.guards):
            code = getattr(inspect.unwrap(function), "__code__", None)
            if code is None:
                continue
            for item in code_references(Path(code.co_filename)):
                if code.co_firstlineno in item.functions:
                    yield item.reference


def _files_of_package(config: Config, routes: Callable[[Routes], None]) -> Iterator[Path]:
    """Yield the files of the target's package that are imported, without tests.

    None if the routes are those of a test: it builds an application of its own.
    """
    module = config.app.target.partition(":")[0]
    package = module.rpartition(".")[0] or module
    if not package or not _is_in(getattr(routes, "__module__", None) or "", package):
        return
    for name, loaded in list(sys.modules.items()):
        file = getattr(loaded, "__file__", None)
        if file and _is_in(name, package) and not any(part.startswith(_TEST_MODULES) for part in name.split(".")):
            yield Path(file)


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")
