"""A time in total for a dialogue over a socket, whose own time-outs are per read."""

import math
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from workers.stopping import stopping

_LOOK_SECONDS: Final = 0.5
# What is left of a dialogue once the worker was told to stop: it has ten seconds for all.
_LAST_SECONDS: Final = 5


class Deadline:
    """Shuts a socket down when a time is over, however slowly the other side goes on; its reader gets the end.

    Without it, a server that drips a line every few seconds could hold a process for as long as it likes. The time
    starts with `restart`; a worker that is told to stop waits a few seconds at most.
    """

    def __init__(self, current: Callable[[], socket.socket | None]) -> None:
        """Take a function that returns the socket, or None while there is none."""
        self._current = current
        self._due = math.inf
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        """Begin to watch."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the watch."""
        self._over.set()
        self._thread.join()

    def restart(self, seconds: float) -> None:
        """Let the time be over in so many seconds."""
        self._due = time.monotonic() + seconds

    def _watch(self) -> None:
        last = math.inf
        while not self._over.wait(_LOOK_SECONDS):
            if stopping():
                last = min(last, time.monotonic() + _LAST_SECONDS)
            if time.monotonic() >= min(self._due, last) and (found := self._current()) is not None:
                with suppress(OSError):  # it was closed meanwhile
                    found.shutdown(socket.SHUT_RDWR)
