"""Python source: decodes it as Python does, and says where it is invalid.

Invariant: every file of the application that a run reads is valid, or the run ends before anything
is written.
"""

from __future__ import annotations

import codecs
import io
import os
import tokenize
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from arlen_cli.errors import ToolError
from arlen_runtime.propane.ipc.source_tree import IGNORED

_CONFLICT_MARKERS = ("<<<<<<<", "|||||||", "=======", ">>>>>>>")


class SourceError(ToolError):
    """A file that Python cannot read, as `path:line: reason`."""

    def __init__(self, path: str, line: int, reason: str) -> None:
        super().__init__(f"{path}:{line}: {reason}; nothing was written")
        self.place = f"{path}:{line}: {reason}"


class PythonSource(NamedTuple):
    """The text of a file that Python can read, and its encoding (`utf-8-sig` for a BOM)."""

    text: str
    encoding: str

    def encode(self, text: str) -> bytes:
        """Return a changed text in the encoding of the file."""
        return text.encode(self.encoding)


def read_source(path: str, content: bytes) -> PythonSource:
    """Decode and compile the content of a file. Raises SourceError with the line that is wrong."""
    if b"\0" in content:
        raise SourceError(path, _line_of(content, content.index(b"\0")), "it contains a NUL byte")
    try:
        encoding = _encoding_of(content)
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        reason = f"byte 0x{error.object[error.start]:02x} is not valid {error.encoding}"
        raise SourceError(path, _line_of(error.object, error.start), reason) from None
    except SyntaxError as error:
        raise SourceError(path, 1, str(error)) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of "\d" and others: they belong to the application's own tests
            compile(text, path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise SourceError(path, error.lineno or 1, _reason_of(error, text)) from None
    except (MemoryError, RecursionError):
        raise SourceError(path, 1, "it is nested too deeply for Python") from None
    return PythonSource(text, encoding)


def own_files(root: Path) -> Iterator[Path]:
    """Yield the files of the application; skip hidden ones and those of installed packages."""
    for folder, names, files in os.walk(root):
        names[:] = sorted(
            name for name in names if name not in IGNORED | {"site-packages"} and not name.startswith(".")
        )
        visible = (Path(folder, name) for name in sorted(files) if not name.startswith("."))
        yield from (file for file in visible if file.is_file())  # not a link without a target


def locate(error: BaseException, root: Path) -> tuple[str, bool]:
    """Return where and why the application failed to load; True if its source is invalid.

    The place is a file of the application, if one of them was involved.
    """
    invalid = _invalid_file(error, root)
    if invalid is not None and _is_own(invalid, root):
        try:
            read_source(_relative(invalid, root), Path(invalid).read_bytes())
        except SourceError as source_error:
            return source_error.place, True
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    frame = ([frame for frame in frames if _is_own(frame.filename, root)] or frames)[-1]
    reason = "".join(traceback.format_exception_only(error)).strip().rpartition("\n")[2]
    return f"{_relative(frame.filename, root)}:{frame.lineno}: {reason}", False


def _encoding_of(content: bytes) -> str:
    """Return the encoding. Raises UnicodeDecodeError, or SyntaxError for a bad declaration."""
    try:
        return tokenize.detect_encoding(io.BytesIO(content).readline)[0]
    except SyntaxError:
        content.removeprefix(codecs.BOM_UTF8).decode()  # a bad byte has a better place than its line has
        raise


def _reason_of(error: SyntaxError, text: str) -> str:
    line = text.splitlines()[error.lineno - 1] if error.lineno and error.lineno <= len(text.splitlines()) else ""
    return "it contains an unresolved merge conflict" if line.startswith(_CONFLICT_MARKERS) else error.msg


def _line_of(content: bytes, position: int) -> int:
    return content.count(b"\n", 0, position) + 1


def _invalid_file(error: BaseException, root: Path) -> str | None:
    """Return the file that could not be compiled, if that is what failed."""
    if "null bytes" in str(error):  # a SyntaxError, or a ValueError in older versions, without a file name
        return next(
            (str(path) for path in own_files(root) if path.suffix == ".py" and b"\0" in path.read_bytes()), None
        )
    return error.filename if isinstance(error, SyntaxError) else None


def _is_own(file: str, root: Path) -> bool:
    """Return True for a file of the application that is not of an installed package."""
    path = Path(file)
    return path.is_relative_to(root) and "site-packages" not in path.parts


def _relative(file: str, root: Path) -> str:
    return str(Path(file).relative_to(root)) if _is_own(file, root) else file
