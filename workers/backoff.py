"""When what failed is tried again: exponential with jitter, a pure function."""

from datetime import datetime, timedelta
from typing import Final

_BASE: Final = timedelta(minutes=1)
_CEILING: Final = timedelta(hours=6)


def next_attempt(now: datetime, attempt: int, jitter: float) -> datetime:
    """Return when attempt + 1 is due: a minute, doubled per failed attempt up to six hours, spread by a quarter.

    Args:
        now: timezone-aware.
        attempt: how many attempts have failed, from 1.
        jitter: 0..1, drawn by the caller; 0.5 leaves the delay as it is.
    """
    delay = min(_BASE * (1 << min(attempt - 1, 30)), _CEILING)
    return now + delay * (0.75 + jitter / 2)
