"""The origin of a request: only trusted proxies are believed, read from the right."""

from __future__ import annotations

import re
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from arlen_runtime.errors import BadRequest, ConfigError, MisdirectedRequest
from arlen_runtime.http.headers import Headers
from arlen_runtime.http.origin import UNIX_PEER, IdSource, Origin, TrustedProxies

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"
PROXIES = TrustedProxies(["10.0.0.0/8", "2001:db8::/32", "192.0.2.7"])


def _resolve(
    *fields: tuple[str, str], peer: str = "10.0.0.1", trusted: TrustedProxies = PROXIES
) -> tuple[str, str, str, str]:
    headers = Headers([(name.encode(), value.encode()) for name, value in fields])
    return Origin(peer, "http", trusted, lambda: "drawn").resolve(headers)


def _client(*fields: tuple[str, str]) -> str:
    return _resolve(*fields)[1]


def test_ids_are_24_hexadecimal_characters_and_no_two_are_equal() -> None:
    source, other = IdSource(), IdSource()
    ids = [source() for _ in range(1000)] + [other() for _ in range(1000)]
    assert all(re.fullmatch("[0-9a-f]{24}", name) for name in ids)
    assert len(set(ids)) == len(ids)


def test_ids_are_unique_over_threads() -> None:
    source = IdSource()
    with ThreadPoolExecutor(8) as pool:
        batches = list(pool.map(lambda _: [source() for _ in range(2000)], range(8)))
    assert len({name for batch in batches for name in batch}) == 16_000


def test_an_untrusted_peer_is_identified_by_its_socket_only() -> None:
    claims = [
        ("x-forwarded-for", "198.51.100.1"),
        ("forwarded", "for=198.51.100.1;proto=https"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "my-own-request-id"),
        ("x-correlation-id", "my-own-correlation-id"),
        ("traceparent", TRACEPARENT),
    ]
    assert _resolve(*claims, peer="203.0.113.9") == ("drawn", "203.0.113.9", "http", "")
    assert _resolve(*claims, trusted=TrustedProxies()) == ("drawn", "10.0.0.1", "http", "")


def test_the_walk_starts_at_the_right_and_ends_at_the_first_hop_that_is_not_trusted() -> None:
    assert _client(("x-forwarded-for", "198.51.100.1")) == "198.51.100.1"
    assert _client(("x-forwarded-for", "127.0.0.1, 198.51.100.1, 10.9.9.9")) == "198.51.100.1"
    assert (
        _client(("x-forwarded-for", "198.51.100.66"), ("x-forwarded-for", "198.51.100.1, 192.0.2.7")) == "198.51.100.1"
    )
    assert _client(("x-forwarded-for", "10.1.1.1, 10.2.2.2")) == "10.1.1.1"


def test_an_invalid_address_ends_the_walk_at_the_last_valid_hop() -> None:
    assert _client(("x-forwarded-for", "198.51.100.1, unknown, 10.2.2.2")) == "10.2.2.2"
    assert _client(("x-forwarded-for", "198.51.100.1, <script>")) == "10.0.0.1"
    assert _client(("x-forwarded-for", "")) == "10.0.0.1"


@pytest.mark.parametrize(
    ("hop", "address"),
    [
        ("198.51.100.1:4711", "198.51.100.1"),
        ("[2001:db9::1]:4711", "2001:db9::1"),
        ("[2001:db9::1]", "2001:db9::1"),
        ("2001:DB9:0::1", "2001:db9::1"),
    ],
)
def test_addresses_lose_port_and_brackets_and_get_one_form(hop: str, address: str) -> None:
    assert _client(("x-forwarded-for", hop)) == address


def test_forwarded_is_read_with_its_quotes_and_its_elements() -> None:
    value = 'for=127.0.0.1, For="[2001:db9::1]:80";Proto=https;by=10.0.0.3 , for=10.0.0.2;proto=https'
    assert _resolve(("forwarded", value)) == ("drawn", "2001:db9::1", "https", "")


