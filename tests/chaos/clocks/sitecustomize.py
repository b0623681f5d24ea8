"""A clock of its own for each process of the world: Python runs this first of all, where PYTHONPATH names its folder.

What a machine with a wrong clock has wrong is the time of day; what measures how long something takes goes on.
"""

import json
import os
import signal
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

_COMMAND = " ".join(sys.orig_argv)
_travels: list[Any] = []  # the one under way; a child of a worker inherits it


def set_clock(*_: object) -> None:
    """Set it as far off as CHAOS_CLOCKS says of a word of our command: {"word": seconds}."""
    while _travels:
        _travels.pop().stop()
    file = Path(os.environ["CHAOS_CLOCKS"])
    off = json.loads(file.read_text()) if file.exists() else {}
    for word, seconds in off.items():
        if word in _COMMAND:
            import time_machine  # noqa: PLC0415  # no process is to begin later for it while clocks are right

            _travels.append(time_machine.travel(timedelta(seconds=seconds)))
            _travels[-1].start()
            return


if "CHAOS_CLOCKS" in os.environ:
    signal.signal(signal.SIGURG, set_clock)
    set_clock()
