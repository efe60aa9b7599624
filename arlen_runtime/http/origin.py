"""Who sent a request, how, and under which id. One rule: what a stranger says about that is ignored.

Only peers inside `trusted_proxies` are believed about X-Forwarded-For, X-Forwarded-Proto, Forwarded (RFC 7239),
X-Request-Id, X-Correlation-Id and traceparent; about X-Forwarded-Host only where that is asked for. The chain of addresses
is walked from the right, from the hop that we see, and ends at the first one that is not trusted: everything further left
may be made up.
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

UNIX_PEER = "unix"
"""The peer of a connection by a unix socket, which has no address; also the word that trusts it."""

_NO_PARAMETERS: Mapping[str, str] = {}

_ID = re.compile(r"[A-Za-z0-9._-]{8,128}")
# W3C Trace Context section 3.2.2: version, trace, span, flags; nothing is 0, no version ff, and 00 has nothing behind.
_TRACEPARENT = re.compile(
    r"(?!ff|00.{53}-)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[!-+\--~]*)?"
)
_FORWARDED_PAIR = re.compile(
    # Every repetition is possessive where another may follow it: blanks are given to one of them and not tried again.
    r"""[ \t]*+(?:([!#$%&'*+\-.^_`|~0-9A-Za-z]++)=([^;,"\s]++|"(?:[^"\\]|\\.)*"))?[ \t]*+([;,]|\Z)"""
)
_ADDRESS_AND_PORT = re.compile(r"\[([0-9A-Fa-f:.]++)\](?::\d{1,5})?|([0-9.]++)(?::\d{1,5})?")


class IdSource:
    """Draws ids: 24 hexadecimal characters, 16 drawn at random when this is built and 8 that count.

    Build it after the fork: a prefix from before would be the same in every worker. Calling it is safe from any thread.
    """

    __slots__ = ("_next_id",)

    def __init__(self) -> None:
        # Both calls are C and keep the GIL, so no two threads get the same number. Past 2^32 ids they grow by a digit.
        self._next_id = map((os.urandom(8).hex() + "%08x").__mod__, count()).__next__

    def __call__(self) -> str:
        """Return the next id."""
        return self._next_id()


class TrustedProxies:
    """A set of networks. `address in trusted`; nothing is in it that is no address."""

    __slots__ = ("_lookup", "_networks", "_unix", "names_host")

    def __init__(
        self, networks: Iterable[str] = (), setting: str = "[server] trusted_proxies", *, names_host: bool = False
    ) -> None:
        """Take networks in CIDR notation, single addresses, or "unix" for peers by unix socket.

        `names_host`: they are believed about the host as well. Most proxies pass the client's Host on, and with it an
        X-Forwarded-Host that the client has made up, so this is for those that are known to write it themselves.
        Raises ConfigError with the name of the setting that they come from.
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
        """Say whether anybody is trusted."""
        return self._unix or bool(self._networks)

    def __contains__(self, address: str) -> bool:
        """Say whether the address lies in one of the networks."""
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
    """Where the requests of one connection come from."""

    __slots__ = ("_ids", "_peer_is_trusted", "_trusted", "names_host", "peer", "scheme")

    def __init__(self, peer: str, scheme: str, trusted: TrustedProxies, ids: Callable[[], str]) -> None:
        """Take the socket's peer ("unix" without an address), its scheme, who is trusted, and where ids come from."""
        self.peer = peer
        self.scheme = scheme
        self._trusted = trusted
        self._peer_is_trusted = peer in trusted
        self.names_host = self._peer_is_trusted and trusted.names_host
        """Whether `host` is to be asked whom a request is for."""
        self._ids = ids

    def of(self, peer: str, scheme: str) -> Origin:
        """Return the origin of another peer, with the same trust and ids."""
        return Origin(peer, scheme, self._trusted, self._ids)

    def resolve(self, headers: Headers) -> tuple[str, str, str, str]:
        """Return the id, the client's address and the scheme of a request, and its correlation id, empty without one.

        Raises BadRequest when a trusted peer passes on X-Forwarded-* and Forwarded that name different clients or
        schemes: one of them is the client's own invention, and nothing tells which.
        """
        if not self._peer_is_trusted:
            return self._ids(), self.peer, self.scheme, ""
        value = headers.get_list("x-request-id")  # a list of two is no id
        request_id = value if _ID.fullmatch(value) else self._ids()
        client, scheme = self._forwarded(headers)
        return request_id, client, scheme, _correlation(headers)

    def host_of_absolute_form(self, scheme: str, host: str) -> str:
        """Return the host of a target in absolute form. Raises MisdirectedRequest for what must come by https and did not.

        Only a proxy may have taken it by https and hand it on without (RFC 9110 section 7.4).
        """
        if scheme == "https" and self.scheme != "https" and not self._peer_is_trusted:
            raise MisdirectedRequest("An https address is not answered on a connection without encryption.")
        return host

    def host(self, headers: Headers, host: str) -> str:
        """Return the host that the nearest proxy was asked for, `host` where it does not say. Raises BadRequest."""
        elements = list(_forwarded_elements(headers.get_list("forwarded")))
        from_forwarded = elements[-1].get("host", "") if elements else ""
        forwarded = _consistent("hosts", _last_element(headers, "x-forwarded-host"), from_forwarded)
        return check_host(forwarded) if forwarded else host

    def _forwarded(self, headers: Headers) -> tuple[str, str]:
        """Return client and scheme as the trusted peer tells them."""
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
        """Follow the hops from the nearest one until one is not trusted; something that is no address ends the walk.

        Returns the client, and what was said of the last hop: all of that was written by somebody who is trusted.
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
    """Return what two headers say alike, or one alone; BadRequest where they differ: one is the client's own invention."""
    if one and other and one.lower() != other.lower():
        raise BadRequest(f"X-Forwarded-* and Forwarded name different {subject}.")
    return one or other


def _last_element(headers: Headers, name: str) -> str:
    """Return the last element of a list: a proxy that adds a line of its own leaves the client's before it."""
    return headers.get_list(name).rpartition(",")[2].strip()


def _correlation(headers: Headers) -> str:
    """Return the id under which other services know what this request belongs to, else that of its trace, else nothing."""
    value = headers.get_list("x-correlation-id")
    if _ID.fullmatch(value):
        return value
    trace = _TRACEPARENT.fullmatch(headers.get_list("traceparent"))
    return trace[1] if trace else ""


def _address(hop: str) -> str | None:
    """Return the address of a hop in its canonical form, without port and brackets; None when it is none."""
    hop = hop.strip()
    match = _ADDRESS_AND_PORT.fullmatch(hop)
    try:
        return str(ip_address(match[1] or match[2] if match else hop))
    except ValueError:
        return None


def _forwarded_elements(value: str) -> Iterator[dict[str, str]]:
    """Yield the elements of Forwarded (RFC 7239 section 4), lower-case names to unquoted values.

    Raises BadRequest for what is malformed: a quote that the client has left open would hide what a proxy writes behind.
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
