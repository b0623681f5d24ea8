"""The timetable of this installation: beat_schedule.py, and a line for each engine that brings its own cron."""

from beat_schedule import BEAT_SCHEDULE, engine_line
from workers.engines.registry import all_engines


def timetable() -> dict[str, dict[str, object]]:
    """Return what beat works by, by the name of each line; an engine's line bears the engine's name."""
    own = {engine.name: engine_line(engine.name, engine.cron) for engine in all_engines().values() if engine.cron}
    return BEAT_SCHEDULE | own
