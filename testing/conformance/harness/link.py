"""A link between a client and the server that stops when told to."""

import socket
import threading
from contextlib import suppress


class Link:
    """A port of this machine that leads to another, and counts what comes from there."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._limit: int | None = None
        self._open: list[socket.socket] = []
        self._flows = threading.Event()
        self.stalled = threading.Event()
        self.received = 0
        self.connections = 0
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def stall_after(self, count: int) -> None:
        """Nothing comes through after so many bytes, until `flow` or `cut`."""
        self._limit = self.received + count
        self._flows.clear()
        self.stalled.clear()

    def flow(self) -> None:
        """Lets everything through from now on."""
        self._limit = None
        self._flows.set()

    def cut(self) -> None:
        """Ends what is connected, and lets through what comes after."""
        ended, self._open = self._open, []
        for end in ended:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
        self.flow()

    def close(self) -> None:
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                near, _ = self._listener.accept()
                self.connections += 1
                far = socket.create_connection(self._target)
                self._open += [near, far]
                threading.Thread(target=self._pump, args=(near, far, False), daemon=True).start()
                threading.Thread(target=self._pump, args=(far, near, True), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with suppress(OSError):
            while piece := source.recv(16384):
                if counts:
                    self._wait_for_room(len(piece))
                sink.sendall(piece)
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

    def _wait_for_room(self, count: int) -> None:
        if self._limit is not None and self.received + count > self._limit:
            self.stalled.set()
            self._flows.wait()
        self.received += count
