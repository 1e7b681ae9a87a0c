"""Sockets for what no client library would send, on every listener."""

import random
import socket
import ssl
from contextlib import suppress

from . import PATIENCE_S
from .server import Identity, Server

LISTENERS = ["http", "https", "device_https", "mqtt", "mqtts"]


def connect(server: Server, listener: str, from_address: str = "127.0.0.1") -> socket.socket:
    """A TCP connection, before any TLS."""
    return socket.create_connection(
        ("127.0.0.1", server.port(listener)), PATIENCE_S, source_address=(from_address, 0)
    )


def secured(plain: socket.socket, identity: Identity | None = None) -> ssl.SSLSocket:
    """TLS on it, for somebody who is after the server and does not ask whose it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if identity:
        context.load_cert_chain(identity.certificate, identity.key)
    return context.wrap_socket(plain)


def opened(server: Server, listener: str, identity: Identity | None = None) -> socket.socket:
    """A connection up to where the protocol of the listener begins."""
    plain = connect(server, listener)
    is_plain = listener in ("http", "mqtt")
    return plain if is_plain else secured(plain, identity)


def pour(target: socket.socket, data: bytes) -> bytes:
    """Sends it all, says that nothing follows, and answers what came until the other side closed.

    A side that closes at once, or in the middle, is as good as one that answers.
    """
    answer = b""
    with suppress(OSError):
        target.sendall(data)
        if not isinstance(target, ssl.SSLSocket):
            target.shutdown(socket.SHUT_WR)
        target.settimeout(0.2)
        while (part := target.recv(65536)) and len(answer) < 1 << 20:
            answer += part
    target.close()
    return answer


def mutated(chance: random.Random, valid: bytes) -> bytes:
    """A message with a few bytes changed, left out, repeated or cut off."""
    data = bytearray(valid)
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data) + 1)
        how = chance.randrange(5)
        if how == 0 and at < len(data):
            data[at] = chance.randrange(256)
        elif how == 1:
            del data[at : at + chance.randint(1, 8)]
        elif how == 2:
            data[at:at] = chance.randbytes(chance.randint(1, 8))
        elif how == 3:
            data[at:at] = data[at : at + chance.randint(1, 32)]
        else:
            del data[at:]
        if not data:
            data = bytearray(b"\0")
    return bytes(data)
