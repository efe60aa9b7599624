"""Media types by file name, from a fixed table: the machine's own table is not used.

Text types declare utf-8. Anything that is not in the table is application/octet-stream, which
browsers do not guess about because of nosniff.
"""

from __future__ import annotations

import re

UNKNOWN = "application/octet-stream"

_TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]++"  # noqa: S105 - a token of RFC 9110 section 5.6.2
_PARAMETER = re.compile(rf"""[ \t]*+;[ \t]*+(?:({_TOKEN})=({_TOKEN}|"(?:[^"\\]|\\.)*"))?""")
_QUOTED_PAIR = re.compile(r"\\(.)")

_TEXT = "; charset=utf-8"
_TYPES = {
    "aac": "audio/aac",
    "apng": "image/apng",
    "atom": "application/atom+xml",
    "avif": "image/avif",
    "bmp": "image/bmp",
    "bz2": "application/x-bzip2",
    "cjs": "text/javascript" + _TEXT,
    "css": "text/css" + _TEXT,
    "csv": "text/csv" + _TEXT,
    "doc": "application/msword",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "eot": "application/vnd.ms-fontobject",
    "epub": "application/epub+zip",
    "flac": "audio/flac",
    "gif": "image/gif",
    "gz": "application/gzip",
    "htm": "text/html" + _TEXT,
    "html": "text/html" + _TEXT,
    "ico": "image/vnd.microsoft.icon",
    "ics": "text/calendar" + _TEXT,
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "js": "text/javascript" + _TEXT,
    "json": "application/json",
    "jsonld": "application/ld+json",
    "jxl": "image/jxl",
    "m4a": "audio/mp4",
    "map": "application/json",
    "md": "text/markdown" + _TEXT,
    "mjs": "text/javascript" + _TEXT,
    "mp3": "audio/mpeg",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "odp": "application/vnd.oasis.opendocument.presentation",
    "ods": "application/vnd.oasis.opendocument.spreadsheet",
    "odt": "application/vnd.oasis.opendocument.text",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "ogv": "video/ogg",
    "opus": "audio/ogg",
    "otf": "font/otf",
    "pdf": "application/pdf",
    "png": "image/png",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "rss": "application/rss+xml",
    "rtf": "application/rtf",
    "svg": "image/svg+xml",
    "tar": "application/x-tar",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "ttf": "font/ttf",
    "txt": "text/plain" + _TEXT,
    "vtt": "text/vtt" + _TEXT,
    "wasm": "application/wasm",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "webm": "video/webm",
    "webmanifest": "application/manifest+json",
    "webp": "image/webp",
    "woff": "font/woff",
    "woff2": "font/woff2",
    "xhtml": "application/xhtml+xml",
    "xls": "application/vnd.ms-excel",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "zip": "application/zip",
    "zst": "application/zstd",
}
EXTENSIONS = frozenset(_TYPES)
"""The file extensions that have a media type."""

_COMPRESSIBLE = frozenset(
    {
        "application/javascript",
        "application/json",
        "application/rtf",
        "application/wasm",
        "application/xml",
        "application/yaml",
        "application/vnd.ms-fontobject",
        "font/otf",
        "font/ttf",
        "image/bmp",
        "image/vnd.microsoft.icon",
    }
)


def of(name: str) -> str:
    """Return the Content-Type for a file name or path by its extension."""
    _, dot, extension = name.rpartition("/")[2].rpartition(".")
    return _TYPES.get(extension.lower(), UNKNOWN) if dot else UNKNOWN


def by_extension(name: str) -> str | None:
    """Return the media type for the extension of a name or path, without parameters.

    None if the extension is missing or unknown.
    """
    content_type = of(name)
    return None if content_type == UNKNOWN else essence(content_type)


def essence(content_type: str) -> str:
    """Return the media type of a Content-Type without its parameters, in lower case."""
    return content_type.partition(";")[0].strip().lower()


def parameter(content_type: str, name: str) -> str | None:
    """Return a parameter of a Content-Type, unquoted (RFC 9110 sections 5.6.4 and 5.6.6).

    None if it is missing or repeated, or if any part of the field is malformed.
    """
    values: list[str] = []
    at = len(content_type.partition(";")[0])
    while match := _PARAMETER.match(content_type, at):
        at = match.end()
        if match[1] and match[1].lower() == name:
            values.append(match[2])
    if len(values) != 1 or content_type[at:].strip(" \t"):
        return None
    return _QUOTED_PAIR.sub(r"\1", values[0][1:-1]) if values[0].startswith('"') else values[0]


def is_json(content_type: str) -> bool:
    """Return True for JSON and types based on it (RFC 6839 section 3.1)."""
    media_type = essence(content_type)
    return media_type == "application/json" or media_type.endswith("+json")


def is_compressible(content_type: str) -> bool:
    """Return True if compression pays: text and types based on text.

    Not for event streams, which must not be delayed.
    """
    media_type = essence(content_type)
    if media_type == "text/event-stream":
        return False
    return media_type.startswith("text/") or media_type.endswith(("+json", "+xml")) or media_type in _COMPRESSIBLE
