"""Whether this worker was told to stop, as the children in which its tasks run see it.

A worker that is told to stop waits for the tasks under way, and its children hear nothing of it by themselves. What
takes long asks here, at points where it can leave off without losing anything.
"""

import mmap
from typing import Final

from celery.signals import worker_shutting_down

# Shared with the children, which are forked later.
_told: Final = mmap.mmap(-1, 1)


def stopping() -> bool:
    """Say whether this worker was told to stop."""
    return _told[0] != 0


def listen() -> None:
    """Hear from now on when this worker is told to stop; called before its children are forked."""
    worker_shutting_down.connect(_note)


def _note(**_: object) -> None:
    _told[0] = 1
