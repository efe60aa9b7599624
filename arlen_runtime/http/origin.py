"""The origin of a request: client address, scheme, Host and ids.

Invariant: only peers inside `trusted_proxies` are believed.

They are believed about X-Forwarded-For, X-Forwarded-Proto, Forwarded (RFC 7239), X-Request-Id,
X-Correlation-Id and traceparent; about X-Forwarded-Host only if that is configured. The chain of
addresses is walked from the right, from the hop that connects to us, and ends at the first address
that is not trusted: everything further left may be forged.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from ipaddress import ip_address, ip_network
from itertools import count

from arlen_runtime.errors import BadRequest, ConfigError, MisdirectedRequest
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.request_line import check_host
from arlen_runtime.http.trace import Trace

UNIX_PEER = "unix"
"""The peer of a unix socket connection, which has no address; also the word that trusts it."""

_NO_PARAMETERS: Mapping[str, str] = {}

_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
_FORWARDED_PAIR = re.compile(
    # Every repetition is possessive if another may follow it: blanks go to one of them and are not
    # tried again (no quadratic backtracking).
    r"""[ \t]*+(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]++)=([^;,"\s]++|"(?:[^"\\]|\\.)*"))?[ \t]*+([;,]|\Z)"""
)
_ADDRESS_AND_PORT = re.compile(r"\[([0-9A-Fa-f:.]++)\](?::\d{1,5})?|([0-9.]++)(?::\d{1,5})?")


class IdSource:
    """Generate ids: 24 hexadecimal digits, 16 random ones per source and 8 that count.

    Create it after the fork: a prefix from before would be the same in every worker. Calls are
    safe from any thread.
    """

    __slots__ = ("_next_id",)

    def __init__(self) -> None:
        # Both calls are C and hold the GIL, so no two threads get the same number. After 2^32 ids
        # they grow by a digit.
        self._next_id = map((os.urandom(8).hex() + "%08x").__mod__, count()).__next__

    def __call__(self) -> str:
        """Return the next id."""
        return self._next_id()


class TrustedProxies:
    """A set of networks: `address in trusted`. Text that is not an address is in none of them."""

    __slots__ = ("_lookup", "_networks", "_unix", "names_host")

    def __init__(
        self, networks: Iterable[str] = (), setting: str = "[server] trusted_proxies", *, names_host: bool = False
    ) -> None:
        """Build from networks in CIDR notation, single addresses, or "unix" for unix socket peers.

        `names_host`: believe them about the host as well. Most proxies pass on the client's
        Host, and with it an X-Forwarded-Host that the client may have forged, so set this
        only for proxies that write that header themselves. Raises ConfigError that names
        the setting.
        """
        self.names_host = names_host
        names = list(networks)
        self._unix = UNIX_PEER in names
        try:
            self._networks = [ip_network(name) for name in names if name != UNIX_PEER]
        except ValueError as error:
            raise ConfigError(f"{setting}: {error}") from error
        # Few proxies, many requests; bounded, because client addresses are looked up too.
        self._lookup = lru_cache(4096)(self._is_in_networks)

    def __bool__(self) -> bool:
        return self._unix or bool(self._networks)

    def __contains__(self, address: str) -> bool:
        return bool(self) and self._lookup(address)

    def _is_in_networks(self, address: str) -> bool:
        if address == UNIX_PEER:
            return self._unix
        try:
            value = ip_address(address)
        except ValueError:
            return False
        # A socket for both families shows IPv4 peers as ::ffff:a.b.c.d.
        value = getattr(value, "ipv4_mapped", None) or value
        return any(value in network for network in self._networks)


class Origin:
    """The source of the requests of one connection."""

    __slots__ = ("_ids", "_peer_is_trusted", "_trusted", "names_host", "peer", "scheme")

    def __init__(self, peer: str, scheme: str, trusted: TrustedProxies, ids: Callable[[], str]) -> None:
        """Build the origin of a socket; `peer` is "unix" if it has no address."""
        self.peer = peer
        self.scheme = scheme
        self._trusted = trusted
        self._peer_is_trusted = peer in trusted
        self.names_host = self._peer_is_trusted and trusted.names_host
        """Whether `host` must be called for the host of a request."""
        self._ids = ids

    def of(self, peer: str, scheme: str) -> Origin:
        """Return the origin of another peer, with the same trust and ids."""
        return Origin(peer, scheme, self._trusted, self._ids)

    def resolve(self, headers: Headers) -> tuple[str, str, str, str]:
        """Return the id, client address, scheme and correlation id ("" if none) of a request.

        Raises BadRequest if a trusted peer passes on X-Forwarded-* and Forwarded that name
        different clients or schemes: the client forged one of them, and nothing shows
        which.
        """
        if not self._peer_is_trusted:
            return self._ids(), self.peer, self.scheme, ""
        value = headers.get_list("x-request-id")  # a list of two does not match
        request_id = value if _ID.fullmatch(value) else self._ids()
        client, scheme = self._forwarded(headers)
        return request_id, client, scheme, _correlation(headers)

    def host_of_absolute_form(self, scheme: str, host: str) -> str:
        """Return the host of a target in absolute form.

        Raises MisdirectedRequest for an https target on an unencrypted connection. Only a
        trusted proxy may have received it by https and forward it without (RFC 9110 section
        7.4).
        """
        if scheme == "https" and self.scheme != "https" and not self._peer_is_trusted:
            raise MisdirectedRequest("An https address is not answered on a connection without encryption.")
        return host

    def host(self, headers: Headers, host: str) -> str:
        """Return the host from the nearest proxy's headers, `host` if they name none.

        Raises BadRequest if they disagree or name an invalid host.
        """
        elements = list(_forwarded_elements(headers.get_list("forwarded")))
        from_forwarded = elements[-1].get("host", "") if elements else ""
        forwarded = _consistent("hosts", _last_element(headers, "x-forwarded-host"), from_forwarded)
        return check_host(forwarded) if forwarded else host

    def _forwarded(self, headers: Headers) -> tuple[str, str]:
        """Return client and scheme from the headers of the trusted peer."""
        hops = headers.get_list("x-forwarded-for")
        client = self.peer
        if hops:
            client, _ = self._find_client({"for": hop} for hop in reversed(hops.split(",")))
        scheme = _last_element(headers, "x-forwarded-proto").lower()
        elements = list(_forwarded_elements(headers.get_list("forwarded")))
        if elements:
            forwarded_client, element = self._find_client(reversed(elements))
            if hops and forwarded_client != client:
                raise BadRequest("X-Forwarded-For and Forwarded name different clients.")
            client, scheme = forwarded_client, _consistent("schemes", scheme, element.get("proto", "").lower())
        return client, scheme if scheme in {"http", "https"} else self.scheme

    def _find_client(self, hops: Iterable[Mapping[str, str]]) -> tuple[str, Mapping[str, str]]:
        """Follow the hops from the nearest one to the first that is not trusted.

        A hop that is not an address ends the walk. Returns the client and the parameters of
        the last hop, which a trusted proxy wrote.
        """
        client, last = self.peer, _NO_PARAMETERS
        for last in hops:
            address = _address(last.get("for", ""))
            if address is None:
                break
            client = address
            if address not in self._trusted:
                break
        return client, last


def _consistent(subject: str, one: str, other: str) -> str:
    """Return the value that two headers agree on, or the only one.

    Raises BadRequest if they differ: the client forged one of them.
    """
    if one and other and one.lower() != other.lower():
        raise BadRequest(f"X-Forwarded-* and Forwarded name different {subject}.")
    return one or other


def _last_element(headers: Headers, name: str) -> str:
    """Return the last element of a list field.

    A proxy that adds a line of its own leaves the client's line before it.
    """
    return headers.get_list(name).rpartition(",")[2].strip()


def _correlation(headers: Headers) -> str:
    """Return the correlation id, else the id of the trace, else ""."""
    value = headers.get_list("x-correlation-id")
    if _ID.fullmatch(value):
        return value
    trace = Trace.read(headers.get_list("traceparent"))
    return trace.id if trace else ""


def _address(hop: str) -> str | None:
    """Return the canonical address of a hop without port and brackets; None if invalid."""
    hop = hop.strip()
    match = _ADDRESS_AND_PORT.fullmatch(hop)
    try:
        return str(ip_address(match[1] or match[2] if match else hop))
    except ValueError:
        return None


def _forwarded_elements(value: str) -> Iterator[dict[str, str]]:
    """Yield the elements of Forwarded (RFC 7239 section 4), lower-case names to unquoted values.

    Raises BadRequest if it is malformed: a quote left open by the client would hide what a
    proxy adds after it.
    """
    if not value:
        return
    element: dict[str, str] = {}
    at = 0
    while match := _FORWARDED_PAIR.match(value, at):
        name, content, end = match.groups()
        if name:
            element[name.lower()] = re.sub(r"\\(.)", r"\1", content[1:-1]) if content[0] == '"' else content
        if end != ";":
            yield element
            element = {}
        if not end:
            return
        at = match.end()
    raise BadRequest("Forwarded is malformed.")
