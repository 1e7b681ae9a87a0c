"""Things that arrive on another thread."""

import queue
from typing import Generic, TypeVar

from . import PATIENCE_S

T = TypeVar("T")


class Inbox(Generic[T]):
    def __init__(self) -> None:
        self._arrived: queue.Queue[T] = queue.Queue()

    def put(self, item: T) -> None:
        self._arrived.put(item)

    def next(self) -> T:
        """The oldest that was not taken yet."""
        try:
            return self._arrived.get(timeout=PATIENCE_S)
        except queue.Empty:
            raise AssertionError("nothing arrived") from None
