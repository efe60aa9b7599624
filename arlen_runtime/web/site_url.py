"""Scheme and host of absolute URLs: what `[app] url` says.

A Host header is never trusted in production: a forged one would lead the reader of a mail, such as
one that resets a password, to another site. In development and test, without the setting, it is the
Host of the request; in development only loopback Hosts are answered.
"""

from __future__ import annotations

from arlen_runtime.config.sections import Config
from arlen_runtime.errors import ArlenError
from arlen_runtime.http.request import Head

_REMEDY = 'set url in [app], such as url = "https://example.org" (ARLEN_APP_URL)'


def site_url(config: Config, head: Head | None) -> str:
    """Return scheme and authority without a final slash. Raise ArlenError if they are unknown."""
    if config.app.url:
        return config.app.url
    if config.production:
        raise ArlenError(f"an absolute URL needs the address of this site: {_REMEDY}")
    if head is None or not head.host:
        raise ArlenError(f"an absolute URL outside of a request, or for one without Host, needs a setting: {_REMEDY}")
    return f"{head.scheme}://{head.host}"
