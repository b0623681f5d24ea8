"""How much of the processor a hostile input may take."""

import time
from collections.abc import Callable


def costs_little(work: Callable[[], object], seconds: float = 0.5) -> bool:
    """Whether one of three tries stays below so many seconds of CPU.

    Ten times what the work needs, because other programs share the processor and its cache; and still a small part of
    what it would take if it grew with the square of its input. What it needs in truth, the benchmarks measure.
    """
    for _ in range(3):
        began = time.thread_time()
        work()
        if time.thread_time() - began < seconds:
            return True
    return False
