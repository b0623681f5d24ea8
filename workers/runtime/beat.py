"""Beat's own scheduler, but for a clock that is set back."""

from datetime import UTC, datetime
from typing import Any

from celery.beat import PersistentScheduler, ScheduleEntry

from workers import clock, tracing


class SteadyScheduler(PersistentScheduler):  # type: ignore[misc]  # Celery is untyped
    """Plans anew when the clock was set back: what it had planned would wait for as long as the jump was.

    An hour that was worked before is not worked again: each entry remembers its last run.
    """

    _latest = datetime.min.replace(tzinfo=UTC)

    def tick(self, *arguments: Any, **options: Any) -> float:  # Celery's own
        """Send what is due, and return in how many seconds to come again."""
        now = clock.now()
        if now < self._latest:
            self._heap = None
        self._latest = now
        seconds: float = super().tick(*arguments, **options)
        return seconds

    def apply_entry(self, entry: ScheduleEntry, producer: Any = None) -> None:
        """Send an entry's message: the beginning of a trace."""
        with tracing.span("beat", entry=entry.name):
            super().apply_entry(entry, producer)
