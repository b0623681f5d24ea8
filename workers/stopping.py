"""Whether this process was told to stop, as the children of a worker, in which its tasks run, see it too.

A worker that is told to stop waits for the tasks under way, and its children hear nothing of it by themselves; the web
process waits for its threads. What takes long asks here, at points where it can leave off without losing anything.
"""

import mmap
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from celery.signals import worker_shutting_down

# Shared with the children, which are forked later.
_told: Final = mmap.mmap(-1, 1)


def stopping() -> bool:
    """Say whether this process was told to stop."""
    return _told[0] != 0


def listen() -> None:
    """Hear from now on when this worker is told to stop; called before its children are forked."""
    worker_shutting_down.connect(stop)


@contextmanager
def heeding_signals() -> Iterator[None]:
    """Hear SIGTERM and Ctrl-C inside the block, in a process that is no worker: it leaves off, not ending at once.

    A second Ctrl-C ends it at once.
    """

    def leave_off(*_: object) -> None:
        stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = {number: signal.signal(number, leave_off) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop(**_: object) -> None:
    """Tell this process to stop, and the children it has."""
    _told[0] = 1