def test_an_obfuscated_client_in_forwarded_is_ignored() -> None:
    assert _client(("forwarded", "for=198.51.100.1, for=_hidden")) == "10.0.0.1"


@pytest.mark.parametrize("value", ['for="', "for=x y", "=", "for", "for=198.51.100.1, =;", 'for="198.51.100.1'])
def test_a_client_cannot_hide_the_proxys_element_by_malformed_forwarded(value: str) -> None:
    own = "for=198.51.100.7;proto=https"
    for fields in [
        (("forwarded", value),),
        (("forwarded", value), ("forwarded", own)),
        (("forwarded", f"{value}, {own}"),),
    ]:
        with pytest.raises(BadRequest, match="malformed"):
            _client(*fields)


def test_blanks_in_forwarded_are_read_in_linear_time() -> None:
    started = time.process_time()
    with pytest.raises(BadRequest, match="malformed"):
        _client(("forwarded", " " * 64_000 + "x"))
    assert time.process_time() - started < 1, "each blank was read again for each blank before it"


def test_two_headers_that_name_different_clients_are_refused() -> None:
    with pytest.raises(BadRequest):
        _resolve(("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.2"))
    assert _client(("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=198.51.100.1")) == "198.51.100.1"


def test_two_headers_that_name_different_hosts_or_schemes_are_refused() -> None:
    own = ("forwarded", "for=198.51.100.7;proto=http;host=shop.example")
    with pytest.raises(BadRequest, match="different schemes"):
        _resolve(own, ("x-forwarded-proto", "https"))
    headers = [
        Headers([(b"forwarded", own[1].encode()), (b"x-forwarded-host", host)]) for host in (b"evil", b"SHOP.example")
    ]
    origin = Origin("10.0.0.1", "http", PROXIES, lambda: "drawn")
    with pytest.raises(BadRequest, match="different hosts"):
        origin.host(headers[0], "inner")
    assert origin.host(headers[1], "inner") == "SHOP.example"


def test_the_scheme_of_forwarded_is_that_by_which_the_client_came() -> None:
    value = "for=198.51.100.7;proto=https, for=10.0.0.5;proto=http"
    assert _resolve(("forwarded", value))[1:3] == ("198.51.100.7", "https")


def test_only_a_trusted_proxy_may_forward_https_unencrypted() -> None:
    def origin(peer: str, scheme: str = "http") -> Origin:
        return Origin(peer, scheme, PROXIES, lambda: "drawn")

    assert origin("10.0.0.1").host_of_absolute_form("https", "a") == "a"
    assert origin("203.0.113.9", "https").host_of_absolute_form("https", "a") == "a"
    assert origin("203.0.113.9").host_of_absolute_form("http", "a") == "a"
    with pytest.raises(MisdirectedRequest):
        origin("203.0.113.9").host_of_absolute_form("https", "a")


def test_the_scheme_is_what_the_nearest_proxy_says() -> None:
    assert _resolve(("x-forwarded-proto", "https"))[2] == "https"
    assert _resolve(("x-forwarded-proto", "http, HTTPS"))[2] == "https"
    assert _resolve(("x-forwarded-proto", "gopher"))[2] == "http"


def test_a_line_of_the_client_before_the_proxys_line_is_ignored() -> None:
    assert _resolve(("x-forwarded-proto", "https"), ("x-forwarded-proto", "http"))[2] == "http"
    assert _host(("x-forwarded-host", "made-up.example"), ("x-forwarded-host", "example.org")) == "example.org"


def _host(*fields: tuple[str, str], trusted: TrustedProxies | None = None) -> str:
    """Return the host of a request as the parser does: through `host` only if `names_host`."""
    headers = Headers([(name.encode(), value.encode()) for name, value in fields])
    origin = Origin("10.0.0.1", "http", trusted or TrustedProxies(["10.0.0.0/8"], names_host=True), lambda: "drawn")
    return origin.host(headers, "inner:8000") if origin.names_host else "inner:8000"


