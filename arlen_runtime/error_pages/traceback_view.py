"""A traceback as values: frames with their source and locals. One rule: whatever is looked at, this never raises.

Locals are masked by name and by value; a broken `__repr__` is shown as such.
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
    """A line of source: its number, its text, whether it is the one that ran."""

    number: int
    text: str
    is_current: bool


class Frame(NamedTuple):
    """One call: where, its source around the line, its locals as text, and whether it is the application's own code."""

    file: str
    line: int
    function: str
    source: tuple[SourceLine, ...]
    locals: tuple[tuple[str, str], ...]
    own: bool


class Cause(NamedTuple):
    """One exception of the chain: its type, its message, how it came to the one before it, and its frames."""

    type_name: str
    message: str
    relation: str
    frames: tuple[Frame, ...]


class _MaskedRepr(reprlib.Repr):
    """Values as text of a bounded length, masked before they are cut: of a secret in two nobody would know the half."""

    def __init__(self, mask: Callable[[str], str]) -> None:
        """Take what masks a text."""
        super().__init__()
        self.maxstring = self.maxother = _LONGEST
        self.maxdict = self.maxlist = self.maxtuple = 20
        self._mask = mask

    def repr_str(self, x: str, level: int) -> str:
        """Show a string."""
        return super().repr_str(self._mask(x), level)

    def repr_instance(self, x: object, level: int) -> str:  # noqa: ARG002 - reprlib's signature
        """Show what is of no type that reprlib knows."""
        try:
            return _truncate(self._mask(repr(x)))
        except Exception as error:  # noqa: BLE001 - any class may have a broken __repr__
            return f"<{type(x).__qualname__}: its __repr__ raised {type(error).__qualname__}>"

    def repr_dict(self, x: dict[Any, Any], level: int) -> str:
        """Show a dictionary, the values of secret names masked."""
        return super().repr_dict({key: MASK if _is_secret(key) else value for key, value in x.items()}, level)

    def repr_tuple(self, x: tuple[Any, ...], level: int) -> str:
        """Show a tuple; of a name with its value, as headers come, the value masked where the name is a secret's."""
        return super().repr_tuple((x[0], MASK) if len(x) == _PAIR and _is_secret(x[0]) else x, level)


class Redactor:
    """What must not be shown: values of secret names, secret values wherever they stand, passwords inside of URLs."""

    def __init__(self, secrets: frozenset[str]) -> None:
        """Take the secret values that are known."""
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
    """Return the beginning of a text that is too long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _is_secret(key: object) -> bool:
    """Say whether the key of a value names a secret; those of headers are bytes."""
    text = key.decode("latin-1") if isinstance(key, bytes) else key
    return isinstance(text, str) and is_secret_name(text)


def causes(error: BaseException, root: Path, redactor: Redactor) -> list[Cause]:
    """Return the exception and those behind it, the newest first; a circle of causes ends where it closes."""
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
    """Return the place that a SyntaxError names: the code that never became a frame."""
    if not isinstance(error, SyntaxError) or error.filename is None or error.lineno is None:
        return []
    file, line = error.filename, error.lineno
    return [Frame(file, line, "syntax", tuple(_source(file, line, redactor)), (), own=True)]


def _previous_error(error: BaseException) -> tuple[str, BaseException | None]:
    """Return the exception behind this one, and how it came to this one."""
    if error.__cause__ is not None:
        return "caused by", error.__cause__
    return "while handling", None if error.__suppress_context__ else error.__context__


def message_of(error: BaseException) -> str:
    """Return the exception's text with its notes, unmasked; one whose `__str__` is broken has a text about that."""
    try:
        return "\n".join([str(error), *getattr(error, "__notes__", ())])
    except Exception:  # noqa: BLE001 - any class may have a broken __str__
        return "<its __str__ raised>"


def _frames(trace: TracebackType | None, root: Path, redactor: Redactor) -> list[Frame]:
    """Return the frames of one traceback, innermost first."""
    return [_frame(frame, line, root, redactor) for frame, line in traceback.walk_tb(trace)][::-1]


def _frame(frame: FrameType, line: int, root: Path, redactor: Redactor) -> Frame:
    """Look at one frame."""
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
    """Return the lines around one line, or none where there is no source."""
    linecache.checkcache(file)
    lines = linecache.getlines(file)
    first = max(1, line - _CONTEXT_LINES)
    return [
        SourceLine(number, redactor.text(text.rstrip("\n")), number == line)
        for number, text in enumerate(lines[first - 1 : line + _CONTEXT_LINES], first)
    ]


def _is_own(file: str, root: Path) -> bool:
    """Say whether a file belongs to the application: below its folder, and no library or environment inside of it."""
    path = Path(file)
    return path.is_relative_to(root) and not {"site-packages", ".venv"} & set(path.relative_to(root).parts)
