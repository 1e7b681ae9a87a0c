"""Bytes that are no requests, requests that never end, and more of either than anybody needs.

The server stays up, answers everybody else meanwhile, and lets nobody in. `OTARU_SLOW=1` sends ten
times as much.
"""

import os
import random
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from harness.mqtt import Mqtt
from harness.raw import connect_packet
from harness.server import Server
from harness.sockets import LISTENERS, connect, mutated, opened, pour

# The database has no part in it.
pytestmark = pytest.mark.parametrize("fresh_database", ["sqlite"], indirect=True, scope="session")

ROUNDS = 1000 if os.environ.get("OTARU_SLOW") == "1" else 100

REQUEST = (
    b"POST /app/session HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: 38\r\nTransfer-Encoding: chunked\r\nRange: bytes=0-1,5-\r\n\r\n"
    b'{"email":"a@b.c","password":"12345678"}'
)
SUBSCRIBE = b"\x82\x0f\x00\x01\x00\x0a$aws/things\x01"
PUBLISH = b"\x32\x20\x00\x19$aws/things/a/shadow/get\x00\x00\x02{}"
SESSION = connect_packet("abuse") + SUBSCRIBE + PUBLISH + b"\xc0\x00\xe0\x00"

CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
BEGINNINGS = {"http": b"GET / HTTP/1.1\r\nX: ", "mqtt": b"\x10\x7f\x00\x04MQTT\x04"}

# RFC 9113.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
HEADERS, RST_STREAM, SETTINGS, PING, CONTINUATION = 1, 3, 4, 6, 9
END_STREAM, END_HEADERS = 1, 4
# `GET http://a/` with the static table of HPACK (RFC 7541, Appendix A).
GET = b"\x82\x86\x84\x41\x01a"


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


@contextmanager
def others_are_served(server: Server) -> Iterator[None]:
    """Before, and at once behind whatever happens in between."""
    check_service(server)
    yield
    check_service(server)


def check_service(server: Server) -> None:
    server.command("device", "list")
    client = Mqtt(server, "mqtt5")
    assert client.subscribe("a/topic") == [1]
    client.disconnect()


@pytest.mark.parametrize("listener", LISTENERS)
def test_noise_at_the_door(server: Server, listener: str) -> None:
    chance = random.Random(listener)
    with others_are_served(server):
        for _ in range(ROUNDS):
            pour(connect(server, listener), chance.randbytes(chance.randint(1, 4096)))


@pytest.mark.parametrize("listener", ["http", "https", "device_https"])
def test_requests_with_mistakes(server: Server, listener: str) -> None:
    chance = random.Random(listener)
    with others_are_served(server):
        for _ in range(ROUNDS):
            answer = pour(opened(server, listener), mutated(chance, REQUEST))
            assert not answer or answer.startswith(b"HTTP/1."), answer
            assert not answer.startswith((b"HTTP/1.1 5", b"HTTP/1.1 2")), answer


@pytest.mark.parametrize("listener", ["mqtt", "mqtts"])
def test_packets_with_mistakes(server: Server, listener: str) -> None:
    chance = random.Random(listener)
    identity = server.device("abuse") if listener == "mqtts" else None
    with others_are_served(server):
        for _ in range(ROUNDS):
            pour(opened(server, listener, identity), mutated(chance, SESSION))


@pytest.mark.parametrize("listener", ["http", "https", "device_https"])
def test_heads_without_measure(server: Server, listener: str) -> None:
    with others_are_served(server):
        long_line = b"GET /" + b"a" * 1_000_000 + b" HTTP/1.1\r\n\r\n"
        long_field = b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1_000_000 + b"\r\n\r\n"
        many = b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: a\r\n" * 100_000 + b"\r\n"
        for head in [long_line, long_field, many]:
            answer = pour(opened(server, listener), head)
            assert not answer or answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 414", b"HTTP/1.1 400"))


def test_http2_is_no_way_to_work_for_nothing(server: Server) -> None:
    """Streams that are reset at once, heads without an end, pings and settings without a pause."""
    begin = PREFACE + frame(SETTINGS, 0, 0)
    streams = range(1, 20_001, 2)
    resets = b"".join(
        frame(HEADERS, END_HEADERS | END_STREAM, stream, GET)
        + frame(RST_STREAM, 0, stream, struct.pack(">I", 8))
        for stream in streams
    )
    endless = frame(HEADERS, 0, 1, GET) + b"".join(
        frame(CONTINUATION, 0, 1, b"\x40\x01a\x7f\x80\x01" + b"a" * 128 + b"b" * 127)
        for _ in range(10_000)
    )
    pings = frame(PING, 0, 0, b"12345678") * 20_000
    settings = frame(SETTINGS, 0, 0) * 20_000
    with others_are_served(server):
        for flood in [resets, endless, pings, settings]:
            pour(connect(server, "http"), begin + flood)


def test_who_says_a_byte_now_and_then_is_shut_out(server: Server) -> None:
    """A head, a handshake or a CONNECT that never comes to its end, by many at once."""
    with others_are_served(server):
        slow = [begun(server, listener) for listener in LISTENERS for _ in range(100)]
        limit = time.monotonic() + 60
        while slow and time.monotonic() < limit:
            closed = set(select.select(slow, [], [], 1)[0])
            for one in list(slow):
                if one in closed or not takes_a_byte(one):
                    one.close()
                    slow.remove(one)
        assert not slow, f"{len(slow)} of 500 are still in"


def begun(server: Server, listener: str) -> socket.socket:
    """A connection with the beginning of what the listener expects."""
    one = connect(server, listener)
    one.sendall(BEGINNINGS.get(listener, CLIENT_HELLO))
    return one


def takes_a_byte(one: socket.socket) -> bool:
    try:
        one.sendall(b"a")
    except OSError:
        return False
    return True
