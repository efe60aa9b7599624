"""The four formats of an error document. All of them show the same facts."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from html import escape
from typing import NamedTuple

from arlen_runtime.error_pages.error_value import ErrorDocument
from arlen_runtime.error_pages.style import POLICY, STYLE


class ErrorFormat(NamedTuple):
    """One format: its Content-Type, the function that writes it, extra headers."""

    content_type: str
    write: Callable[[ErrorDocument], str]
    headers: tuple[tuple[str, str], ...] = ()


def _facts(value: ErrorDocument) -> list[tuple[str, str]]:
    """Return what follows the detail: the fields, the code, the ids."""
    facts = [("code", value.code), ("request id", value.request_id), ("correlation id", value.correlation_id)]
    fields = [(error.field, f"{error.message} ({error.code}, {error.source})") for error in value.errors]
    return [fact for fact in fields + facts if fact[1]]


def problem(value: ErrorDocument) -> str:
    """Return problem JSON (RFC 9457)."""
    return json.dumps(value.members(), ensure_ascii=False, separators=(",", ":"))


def page(value: ErrorDocument) -> str:
    """Return the plain page."""
    facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in _facts(value))
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{value.status} {escape(value.title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f'<body>\n<main class="plain">\n<p class="status">{value.status}</p>\n<h1>{escape(value.title)}</h1>\n'
        f"<p>{escape(value.detail)}</p>\n<dl>{facts}</dl>\n</main>\n</body>\n</html>\n"
    )


def markdown(value: ErrorDocument) -> str:
    """Return Markdown."""
    facts = "".join(f"- {name}: `{text}`\n" for name, text in _facts(value))
    return f"# {value.status} {value.title}\n\n{value.detail}\n\n{facts}"


def text(value: ErrorDocument) -> str:
    """Return plain text."""
    facts = "".join(f"{name}: {text}\n" for name, text in _facts(value))
    return f"{value.status} {value.title}\n{value.detail}\n{facts}"


_PROBLEM = ErrorFormat("application/problem+json", problem)

FORMATS: Mapping[str, ErrorFormat] = {
    "application/problem+json": _PROBLEM,
    "application/json": _PROBLEM,
    "text/html": ErrorFormat("text/html; charset=utf-8", page, (("Content-Security-Policy", POLICY),)),
    "text/markdown": ErrorFormat("text/markdown; charset=utf-8", markdown),
    "text/plain": ErrorFormat("text/plain; charset=utf-8", text),
}
"""Media type in Accept to format."""