def test_a_trusted_host_is_that_of_the_nearest_proxy() -> None:
    assert _host(("x-forwarded-host", "example.org:8443")) == "example.org:8443"
    assert _host(("x-forwarded-host", "made-up.example, example.org")) == "example.org"
    assert _host(("forwarded", 'for=192.0.2.1;host="[2001:db8::1]:80";proto=https')) == "[2001:db8::1]:80"
    assert _host(("forwarded", "for=192.0.2.1;host=made-up, for=10.0.0.2")) == "inner:8000"
    assert _host() == "inner:8000"


def test_a_forwarded_host_needs_the_setting_a_trusted_peer_and_a_valid_value() -> None:
    forged = ("x-forwarded-host", "evil.example")
    assert _host(forged, trusted=PROXIES) == "inner:8000"
    assert _host(forged, trusted=TrustedProxies(["192.0.2.7"], names_host=True)) == "inner:8000"
    for bad in ("a b", "user@example.org", "example.org/path", "example.org:99999"):
        with pytest.raises(BadRequest):
            _host(("x-forwarded-host", bad))


def test_an_id_is_accepted_only_if_it_is_well_formed() -> None:
    assert _resolve(("x-request-id", "a1b2c3d4-e5f6"))[0] == "a1b2c3d4-e5f6"
    for bad in ("short", "a" * 129, "with space here", "new\tline-here", 'quoted"id"here', "\u00e9" * 8):
        assert _resolve(("x-request-id", bad))[0] == "drawn"

    twice = ("x-request-id", "a1b2c3d4-e5f6")
    assert _resolve(twice, twice)[0] == "drawn", "one of the two is not from the proxy"


def _correlated(*fields: tuple[str, str]) -> str:
    return _resolve(*fields)[3]


def test_the_correlation_id_is_the_one_passed_on_else_that_of_the_trace() -> None:
    assert _correlated(("x-correlation-id", "order-4711.a"), ("traceparent", TRACEPARENT)) == "order-4711.a"
    assert _correlated(("x-correlation-id", "no good"), ("traceparent", TRACEPARENT)) == TRACE
    assert _correlated(("traceparent", f"01-{TRACE}-00f067aa0ba902b7-01-of-tomorrow")) == TRACE
    assert _correlated(("x-request-id", "a1b2c3d4-e5f6")) == ""
    twice = ("x-correlation-id", "order-4711.a")
    assert _correlated(twice, twice) == ""


@pytest.mark.parametrize(
    "value",
    [
        "",
        TRACE,
        TRACEPARENT.upper(),
        TRACEPARENT[:-1],
        f"{TRACEPARENT}0",
        f"{TRACEPARENT}-more",  # version 00 ends with its flags
        f"ff{TRACEPARENT[2:]}",
        f"00-{'0' * 32}-00f067aa0ba902b7-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{TRACEPARENT},{TRACEPARENT}",
        f"01-{TRACE}-00f067aa0ba902b7-01-a b",
    ],
)
def test_an_invalid_traceparent_gives_no_correlation_id(value: str) -> None:
    assert _correlated(("traceparent", value)) == ""


def test_networks_hold_addresses_of_both_families_and_mapped_ones() -> None:
    for address in ("10.255.0.1", "192.0.2.7", "2001:db8::9", "::ffff:10.0.0.1"):
        assert address in PROXIES
    for address in ("11.0.0.1", "192.0.2.8", "2001:db9::", "", "unix", "nobody"):
        assert address not in PROXIES


def test_peers_by_unix_socket_are_trusted_by_that_word() -> None:
    assert UNIX_PEER in TrustedProxies(["unix"])
    assert (
        _resolve(("x-forwarded-for", "198.51.100.1"), peer=UNIX_PEER, trusted=TrustedProxies(["unix"]))[1]
        == "198.51.100.1"
    )


def test_an_invalid_network_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"trusted_proxies.*10\.0\.0\.1/8"):
        TrustedProxies(["10.0.0.1/8"])
