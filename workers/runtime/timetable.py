"""The timetable of this installation: beat_schedule.py, and a line for each engine that brings its own cron."""

from collections.abc import Mapping
from datetime import timedelta

from beat_schedule import BEAT_SCHEDULE, ENGINE_CRONS, engine_line
from workers.engines.registry import all_engines, engine_named, require_engines
from workers.settings import settings


def timetable() -> dict[str, dict[str, object]]:
    """Return what beat works by, by the name of each line; an engine's line bears the engine's name."""
    own = {engine.name: engine_line(engine.name, engine.cron) for engine in all_engines().values() if engine.cron}
    return BEAT_SCHEDULE | own


def cron_of(engine: str) -> str:
    """Return the cron by which an engine begins for all who have not set another one."""
    return engine_named(engine).cron or ENGINE_CRONS[engine]


def catch_up_windows() -> Mapping[str, timedelta]:
    """Return for how long a slot of each engine is worth working: what FLEET_CATCH_UP says, else the engine.

    Raises:
        ConfigurationError: FLEET_CATCH_UP names something that is no engine.
    """
    said = settings().fleet_catch_up
    require_engines("FLEET_CATCH_UP", said)
    return {name: said.get(name, engine.catch_up) for name, engine in all_engines().items()}
