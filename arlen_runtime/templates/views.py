"""Pages from templates: Jinja2 with autoescape and errors for undefined values.

Outside development, every template that the loader can list is compiled when the application is
built and is not reloaded, so a broken template fails at boot. In development, changes on disk are
reloaded. Templates see `url_for`, `asset`, `csrf_field` and `csp_nonce`, the helpers of the
application, and the values of `render`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from jinja2 import (
    BaseLoader,
    DictLoader,
    Environment,
    FileSystemLoader,
    Template,
    TemplateNotFound,
    TemplateSyntaxError,
)
from jinja2.runtime import Context as TemplateContext

from arlen_runtime import scope
from arlen_runtime.callables import name_of, place_of
from arlen_runtime.errors import ArlenError, BootError
from arlen_runtime.http import media_types
from arlen_runtime.http.json_text import dumps_for_scripts
from arlen_runtime.nearest_words import NAMES_OF_FILES, suggestion
from arlen_runtime.scope import PageRequest
from arlen_runtime.templates.compiler import PageEnvironment
from arlen_runtime.templates.errors import MissingValue, explain, shortened, there_are

Templates = Path | Mapping[str, str]
"""A folder, or a mapping of name to source (for one-file applications and tests)."""

Functions = Mapping[str, Callable[..., Any]]
"""Helpers, filters or tests of templates by name."""

Configure = Callable[[Environment], object]
"""Changes the environment of Jinja2 before the first template is compiled."""

Blocks = dict[str, list[Callable[[TemplateContext], Iterator[str]]]]

CONTENT_TYPES = {
    suffix: media_types.of(f"page.{suffix}") for suffix in ("html", "xml", "txt", "md", "csv", "json", "svg")
}
"""Suffixes of templates. The last one in a name that is known decides: `feed.xml.j2` is XML."""

_PLAIN = frozenset({"txt", "md", "csv", "json"})
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_RESERVED = frozenset({"ctx", "csrf_field", "csp_nonce"})


@lru_cache(1024)
def content_type(name: str) -> str:
    """Return the content type of a template's text, by the suffix of its name."""
    return CONTENT_TYPES.get(_suffix(name), CONTENT_TYPES["html"])


