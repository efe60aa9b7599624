"""The traceparent that a request sends on to other services."""

from __future__ import annotations

from functools import lru_cache

from arlen_runtime.http.origin import TrustedProxies
from arlen_runtime.http.request import Head
from arlen_runtime.http.trace import Trace

_proxies = lru_cache(16)(TrustedProxies)  # by the networks: one entry for each application of the process


def outgoing_traceparent(head: Head, trusted_proxies: tuple[str, ...]) -> str:
    """Return the header: a new span in the trace that a trusted proxy sent, else in a new trace."""
    is_trusted = head.peer in _proxies(trusted_proxies)
    trace = Trace.read(head.headers.get_list("traceparent")) if is_trusted else None
    return (trace or Trace.start()).traceparent()
