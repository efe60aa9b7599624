"""A traceback as values: frames with their source and locals. One rule: whatever is looked at, this never raises.

Locals are masked by name and by value; a broken `__repr__` is shown as such.
"""

from __future__ import annotations

import linecache
import reprlib
import traceback
from pathlib import Path
from types import FrameType, TracebackType
from typing import NamedTuple

from arlen_runtime.config.masks import MASK, is_secret_name, mask_text

_AROUND = 5
_MOST_LOCALS = 30
_LONGEST = 240
_REPR = reprlib.Repr()
_REPR.maxstring = _REPR.maxother = _LONGEST
_REPR.maxdict = _REPR.maxlist = _REPR.maxtuple = 20


class SourceLine(NamedTuple):
    """A line of source: its number, its text, whether it is the one that ran."""

    number: int
    text: str
    here: bool


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

    kind: str
    message: str
    relation: str
    frames: tuple[Frame, ...]


class Masks:
    """What must not be shown: values of secret names, secret values wherever they stand, passwords inside of URLs."""

    def __init__(self, secrets: frozenset[str]) -> None:
        """Take the secret values that are known."""
        self._secrets = sorted((secret for secret in secrets if secret), key=len, reverse=True)

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
            shown = value if isinstance(value, str) else _REPR.repr(value)
        except Exception as error:  # noqa: BLE001 - any class may have a broken __repr__
            shown = f"<{type(value).__qualname__}: its __repr__ raised {type(error).__qualname__}>"
        shown = self.text(shown)
        return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def causes(error: BaseException, root: Path, masks: Masks) -> list[Cause]:
    """Return the exception and those behind it, the newest first; a circle of causes ends where it closes."""
    found: list[Cause] = []
    seen: set[int] = set()
    current: BaseException | None = error
    relation = ""
    while current is not None and id(current) not in seen:
        seen.add(id(current))
        frames = (*_place(current, masks), *_frames(current.__traceback__, root, masks))
        found.append(Cause(type(current).__qualname__, masks.text(_message(current)), relation, frames))
        relation, current = _behind(current)
    return found


def _place(error: BaseException, masks: Masks) -> list[Frame]:
    """Return the place that a SyntaxError names: the code that never became a frame."""
    if not isinstance(error, SyntaxError) or error.filename is None or error.lineno is None:
        return []
    file, line = error.filename, error.lineno
    return [Frame(file, line, "syntax", tuple(_source(file, line, masks)), (), own=True)]


def _behind(error: BaseException) -> tuple[str, BaseException | None]:
    """Return the exception behind this one, and how it came to this one."""
    if error.__cause__ is not None:
        return "caused by", error.__cause__
    return "while handling", None if error.__suppress_context__ else error.__context__


def _message(error: BaseException) -> str:
    """Return the exception's text."""
    try:
        return "\n".join([str(error), *getattr(error, "__notes__", ())])
    except Exception:  # noqa: BLE001 - any class may have a broken __str__
        return "<its __str__ raised>"


def _frames(trace: TracebackType | None, root: Path, masks: Masks) -> list[Frame]:
    """Return the frames of one traceback, innermost first."""
    return [_frame(frame, line, root, masks) for frame, line in traceback.walk_tb(trace)][::-1]


def _frame(frame: FrameType, line: int, root: Path, masks: Masks) -> Frame:
    """Look at one frame."""
    file = frame.f_code.co_filename
    local = [(name, value) for name, value in frame.f_locals.items() if not name.startswith("__")]
    return Frame(
        file,
        line,
        frame.f_code.co_qualname,
        tuple(_source(file, line, masks)),
        tuple((name, masks.value(name, value)) for name, value in local[:_MOST_LOCALS]),
        _is_own(file, root),
    )


def _source(file: str, line: int, masks: Masks) -> list[SourceLine]:
    """Return the lines around one line, or none where there is no source."""
    linecache.checkcache(file)
    lines = linecache.getlines(file)
    first = max(1, line - _AROUND)
    return [
        SourceLine(number, masks.text(text.rstrip("\n")), number == line)
        for number, text in enumerate(lines[first - 1 : line + _AROUND], first)
    ]


def _is_own(file: str, root: Path) -> bool:
    """Say whether a file belongs to the application: below its folder, and no library or environment inside of it."""
    path = Path(file)
    return path.is_relative_to(root) and not {"site-packages", ".venv"} & set(path.relative_to(root).parts)
