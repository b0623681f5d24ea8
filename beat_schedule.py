"""The timetable: data only. `workers.app` hands it to Celery beat, the ledger reads its slots from it."""

from datetime import timedelta

from celery.schedules import crontab

from workers.runtime.intervals import Every

# When each engine begins: minute, hour, day of the month, month, weekday. Beat reads them by FLEET_TIMEZONE, and the
# catch-up by every tenant's own clocks, for whom they hold unless the tenant has set its own.
ENGINE_CRONS = {
    "feedback": "0 9 * * *",
    "deals": "0 8,14 * * *",
    "quotes": "0 10 * * *",
    "enrichment": "*/30 * * * *",
    "compliance": "0 7 * * 1",
}


def engine_line(name: str, cron: str, *, expires: int = 3600) -> dict[str, object]:
    """Return one engine's entry.

    After `expires` seconds without a worker a message is dropped, so that an outage leaves no backlog to
    replay; the catch-up then starts what was missed, once.
    """
    return {
        "task": f"workers.{name}.run",
        "schedule": crontab.from_string(cron),
        "kwargs": {"trigger": "beat"},
        "options": {"expires": expires},
    }


BEAT_SCHEDULE: dict[str, dict[str, object]] = {
    "feedback": engine_line("feedback", ENGINE_CRONS["feedback"]),
    "deals": engine_line("deals", ENGINE_CRONS["deals"]),
    "quotes": engine_line("quotes", ENGINE_CRONS["quotes"]),
    "enrichment": engine_line("enrichment", ENGINE_CRONS["enrichment"], expires=1500),
    "compliance": engine_line("compliance", ENGINE_CRONS["compliance"]),
    # Passes that change nothing the second time: plain intervals, so that neither the hour that the clock repeats nor a
    # clock set back silences them, and no expiry, which would compare the clocks of two machines.
    "delivery": {"task": "workers.delivery.run", "schedule": Every(timedelta(minutes=1))},
    "inbound": {"task": "workers.inbound.poll", "schedule": Every(timedelta(minutes=2))},
    # relative: on the minute, as slots are.
    "catch_up": {"task": "workers.housekeeping.catch_up", "schedule": Every(timedelta(minutes=1), relative=True)},
    "watch": {"task": "workers.watch.look", "schedule": Every(timedelta(minutes=1))},
    "prune": {"task": "workers.housekeeping.prune", "schedule": Every(timedelta(hours=6))},
}
