"""Plain intervals of the timetable, for passes that change nothing the second time."""

from datetime import UTC, datetime

from celery.schedules import schedstate, schedule


class Every(schedule):  # type: ignore[misc]  # Celery is untyped
    """An interval since the last run; due at once if that lies ahead, for then the clock was set back."""

    def is_due(self, last_run_at: datetime) -> schedstate:
        """Return whether it is due, and in how many seconds to ask again."""
        last, now = (self.maybe_make_aware(instant).astimezone(UTC) for instant in (last_run_at, self.now()))
        if last > now:
            return schedstate(is_due=True, next=self.seconds)
        return super().is_due(last_run_at)
