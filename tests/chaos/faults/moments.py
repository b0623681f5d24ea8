"""What faults are made of: a random moment, processes that stand still."""

import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psutil


def moment(chance: random.Random, longest: float = 0.8) -> None:
    """Let the fleet come to a random point of its work: here alone time is waited for, not a condition."""
    time.sleep(chance.uniform(0, longest))


@contextmanager
def frozen(*processes: psutil.Process) -> Iterator[None]:
    """Let processes stand still: they neither answer nor hang up."""
    try:
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGSTOP)
        yield
    finally:
        for process in processes:
            with suppress(psutil.Error):
                process.send_signal(signal.SIGCONT)
