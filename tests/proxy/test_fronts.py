"""A proxy in front: kept connections, true client addresses, whole bodies, safe reloads."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
from pathlib import Path

import httpx
import pytest

from arlen_runtime.testing.server import RunningServer
from tests.fixtures import Front

pytestmark = pytest.mark.proxy


NGINX = """
daemon off; master_process off; pid DIR/nginx.pid; error_log DIR/nginx.error;
events { worker_connections 512; }
http {
    access_log off; client_max_body_size 0;
    client_body_temp_path DIR/body; proxy_temp_path DIR/proxied;
    fastcgi_temp_path DIR/f; uwsgi_temp_path DIR/u; scgi_temp_path DIR/s;
    upstream propane { server 127.0.0.1:UPSTREAM; keepalive 32; }
    server {
        listen 127.0.0.1:PORT;
        location / {
            proxy_pass http://propane; proxy_http_version 1.1; proxy_set_header Connection "";
            proxy_set_header Host $host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto https; proxy_set_header X-Request-Id $request_id;
            proxy_next_upstream off; proxy_buffering SWITCH; proxy_request_buffering SWITCH;
        }
    }
}
"""
HAPROXY = """
global
    maxconn 500
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    retries 0
    option forwardfor
    http-reuse always
frontend all
    bind 127.0.0.1:PORT
    http-request set-header X-Forwarded-Proto https
    default_backend propane
backend propane
    server one 127.0.0.1:UPSTREAM
"""
COMMANDS = {
    "nginx": ["nginx", "-c", "front.conf", "-p", ".", "-e", "stderr"],
    "haproxy": ["haproxy", "-db", "-f", "front.conf"],
}
CONFIGURATIONS = {
    "nginx-buffering": NGINX.replace("SWITCH", "on"),
    "nginx-unbuffered": NGINX.replace("SWITCH", "off"),
    "haproxy": HAPROXY,
}


@pytest.fixture(params=CONFIGURATIONS)
def url(request: pytest.FixtureRequest, server: RunningServer, front: Front) -> str:
    """Put each proxy in front of the server."""
    configuration = CONFIGURATIONS[request.param].replace("UPSTREAM", str(server.port))
    return front(COMMANDS[request.param.partition("-")[0]], configuration)


def established(port: int) -> int:
    """Count the connections that a server on this port has open."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return sum(row[1].endswith(f":{port:04X}") and row[3] == "01" for row in rows)


def test_connections_to_the_server_are_kept(url: str, server: RunningServer) -> None:
    with httpx.Client() as client:
        answers = [client.get(url) for _ in range(50)]
        assert {(answer.status_code, answer.text) for answer in answers} == {(200, "one")}
        assert 1 <= established(server.port) <= 4


def test_the_client_address_is_what_the_proxy_saw_not_what_the_client_claims(url: str) -> None:
    forged = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Proto": "http", "X-Request-Id": "x"}
    said = httpx.get(f"{url}/who", headers=forged).json()
    assert said["scheme"] == "https"
    assert said["client"] == "203.0.113.9", "127.0.0.1 is trusted, so the walk goes on to the hop before it"
    assert httpx.get(f"{url}/who").json()["client"] == "127.0.0.1"


@pytest.mark.parametrize("kind", ["length", "chunked"])
def test_a_large_upload_arrives_whole(url: str, kind: str) -> None:
    body = bytes(range(256)) * 40_000
    content = body if kind == "length" else iter([body[at : at + 65_536] for at in range(0, len(body), 65_536)])
    answer = httpx.post(f"{url}/upload", content=content, timeout=30)
    assert answer.json() == {"size": len(body), "digest": hashlib.sha256(body).hexdigest()}


def test_an_upload_that_is_too_large_is_refused_and_the_next_request_answered(url: str) -> None:
    """On another connection: after a refused upload nginx closes it without announcing that."""
    assert httpx.post(f"{url}/", content=b"x" * 3_000_000, timeout=30).status_code == 405
    assert httpx.get(url).status_code == 200


@pytest.mark.parametrize("path", ["/download", "/stream"])
def test_a_large_download_arrives_whole(url: str, path: str) -> None:
    whole = {
        "/download": bytes(range(250)) * 80_000,
        "/stream": b"".join(b"%07d\n" % number * 1000 for number in range(500)),
    }
    with httpx.Client(timeout=30) as client:
        for _ in range(2):
            assert client.get(url + path).content == whole[path]


def test_a_request_that_is_refused_ends_only_its_own_connection(url: str) -> None:
    with httpx.Client() as client:
        for _ in range(5):
            assert client.get(f"{url}/missing").status_code == 404
            assert client.get(url).status_code == 200


def test_no_request_fails_while_the_server_reloads_under_load(url: str, server: RunningServer, tmp_path: Path) -> None:
    load = subprocess.Popen(["wrk", "-t1", "-c16", "-d60s", url], stdout=subprocess.PIPE, text=True)
    for generation in (2, 3, 4):
        (tmp_path / "app.py").write_text((tmp_path / "app.py").read_text().replace('VERSION = "', 'VERSION = "x'))
        server.send(signal.SIGHUP)
        server.wait_for("generation_ended", generation=generation - 1)
    load.send_signal(signal.SIGINT)  # it reports then, the load having outlasted every reload
    said, _ = load.communicate(timeout=60)

    assert "Socket errors" not in said
    assert "Non-2xx" not in said
    assert int(re.findall(r"(\d+) requests in", said)[0]) > 500
    assert httpx.get(url).text == "xxxone"
