"""The one place Python reads the time from. SQL reads fleet_now(), which db.session keeps in step."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime

_override: ContextVar[datetime | None] = ContextVar("fleet_clock", default=None)


def now() -> datetime:
    """Return the fleet's present instant, timezone-aware: the overridden one, else the real one."""
    return _override.get() or datetime.now(UTC)


def override() -> datetime | None:
    """Return the instant the clock was set to, or None while it runs on real time."""
    return _override.get()


@contextmanager
def at(instant: datetime | None) -> Iterator[None]:
    """Let the fleet live at `instant` (timezone-aware) inside the block; None leaves the clock alone."""
    if instant is not None and instant.tzinfo is None:
        raise ValueError(f"{instant.isoformat()} has no time zone")
    token = _override.set(instant or _override.get())
    try:
        yield
    finally:
        _override.reset(token)