class Views:
    """Templates of one application."""

    def __init__(
        self,
        templates: Templates,
        helpers: Functions,
        *,
        reload: bool,
        filters: Functions | None = None,
        tests: Functions | None = None,
        configure: Configure | None = None,
    ) -> None:
        """Prepare the environment; compile nothing.

        Raise BootError for functions that templates cannot use, and if `configure` fails.
        """
        _check_functions({"helpers": helpers, "filters": filters or {}, "tests": tests or {}})
        self.environment = PageEnvironment(
            loader=_loader(templates),
            autoescape=_is_escaped,
            undefined=MissingValue,
            auto_reload=reload,
            cache_size=-1,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self.folders = (templates,) if isinstance(templates, Path) else ()
        """Folders of templates; empty for a mapping."""
        self.environment.policies |= {"json.dumps_function": _json_text, "json.dumps_kwargs": {}}
        self.environment.globals.update(helpers)
        self.environment.filters.update(filters or {})
        self.environment.tests.update(tests or {})
        if configure is not None:
            _configure(configure, self.environment)
        self.environment.globals.update(csrf_field=_csrf_field, csp_nonce=_csp_nonce)
        self._compiled: dict[str, Template] = {}

    def compile(self) -> list[str]:
        """Compile all templates, for an application whose files do not change.

        Return what is wrong with them, a line for each broken template. One of an installed package
        is left to the pages that use it. So are all if the loader cannot list them.
        """
        mistakes = []
        for name in self.names() or ():
            try:
                self._compiled[name] = self.environment.get_template(name)
            except TemplateSyntaxError as error:
                if self._is_own(error.filename):
                    mistakes.append(f"{error.filename or error.name or name}:{error.lineno}: {error.message}")
            except UnicodeDecodeError as error:
                if _suffix(name):  # else it is no template but, for example, an image
                    mistakes.append(f"the template {name} cannot be read: {error}")
            except TemplateNotFound as error:
                mistakes.append(f"the template {name} cannot be read: {error}")
        return mistakes

    def names(self) -> list[str] | None:
        """Return the names of all templates, without backup and hidden files.

        None if the loader cannot list them: a function, or a database.
        """
        try:
            return self.environment.list_templates(filter_func=_is_ours)
        except TypeError:
            return None

    def exists(self, name: str) -> bool:
        """Return True if a template has this name, also in a spelling that is not listed."""
        try:
            self.environment.get_template(name)
        except TemplateNotFound:
            return False
        except (TemplateSyntaxError, UnicodeDecodeError):
            pass  # it exists, and `compile` reports it
        return True

    @property
    def own_templates(self) -> list[str]:
        """The names of the templates that were compiled, without those of installed packages."""
        return [name for name, template in self._compiled.items() if self._is_own(template.filename)]

    def _is_own(self, filename: str | None) -> bool:
        path = Path(filename or "")
        return _INSTALLED.isdisjoint(path.parts) or any(path.is_relative_to(folder) for folder in self.folders)

    def render(self, name: str, values: dict[str, Any], request: PageRequest | None = None) -> str:
        """Return the page. `request` is in it as `ctx`.

        Raise TemplateNotFound, UndefinedError, or what the values and helpers raise, with the
        template and the line.
        """
        template = self._compiled.get(name) or self._load(name)
        return self._run(template, template.root_render_func, values, request)

    def render_block(self, name: str, block: str, values: dict[str, Any], request: PageRequest | None = None) -> str:
        """Return one block of a page, also of its parent templates.

        What the templates define before their first output is run first: imports and `set`.
        Raise ArlenError if there is no such block.
        """
        template = self._compiled.get(name) or self._load(name)

        def block_function(context: TemplateContext) -> Iterator[str]:
            blocks = _blocks(template, context)
            if block not in blocks:
                raise ArlenError(f"the template {name} has no block {block!r}{there_are(block, blocks)}")
            return blocks[block][0](context)

        return self._run(template, block_function, values, request)

    def _run(
        self,
        template: Template,
        function: Callable[[TemplateContext], Iterator[str]],
        values: dict[str, Any],
        request: PageRequest | None,
    ) -> str:
        """Return the text that a function of a template makes.

        Raise TypeError for a value that would replace what every page of a request has.
        """
        if request is not None:
            if "ctx" in values or "csrf_field" in values:
                raise _reserved_name_error(values)
            values["ctx"] = request
        token = scope.page_request.set(request)
        try:
            return "".join(function(template.new_context(values)))
        except Exception as error:  # noqa: BLE001 - raised again, with its place
            explained = explain(error)
            if explained is not error:
                raise explained from None
            self.environment.handle_exception()
        finally:
            scope.page_request.reset(token)

    def _load(self, name: str) -> Template:
        """Return a template that is not compiled yet."""
        try:
            return self.environment.get_template(name)
        except TemplateNotFound:
            hint = suggestion(name, self._compiled or self.names() or (), NAMES_OF_FILES)
            raise TemplateNotFound(name, f"there is no template {shortened(name)!r}{hint}") from None


def _reserved_name_error(values: Mapping[str, Any]) -> TypeError:
    name = "ctx" if "ctx" in values else "csrf_field"
    return TypeError(f"every template has {name} already: render the value under another name")


class _PausedBlocks(Blocks):
    """The blocks of a page, each with a function in front of it that makes no output."""

    def setdefault(self, name: str, _default: Any = None, /) -> Any:  # noqa: ANN401 - as in dict
        """Return the functions of a block. A child template calls this for those of its parent."""
        if name not in self:
            self[name] = [_nothing]
        return self[name]


def _nothing(_context: TemplateContext) -> Iterator[str]:
    yield ""


def _blocks(template: Template, context: TemplateContext) -> Blocks:
    """Return the blocks of a template and its parents by name, the innermost function first.

    The template runs up to its first output or block. Then it has run its imports, and each
    template of the chain has added its blocks to the context.
    """
    paused = _PausedBlocks({name: [_nothing, *functions] for name, functions in context.blocks.items()})
    context.blocks = paused
    next(template.root_render_func(context), None)
    context.blocks = {name: functions[1:] for name, functions in paused.items()}
    return context.blocks


def _request() -> PageRequest:
    request = scope.page_request.get()
    if request is None:
        raise ArlenError("csrf_field and csp_nonce need a request: render the template with ctx.render")
    return request


def _csrf_field() -> str:
    return _request().csrf_field()


def _csp_nonce() -> str:
    return _request().csp_nonce


def _json_text(value: object, indent: int | None = None) -> str:
    """Return the text for the filter `tojson`. Raise UndefinedError for what is undefined."""
    if isinstance(value, MissingValue):
        str(value)
    return dumps_for_scripts(value, indent)


def _check_functions(functions: Mapping[str, Functions]) -> None:
    """Raise BootError with every name that is reserved, and every value that is not callable."""
    mistakes = []
    for argument, by_name in functions.items():
        for name, function in by_name.items():
            if name in _RESERVED:
                mistakes.append(f"App({argument}=): the name {name!r} is Arlen's own: use another one")
            elif not callable(function):
                mistakes.append(f"App({argument}=): {name!r} must be a function, not {type(function).__qualname__}")
    if mistakes:
        raise BootError("\n".join(mistakes))


def _configure(configure: Configure, environment: Environment) -> None:
    """Call the application's function. Raise BootError if it fails."""
    if not callable(configure):
        raise BootError(f"App(jinja=) must be a function of the environment, not {type(configure).__qualname__}")
    try:
        configure(environment)
    except Exception as error:
        subject = f"{place_of(configure)}: App(jinja={name_of(configure)})"
        raise BootError(f"{subject} raised {type(error).__qualname__}: {error}") from error


@lru_cache(1024)  # Jinja2 calls it for every page
def _is_escaped(name: str | None) -> bool:
    return name is None or _suffix(name) not in _PLAIN


def _suffix(name: str) -> str:
    """Return the last suffix of a name that is known, "" if there is none."""
    suffixes = name.rpartition("/")[2].split(".")[1:]
    return next((suffix for suffix in reversed(suffixes) if suffix in CONTENT_TYPES), "")


def _loader(templates: Templates) -> BaseLoader:
    """Return the loader. If the folder does not exist, the application has no pages."""
    if isinstance(templates, Path):
        return FileSystemLoader(templates)
    if isinstance(templates, Mapping):
        return DictLoader(templates)
    kind = type(templates).__qualname__
    raise BootError(f"App(templates=) must be a Path, or a mapping of name to source, not {kind}")


def _is_ours(name: str) -> bool:
    """Leave out backup and hidden files of editors and systems."""
    return not name.rpartition("/")[2].startswith(".") and not name.endswith("~")
