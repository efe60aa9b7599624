"""Writes the wheel of Arlen that a generated project installs, so that no index needs to have it.

The wheel has the files of this installation: those that its RECORD lists, or those of the source
tree if the installation is editable. Invariant: it is pure Python, and the same files give the same
bytes. The names and formats are those of the binary distribution format (PEP 427), the database of
installed distributions (PEP 376) and recorded origins (PEP 610).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from importlib.metadata import Distribution
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from arlen_cli.errors import ToolError

FOLDER = "wheels"
"""The folder of a project that holds the wheel."""

PACKAGES = ("arlen_cli", "arlen_runtime")
BLUEPRINTS = "arlen_cli/blueprints"
TOOL = "arlen_cli/__init__.py"

KEPT_METADATA = ("METADATA", "entry_points.txt", "licenses")
"""What the wheel takes over from the installed `dist-info`; the installer wrote the rest."""

EXTENSIONS = frozenset({".so", ".pyd"})
LEFT_OUT = frozenset({".pyc", *EXTENSIONS})

GENERATOR = "Generator: arlen "
"""The line of WHEEL, which installers keep, that says that the wheel came from a project."""

EARLIEST = (1980, 1, 1, 0, 0, 0)  # the first time that a ZIP archive can hold
REGULAR_FILE = 0o100644 << 16
UNIX = 3


class Wheel(NamedTuple):
    """The wheel of Arlen: its path in the project, and its content."""

    path: str
    content: bytes


def is_from_index(arlen: Distribution) -> bool:
    """Return True if an index has this distribution, so that projects can install it from there.

    False for a folder, an archive or a URL, which installers record, and for a project's own wheel.
    """
    has_direct_url = arlen.read_text("direct_url.json") is not None
    return not has_direct_url and GENERATOR not in (arlen.read_text("WHEEL") or "")


def build_wheel(arlen: Distribution, source_tree: Path) -> Wheel:
    """Build the wheel of an installation; `source_tree` is used if it is editable.

    Raises ToolError if a file is missing, or has only its compiled form.
    """
    dist_info = f"{arlen.metadata['Name']}-{arlen.version}.dist-info"
    paths = dict(_list_files(arlen, source_tree))
    contents = {name: _read(paths[name]) for name in sorted(paths)}
    contents |= {f"{dist_info}/{name}": _read(path) for name, path in sorted(_list_metadata(arlen))}
    contents[f"{dist_info}/WHEEL"] = (
        f"Wheel-Version: 1.0\n{GENERATOR}{arlen.version}\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    ).encode()
    contents[f"{dist_info}/RECORD"] = _record(contents, f"{dist_info}/RECORD")
    return Wheel(f"{FOLDER}/{dist_info.removesuffix('.dist-info')}-py3-none-any.whl", _archive(contents))


def _list_files(arlen: Distribution, source_tree: Path) -> Iterator[tuple[str, Path]]:
    """Yield name and path of each file of the packages."""
    installed = {file.as_posix(): Path(str(arlen.locate_file(file))) for file in _recorded(arlen)}
    listed = installed if TOOL in installed else dict(_list_source_tree(source_tree))
    for name, path in listed.items():
        pure = PurePosixPath(name)
        if pure.parts[0] not in PACKAGES or "__pycache__" in pure.parts:
            continue
        if pure.suffix in EXTENSIONS and str(pure.with_name(f"{pure.name.partition('.')[0]}.py")) not in listed:
            raise ToolError(f"{path} has no source beside it, so no wheel can be written; use --no-wheel")
        if pure.suffix not in LEFT_OUT:
            yield name, path


def _recorded(arlen: Distribution) -> list[PurePosixPath]:
    files = arlen.files
    if files is None:
        raise ToolError("the installation of arlen has no RECORD, so no wheel can be written; use --no-wheel")
    return list(files)


def _list_source_tree(root: Path) -> Iterator[tuple[str, Path]]:
    """Yield what hatchling packs: both packages, and the blueprints inside the tool."""
    for name, folder in {**{package: root / package for package in PACKAGES}, BLUEPRINTS: root / "blueprints"}.items():
        for path in folder.rglob("*"):
            if path.is_file():
                yield f"{name}/{path.relative_to(folder).as_posix()}", path


def _list_metadata(arlen: Distribution) -> Iterator[tuple[str, Path]]:
    for file in _recorded(arlen):
        folder, *rest = file.parts
        if folder.endswith(".dist-info") and rest[0] in KEPT_METADATA:
            yield "/".join(rest), Path(str(arlen.locate_file(file)))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ToolError(f"{path} cannot be read ({error.strerror}): install arlen again, or use --no-wheel") from error


def _record(contents: Mapping[str, bytes], own_name: str) -> bytes:
    """Return RECORD: path, SHA-256 and size of each file but its own."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\n")
    for name, content in contents.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")
        writer.writerow((name, f"sha256={digest}", len(content)))
    writer.writerow((own_name, "", ""))
    return lines.getvalue().encode()


def _archive(contents: Mapping[str, bytes]) -> bytes:
    """Return the files as a ZIP archive, in their order, with fixed times and permissions."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in contents.items():
            member = zipfile.ZipInfo(name, EARLIEST)
            member.create_system = UNIX
            member.external_attr = REGULAR_FILE
            archive.writestr(member, content, zipfile.ZIP_DEFLATED, 9)
    return buffer.getvalue()
