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
def heeding_sigterm() -> Iterator[None]:
    """Hear SIGTERM inside the block, in a process that is no worker: it leaves off instead of ending at once."""
    before = signal.signal(signal.SIGTERM, lambda *_: stop())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def stop(**_: object) -> None:
    """Tell this process to stop, and the children it has."""
    _told[0] = 1
