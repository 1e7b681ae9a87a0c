"""A socket for what no client library would send."""

import socket

from . import PATIENCE_S
from .server import Server


def connect_packet(client_id: str) -> bytes:
    """An MQTT 3.1.1 CONNECT with a clean session and a keep-alive of a minute."""
    name = client_id.encode()
    rest = b"\x00\x04MQTT\x04\x02\x00\x3c" + len(name).to_bytes(2, "big") + name
    return b"\x10" + bytes([len(rest)]) + rest


class Raw:
    """A connection to the plain listener."""

    def __init__(self, server: Server) -> None:
        self._socket = socket.create_connection(("127.0.0.1", server.port("mqtt")), PATIENCE_S)

    def send(self, packet: bytes) -> None:
        self._socket.sendall(packet)

    def receive(self, count: int) -> bytes:
        """So many bytes, or fewer when the server has closed the connection."""
        return self._socket.recv(count, socket.MSG_WAITALL)

    def close(self) -> None:
        self._socket.close()
