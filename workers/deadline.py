"""A time in total for a dialogue over a socket, whose own time-outs are per read."""

import math
import socket
import threading
import time
from contextlib import suppress
from types import TracebackType
from typing import Any, Final, Self

from workers.stopping import stopping

_LOOK_SECONDS: Final = 0.5
# What is left of a dialogue once the worker was told to stop: it has ten seconds for all.
_LAST_SECONDS: Final = 5


class Deadline:
    """Shuts a socket down when a time is over, however slowly the other side goes on; its reader gets the end.

    Without it, a server that drips a line every few seconds could hold a process for as long as it likes. The time
    starts with `restart`; a worker that is told to stop waits a few seconds at most. Only the handshake of a connection
    that is encrypted from its first byte has nothing but its own time-outs.
    """

    def __init__(self) -> None:
        """Watch over nothing yet."""
        self._dialogue: object = None
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

    def watch(self, dialogue: object) -> None:
        """Watch over the socket that this client has as `sock`, as soon as it has one, instead of another one's."""
        self._dialogue = dialogue

    def restart(self, seconds: float) -> None:
        """Let the time be over in so many seconds."""
        self._due = time.monotonic() + seconds

    def _watch(self) -> None:
        last = math.inf
        while not self._over.wait(_LOOK_SECONDS):
            if stopping():
                last = min(last, time.monotonic() + _LAST_SECONDS)
            found = getattr(self._dialogue, "sock", None)
            if found is not None and time.monotonic() >= min(self._due, last):
                with suppress(OSError):  # it was closed meanwhile
                    found.shutdown(socket.SHUT_RDWR)


class Watched:
    """Beside a client of the standard library: has it watched before it connects, as it waits for a greeting then."""

    def __init__(self, deadline: Deadline, *arguments: Any, **options: Any) -> None:  # the client's own
        """Connect under a deadline."""
        deadline.watch(self)
        super().__init__(*arguments, **options)
