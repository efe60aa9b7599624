"""The script of live reload, and its tag at the end of a page.

The script is a file of the own origin, so the default Content-Security-Policy allows it. A page
whose policy allows neither 'self' nor a nonce is left alone: its policy is the application's.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator

from arlen_runtime.error_pages.style import POLICY
from arlen_runtime.http.events import EventStream
from arlen_runtime.http.response import FileBody, Response, close_body

CHANGES_PATH = "/_arlen/changes"
SCRIPT_PATH = "/_arlen/changes.js"

# Only a visible page listens: a browser opens at most six connections to one origin by HTTP/1.1,
# and a seventh tab would wait without end. A page in a frame loads with the one around it.
# The script closes the stream itself after an error: an EventSource gives up after some of them.
# A page may be older than the code that sends its first event: a file was saved while it loaded.
# It then loads again, but once only: a copy of the browser, after a 304, stays old.
SCRIPT = """\
(() => {
  if (top !== self || window.arlenChanges) return;
  window.arlenChanges = true;
  const writtenBy = document.currentScript.dataset.code;
  let source, timer, seen, delay = 100;
  const stop = () => { clearTimeout(timer); source?.close(); };
  const replaceStyles = version => {
    for (const link of document.querySelectorAll('link[rel~="stylesheet"][href]')) {
      const url = new URL(link.href);
      if (url.origin !== location.origin) continue;
      url.searchParams.set("arlen", version);
      link.href = url;
    }
  };
  const receive = ({data}) => {
    const [code, files, styles] = data.split(" ");
    delay = 100;
    const isOld = seen ? seen.code !== code || seen.files !== files
      : writtenBy !== code && sessionStorage.arlenReloaded !== data;
    if (isOld) { stop(); sessionStorage.arlenReloaded = data; location.reload(); return; }
    if (seen && seen.styles !== styles) replaceStyles(styles);
    seen = {code, files, styles};
  };
  const listen = () => {
    stop();
    if (document.hidden) return;
    source = new EventSource("/_arlen/changes");
    source.onmessage = receive;
    source.onerror = () => { stop(); timer = setTimeout(listen, delay); delay = Math.min(2 * delay, 1000); };
  };
  document.addEventListener("visibilitychange", listen);
  listen();
})();
"""

_VERSION = hashlib.sha256(SCRIPT.encode()).hexdigest()[:12]
_POLICY_FIELD = "content-security-policy"
_NONCE = re.compile(r"'nonce-([A-Za-z0-9+/_=-]+)'", re.IGNORECASE)  # CSP 3, section 2.3.1
_MOST_BYTES = 1 << 20
_HANDS_OFF = frozenset({"content-encoding", "content-range", "content-disposition"})
"""Fields of a body that is not the text of a page that will be shown."""
_ERROR_PAGE_POLICY = f"{POLICY}; script-src 'self'; connect-src 'self'"


def add_script(response: Response, code: str) -> None:
    """Add the tag before the last `</body>` of a page; leave every other response alone.

    `code` is the version of the code that wrote the page.
    """
    if not (response.get("Content-Type") or "").lower().startswith("text/html"):
        return
    if not _HANDS_OFF.isdisjoint(name.lower() for name, _ in response.headers):
        return
    body = _whole_body(response)
    end = body.lower().rfind(b"</body>")
    if end < 0:
        return
    if response.get(_POLICY_FIELD) == POLICY:  # an error page of Arlen
        response.set("Content-Security-Policy", _ERROR_PAGE_POLICY)
    nonce = _allowed_nonce(list(_policies(response)))
    if nonce is None:
        return
    attribute = f' nonce="{nonce}"' if nonce else ""
    tag = f'<script src="{SCRIPT_PATH}?v={_VERSION}"{attribute} data-code="{code}" async></script>\n'
    response.body = body[:end] + tag.encode("latin-1") + body[end:]


def _whole_body(response: Response) -> bytes:
    """Return the body, b"" if it cannot be changed.

    WSGI frameworks return an iterator of a page whose length they declare: it is read here. A
    stream declares none.
    """
    body = response.body
    length = response.get("Content-Length") or ""
    if isinstance(body, bytes) or not length.isdecimal() or int(length) > _MOST_BYTES:
        return body if isinstance(body, bytes) else b""
    if isinstance(body, (FileBody, EventStream)):
        return b""
    try:
        whole = b"".join(body)
    finally:
        close_body(body)
    is_complete = len(whole) == int(length)
    response.body = whole if is_complete else iter((whole,))  # the serializer reports what is missing
    return whole if is_complete else b""


def _policies(response: Response) -> Iterator[str]:
    """Return the policies of a response; each of them must allow what the page does."""
    prepared = response.prepared.decode("latin-1").split("\r\n")
    fields = [*response.headers, *((name, value) for name, _, value in (line.partition(":") for line in prepared))]
    for name, value in fields:
        if name.lower() == _POLICY_FIELD:
            yield from value.split(",")


def _allowed_nonce(policies: list[str]) -> str | None:
    """Return the nonce that the tag needs, "" for none; None if the policies forbid the script."""
    directives = [_directives(policy) for policy in policies]
    scripts = [_sources(sources, "script-src-elem", "script-src", "default-src") for sources in directives]
    nonce = next(
        (match[1] for sources in scripts for source in sources or () if (match := _NONCE.fullmatch(source))), ""
    )
    allowed = (
        all("sandbox" not in names for names in directives)
        and all(_allows(_sources(names, "connect-src", "default-src")) for names in directives)
        and all(_allows(sources, nonce) for sources in scripts)
    )
    return nonce if allowed else None


def _directives(policy: str) -> dict[str, list[str]]:
    """Return the sources of each directive. The first of a name counts (CSP 3, section 2.2.1)."""
    parts = [part.split() for part in policy.split(";")]
    return {name.lower(): sources for name, *sources in reversed([part for part in parts if part])}


def _sources(directives: dict[str, list[str]], *names: str) -> list[str] | None:
    """Return the sources of the first directive that is there; None if nothing is restricted."""
    return next((directives[name] for name in names if name in directives), None)


def _allows(sources: list[str] | None, nonce: str = "") -> bool:
    """Return True if the own origin is allowed, or the nonce.

    'strict-dynamic' makes browsers ignore origins (CSP 3, section 8.2).
    """
    if sources is None or (nonce and f"'nonce-{nonce}'" in sources):
        return True
    words = {source.lower() for source in sources}
    return "'strict-dynamic'" not in words and not words.isdisjoint({"'self'", "*"})
