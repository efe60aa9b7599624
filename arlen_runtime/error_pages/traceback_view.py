"""A traceback as values: frames with their source and locals.

Locals are redacted by name and by value. A broken `__repr__` is shown as such.

Invariant: nothing here raises, whatever the objects in the frames do.
"""

from __future__ import annotations

import linecache
import reprlib
import traceback
from collections.abc import Callable
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, NamedTuple

from arlen_runtime.config.masks import MASK, is_secret_name, mask_text

_CONTEXT_LINES = 5
_MOST_LOCALS = 30
_LONGEST = 240
_PAIR = 2


class SourceLine(NamedTuple):
    """A line of source: its number, its text, and whether it is the one that ran."""

    number: int
    text: str
    is_current: bool


class Frame(NamedTuple):
    """One call: its place, the source around it, its locals as text.

    `own` is True for code of the application.
    """

    file: str
    line: int
    function: str
    source: tuple[SourceLine, ...]
    locals: tuple[tuple[str, str], ...]
    own: bool


class Cause(NamedTuple):
    """One exception of the chain: type, message, frames.

    `relation` says how it led to the exception before it.
    """

    type_name: str
    message: str
    relation: str
    frames: tuple[Frame, ...]


class _MaskedRepr(reprlib.Repr):
    """repr() of bounded length, redacted.

    It redacts before it truncates: half a secret would not be recognized.
    """

    def __init__(self, mask: Callable[[str], str]) -> None:
        super().__init__()
        self.maxstring = self.maxother = _LONGEST
        self.maxdict = self.maxlist = self.maxtuple = 20
        self._mask = mask

    def repr_str(self, x: str, level: int) -> str:
        """Show a string."""
        return super().repr_str(self._mask(x), level)

    def repr_instance(self, x: object, level: int) -> str:  # noqa: ARG002 - reprlib's signature
        """Show an instance of a type that reprlib does not know."""
        try:
            return _truncate(self._mask(repr(x)))
        except Exception as error:  # noqa: BLE001 - any class may have a broken __repr__
            return f"<{type(x).__qualname__}: its __repr__ raised {type(error).__qualname__}>"

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """Show a dict. Values of secret names are masked."""
        return super().repr_dict({key: MASK if _is_secret(key) else value for key, value in x.items()}, level)

    def repr_tuple(self, x: tuple[Any, ...], level: int) -> str:
        """Show a tuple.

        In a pair of name and value, as headers are, a secret value is masked.
        """
        return super().repr_tuple((x[0], MASK) if len(x) == _PAIR and _is_secret(x[0]) else x, level)


class Redactor:
    """Masks values of secret names, secret values anywhere, and passwords in URLs."""

    def __init__(self, secrets: frozenset[str]) -> None:
        self._secrets = sorted((secret for secret in secrets if secret), key=len, reverse=True)
        self._repr = _MaskedRepr(self.text)

    def text(self, text: str) -> str:
        """Mask the secrets in a text."""
        for secret in self._secrets:
            text = text.replace(secret, MASK)
        return mask_text(text)

    def value(self, name: str, value: object) -> str:
        """Return a value as text, masked."""
        if is_secret_name(name):
            return MASK
        try:
            return _truncate(self.text(value if isinstance(value, str) else self._repr.repr(value)))
        except Exception as error:  # noqa: BLE001 - any class may have a broken __repr__
            return f"<{type(value).__qualname__}: its __repr__ raised {type(error).__qualname__}>"


def _truncate(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _is_secret(key: object) -> bool:
    """Return True if the key names a secret. Header names are bytes."""
    text = key.decode("latin-1") if isinstance(key, bytes) else key
    return isinstance(text, str) and is_secret_name(text)


def causes(error: BaseException, root: Path, redactor: Redactor) -> list[Cause]:
    """Return the exception and the ones that led to it, newest first.

    A cycle of causes ends where it closes.
    """
    chain: list[Cause] = []
    seen: set[int] = set()
    current: BaseException | None = error
    relation = ""
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = (*_syntax_error_frame(current, redactor), *_frames(current.__traceback__, root, redactor))
        chain.append(Cause(type(current).__qualname__, redactor.text(message_of(current)), relation, frames))
        relation, current = _previous_error(current)
    return chain


def _syntax_error_frame(error: BaseException, redactor: Redactor) -> list[Frame]:
    """Return the place of a SyntaxError: that code never became a frame."""
    if not isinstance(error, SyntaxError) or error.filename is None or error.lineno is None:
        return []
    file, line = error.filename, error.lineno
    return [Frame(file, line, "syntax", tuple(_source(file, line, redactor)), (), own=True)]


def _previous_error(error: BaseException) -> tuple[str, BaseException | None]:
    """Return the exception that led to this one, and their relation."""
    if error.__cause__ is not None:
        return "caused by", error.__cause__
    return "while handling", None if error.__suppress_context__ else error.__context__


def message_of(error: BaseException) -> str:
    """Return the text of the exception with its notes, not redacted.

    If its `__str__` is broken, return a text about that.
    """
    try:
        return "\n".join([str(error), *getattr(error, "__notes__", ())])
    except Exception:  # noqa: BLE001 - any class may have a broken __str__
        return "<its __str__ raised>"


def _frames(trace: TracebackType | None, root: Path, redactor: Redactor) -> list[Frame]:
    """Return the frames of one traceback, innermost first."""
    return [_frame(frame, line, root, redactor) for frame, line in traceback.walk_tb(trace)][::-1]


def _frame(frame: FrameType, line: int, root: Path, redactor: Redactor) -> Frame:
    file = frame.f_code.co_filename
    local = [(name, value) for name, value in frame.f_locals.items() if not name.startswith("__")]
    return Frame(
        file,
        line,
        frame.f_code.co_qualname,
        tuple(_source(file, line, redactor)),
        tuple((name, redactor.value(name, value)) for name, value in local[:_MOST_LOCALS]),
        _is_own(file, root),
    )


def _source(file: str, line: int, redactor: Redactor) -> list[SourceLine]:
    """Return the lines around one line; none if there is no source."""
    linecache.checkcache(file)
    lines = linecache.getlines(file)
    first = max(1, line - _CONTEXT_LINES)
    return [
        SourceLine(number, redactor.text(text.rstrip("\n")), number == line)
        for number, text in enumerate(lines[first - 1 : line + _CONTEXT_LINES], first)
    ]


def _is_own(file: str, root: Path) -> bool:
    """Return True if the file is part of the application.

    It must be below its folder, but not in a library or an environment there.
    """
    path = Path(file)
    return path.is_relative_to(root) and not {"site-packages", ".venv"} & set(path.relative_to(root).parts)
