"""Pages from templates: Jinja2 with autoescape and strict undefined values.

Outside development, every template is compiled when the application is built and is not reloaded,
so a broken template fails at boot. In development, changes on disk are reloaded. Templates see
`url_for`, `asset`, `csrf_field` and `csp_nonce`, and the values of `render`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from jinja2 import (
    BaseLoader,
    DictLoader,
    FileSystemLoader,
    StrictUndefined,
    Template,
    TemplateNotFound,
    TemplateSyntaxError,
)

from arlen_runtime.errors import BootError
from arlen_runtime.web.template_compiler import PageEnvironment

Templates = Path | Mapping[str, str]
"""A folder, or a mapping of name to source (for one-file applications and tests)."""

_PLAIN = (".txt", ".md")


class Views:
    """Templates of one application."""

    def __init__(self, templates: Templates, helpers: Mapping[str, Callable[..., object]], *, reload: bool) -> None:
        """Find the templates. Without `reload`, compile all of them now.

        Raise BootError with file and line for a broken template.
        """
        self.environment = PageEnvironment(
            loader=_loader(templates),
            autoescape=lambda name: name is None or not name.endswith(_PLAIN),
            undefined=StrictUndefined,
            auto_reload=reload,
            cache_size=-1,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self.folders = (templates,) if isinstance(templates, Path) else ()
        """Folders of templates; empty for a mapping."""
        self.environment.globals.update(helpers)
        self._compiled: dict[str, Template] = {}
        if not reload:
            self._compiled = {
                name: self._compile(name) for name in self.environment.list_templates(filter_func=_is_ours)
            }

    def render(self, name: str, values: dict[str, object]) -> str:
        """Return the page.

        Raise TemplateNotFound, UndefinedError, or what the values raise.
        """
        template = self._compiled.get(name)
        if template is None:
            template = self.environment.get_template(name)
        return template.render(values)

    def _compile(self, name: str) -> Template:
        try:
            return self.environment.get_template(name)
        except TemplateSyntaxError as error:
            place = error.filename or error.name or name
            raise BootError(f"{place}:{error.lineno}: {error.message}") from error
        except (TemplateNotFound, UnicodeDecodeError) as error:
            raise BootError(f"the template {name} cannot be read: {error}") from error


def _loader(templates: Templates) -> BaseLoader:
    """Return the loader. If the folder does not exist, the application has no pages."""
    return FileSystemLoader(templates) if isinstance(templates, Path) else DictLoader(templates)


def _is_ours(name: str) -> bool:
    """Leave out backup and hidden files of editors and systems."""
    return not name.rpartition("/")[2].startswith(".") and not name.endswith("~")
