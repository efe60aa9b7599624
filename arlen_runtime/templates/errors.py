"""Errors of templates: undefined names and members, and the place of any error.

A name that is not defined is an error in every use but `is defined` and `default`. A missing member
of a value is false in a test, and an error in every other use.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from types import TracebackType
from typing import Any, NamedTuple

from jinja2 import StrictUndefined, Template, TemplateRuntimeError, UndefinedError
from jinja2.debug import get_template_locals
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.utils import internal_code, missing

from arlen_runtime.errors import ArlenError
from arlen_runtime.nearest_words import nearest_words

_MOST_NAMES = 12
_LONGEST = 200
_MOST_TEMPLATES = 50


class UndefinedName(UndefinedError):
    """A template used a name that nothing defines."""

    def __init__(self, message: str, *, name: str) -> None:
        super().__init__(message)
        self.name = name


class MissingValue(StrictUndefined):
    """The value of an undefined name, or of a member that a value does not have."""

    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,  # noqa: ANN401 - as in Jinja2
        name: str | None = None,
        exc: type[TemplateRuntimeError] = UndefinedError,
    ) -> None:
        """Keep what Jinja2 passes. `obj` is the value that has no member `name`."""
        super().__init__(hint, obj, name, exc)
        if name is not None and obj is missing:
            self._undefined_exception = partial(UndefinedName, name=name)  # type: ignore[assignment] # Jinja2 only calls it

    def __bool__(self) -> bool:  # type: ignore[override] # StrictUndefined never returns
        """Return False for a missing member, so that `{% if errors.title %}` works."""
        if self._undefined_name is not None and self._undefined_obj is missing:
            self._fail_with_undefined_error()
        return False


class _TemplateFrame(NamedTuple):
    """A frame of template code in a traceback: its template, and what called on from there."""

    trace: TracebackType
    template: Template

    @property
    def place(self) -> str:
        line = self.template.get_corresponding_lineno(self.trace.tb_lineno)
        return f"{self.template.name or '<template>'}:{line}"

    @property
    def values(self) -> set[str]:
        """The names of the template's values. The function of a macro does not have them."""
        context = self.trace.tb_frame.f_locals.get("context")
        return set() if context is None else {*context.get_all()}

    @property
    def names(self) -> set[str]:
        """The names in the scope of this line."""
        return {*get_template_locals(self.trace.tb_frame.f_locals), *self.template.globals}


def explain(error: Exception) -> Exception:
    """Return the error with the template and the line where it was raised.

    Call it before Jinja2 rewrites the traceback. The type of the error stays, except for templates
    that include one another without end.
    """
    frames = list(_template_frames(error.__traceback__))
    if not frames:
        return error
    innermost = frames[-1]
    if isinstance(error, UndefinedError) and "place" not in vars(error):
        error.args = (_undefined(error, frames),)
        vars(error)["place"] = innermost.place  # a helper may render a template: the inner place is right
    elif isinstance(error, RecursionError) and len(frames) > _MOST_TEMPLATES:
        names = sorted({str(frame.template.name) for frame in frames[-_MOST_TEMPLATES:]})
        return ArlenError(
            f"{innermost.place}: templates that include or call one another without end: {', '.join(names)}"
        )
    else:
        error.add_note(f"in the template {innermost.place}{_called(innermost.trace)}")
    return error


def there_are(name: str, names: Iterable[str]) -> str:
    """Return the end of a message that lists at most twelve names, the most similar first."""
    return f"; there are: {', '.join(nearest_words(name, names, _MOST_NAMES, 0)) or 'none'}"


def shortened(text: str) -> str:
    """Return a text that is short enough for a message."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _template_frames(trace: TracebackType | None) -> Iterator[_TemplateFrame]:
    while trace is not None:
        template = trace.tb_frame.f_globals.get("__jinja_template__")
        if template is not None:
            yield _TemplateFrame(trace, template)
        trace = trace.tb_next


def _undefined(error: UndefinedError, frames: list[_TemplateFrame]) -> str:
    innermost = frames[-1]
    message = f"{innermost.place}: {shortened(str(error))}"
    if not isinstance(error, UndefinedName):
        return message
    names = innermost.names.union(*(frame.values for frame in frames if frame.template is innermost.template))
    return f"{message}{there_are(error.name, names - DEFAULT_NAMESPACE.keys())}"


def _called(trace: TracebackType) -> str:
    """Return the function that the template called, if it is one of Python."""
    called = trace.tb_next
    while called is not None and called.tb_frame.f_code in internal_code:
        called = called.tb_next
    if called is None:
        return ""
    code = called.tb_frame.f_code
    return f", in {code.co_qualname} ({code.co_filename}:{code.co_firstlineno})"
