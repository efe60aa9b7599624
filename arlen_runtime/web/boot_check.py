"""Checks at boot that constant names in templates and code lead somewhere.

Names of templates, routes and assets are checked, outside development. All mistakes are reported at
once, a line for each. Names that are computed are not checked.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from arlen_runtime.callables import code_of
from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.nearest_words import NAMES_OF_FILES, suggestion
from arlen_runtime.routing.router import Router
from arlen_runtime.routing.routes import Routes
from arlen_runtime.templates.errors import shortened
from arlen_runtime.templates.references import Kind, Reference, template_references
from arlen_runtime.templates.views import Views
from arlen_runtime.web.code_references import Classes, code_references
from arlen_runtime.web.static_files import StaticFiles

_TEST_MODULES = ("test_", "conftest")


class BootCheck:
    """The names of one application."""

    def __init__(
        self, router: Router, views: Views, static_files: StaticFiles, classes: Classes, helpers: Collection[str]
    ) -> None:
        """Take the parts of an application.

        `classes` are those of its contexts and Apps. `helpers` are the functions of templates that
        are Arlen's: one that the application has replaced is not checked.
        """
        self._helpers = helpers
        self._views = views
        self._static_files = static_files
        self._router = router
        self._classes = classes
        self._template_names: frozenset[str] | None = None
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
        names = self._views.names()
        self._template_names = None if names is None else frozenset(names)
        references = [*self._in_templates(), *self._in_code(config, routes)]
        for reference in dict.fromkeys(references):
            fault = self._fault_of[reference.kind](reference)
            if fault:
                mistakes.append(f"{reference.file}:{reference.line}: {fault}")
        if mistakes:
            raise BootError("\n".join(mistakes))

    def _in_templates(self) -> Iterator[Reference]:
        """Yield the references of the application's own templates."""
        for name in self._views.own_templates:
            yield from template_references(self._views.environment, name, self._helpers)

    def _in_code(self, config: Config, routes: Callable[[Routes], None]) -> Iterator[Reference]:
        """Yield the references in the code of the application."""
        for path in _files_of_package(config, routes):
            yield from (item.reference for item in code_references(path, self._classes))
        for endpoint in self._router.endpoints:
            for code in filter(None, map(code_of, (endpoint.action, *endpoint.guards))):
                for item in code_references(Path(code.co_filename), self._classes):
                    if code.co_firstlineno in item.functions:
                        yield item.reference

    def _template_fault(self, reference: Reference) -> str:
        if self._template_names is None:  # the loader alone knows them, perhaps from a database
            return ""
        if not self._template_names.isdisjoint(reference.names) or any(map(self._views.exists, reference.names)):
            return ""
        name = reference.names[0]
        return f"there is no template {shortened(name)!r}{suggestion(name, self._template_names, NAMES_OF_FILES)}"

    def _route_fault(self, reference: Reference) -> str:
        name = reference.names[0]
        endpoint = self._routes.get(name)
        if endpoint is None:
            return f"there is no route named {shortened(name)!r}{suggestion(name, self._routes)}"
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


def _files_of_package(config: Config, routes: Callable[[Routes], None]) -> Iterator[Path]:
    """Yield the files of the target's package that are imported, without tests.

    None if the routes are those of a test: it builds an application of its own.
    """
    module = config.app.target.partition(":")[0]
    package = module.rpartition(".")[0] or module
    if not package or not _is_in(getattr(routes, "__module__", None) or "", package):
        return
    for name, loaded in list(sys.modules.items()):
        if not _is_in(name, package) or any(part.startswith(_TEST_MODULES) for part in name.split(".")):
            continue
        if file := getattr(loaded, "__file__", None):  # of no other module: a lazy one would be imported
            yield Path(file)


def _is_in(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")
