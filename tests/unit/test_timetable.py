"""If these fail, an engine runs at an hour nobody expects, or not at all."""

import copy
from bisect import bisect_right
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from celery import Celery
from celery.beat import ScheduleEntry, Scheduler
from celery.schedules import crontab, schedule
from freezegun import freeze_time
from hypothesis import given, settings
from hypothesis import strategies as st

from beat_schedule import BEAT_SCHEDULE
from workers.runtime.beat import SteadyScheduler
from workers.runtime.slots import latest_slot

# What the customer was promised, in words of its own: hours, minutes, and weekdays from Monday = 0.
EVERY_DAY = frozenset(range(7))
PROMISED = {
    "feedback": ((9,), (0,), EVERY_DAY),
    "deals": ((8, 14), (0,), EVERY_DAY),
    "quotes": ((10,), (0,), EVERY_DAY),
    "enrichment": (tuple(range(24)), (0, 30), EVERY_DAY),
    "compliance": ((7,), (0,), frozenset({0})),
}
UTC_ZONE = ZoneInfo("UTC")
ZONES = [UTC_ZONE, ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]
# Over the weekends on which the clocks of these zones change.
CHANGES = [
    ("Europe/Berlin", date(2028, 3, 25)),
    ("Europe/Berlin", date(2028, 10, 28)),
    ("America/New_York", date(2028, 3, 11)),
    ("America/New_York", date(2028, 11, 4)),
    ("Australia/Lord_Howe", date(2028, 4, 1)),
    ("Australia/Lord_Howe", date(2028, 9, 30)),
]


class Diary(Scheduler):  # type: ignore[misc]  # Celery is untyped
    """Celery's own scheduler, which notes what it would send instead of sending it."""

    def __init__(self, app: Celery) -> None:
        self.sent: list[tuple[str, datetime]] = []
        super().__init__(app=app, max_interval=10**9)

    def apply_entry(self, entry: ScheduleEntry, producer: object = None) -> None:  # noqa: ARG002  # Celery passes it
        self.sent.append((entry.name, datetime.now(UTC)))


def beat(start: datetime, end: datetime) -> dict[str, list[datetime]]:
    """Let beat live from start to end, asleep from one firing to the next; return when it fired what."""
    app = Celery("timetable", broker="memory://", set_as_current=False)
    app.conf.beat_schedule = {name: copy.deepcopy(BEAT_SCHEDULE[name]) for name in PROMISED}
    with freeze_time(start) as clock:
        diary = Diary(app)
        while datetime.now(UTC) < end:
            already = len(diary.sent)
            pause = diary.tick()
            if len(diary.sent) == already:
                clock.tick(timedelta(seconds=max(pause, 0.01)))
    fired: dict[str, list[datetime]] = {name: [] for name in PROMISED}
    for name, instant in diary.sent:
        fired[name].append(instant)
    return fired


def walk(engine: str, zone: ZoneInfo, start: datetime, end: datetime) -> list[datetime]:
    """Go from firing to firing of one entry by the seconds its schedule returns.

    Without freezegun, whose instants forget which of two equal hours they are in when the clock goes back.
    """
    cron = copy.deepcopy(BEAT_SCHEDULE[engine]["schedule"])
    assert isinstance(cron, crontab)
    cron.app = Celery("timetable", broker="memory://", set_as_current=False)
    cron.app.conf.timezone = zone.key
    now = last = start
    cron.nowfun = lambda: now.astimezone(zone)
    fired = []
    while True:
        due, seconds = cron.is_due(last.astimezone(zone))
        if due:
            fired.append(now)
            last = now
        now += timedelta(seconds=seconds)
        if now >= end:
            return fired


@cache
def calendar(engine: str, zone: ZoneInfo, first: date, last: date) -> list[datetime]:
    """The promised instants of the days from first to last, by plain arithmetic."""
    hours, minutes, weekdays = PROMISED[engine]
    days: Iterator[date] = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return sorted(
        {
            datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)
            for day in days
            if day.weekday() in weekdays
            for hour in hours
            for minute in minutes
        }
    )


def on_the_minute(fired: list[datetime]) -> list[datetime]:
    """Firings without the hundredth of a second beat may be late; more than that stays and shows."""
    return [
        instant.replace(second=0, microsecond=0) if instant.second == 0 and instant.microsecond < 20_000 else instant
        for instant in fired
    ]


def test_a_leap_year_of_beat_equals_the_calendar() -> None:
    fired = beat(datetime(2028, 1, 1, tzinfo=UTC) - timedelta(minutes=1), datetime(2029, 1, 1, tzinfo=UTC))

    for engine in PROMISED:
        expected = calendar(engine, UTC_ZONE, date(2028, 1, 1), date(2028, 12, 31))
        assert on_the_minute(fired[engine]) == expected, engine
    assert {engine: len(instants) for engine, instants in fired.items()} == {
        "feedback": 366, "deals": 732, "quotes": 366, "enrichment": 17_568, "compliance": 52,
    }  # fmt: skip
    assert datetime(2028, 2, 29, 9, tzinfo=UTC) in on_the_minute(fired["feedback"])


@pytest.mark.parametrize(("key", "saturday"), CHANGES)
def test_beat_keeps_the_local_hours_when_the_clocks_change(key: str, saturday: date) -> None:
    zone = ZoneInfo(key)
    start = datetime(saturday.year, saturday.month, saturday.day, tzinfo=zone).astimezone(UTC) - timedelta(minutes=1)
    end = start + timedelta(days=4)

    for engine in PROMISED:
        expected = calendar(engine, zone, saturday, saturday + timedelta(days=5))
        assert walk(engine, zone, start, end) == [instant for instant in expected if instant < end], engine


@settings(deadline=None)  # the first question of a zone lays out its calendar
@given(
    st.sampled_from(sorted(PROMISED)),
    st.datetimes(datetime(2027, 1, 10), datetime(2029, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001  # hypothesis adds it
    st.sampled_from(ZONES),
)
def test_the_ledgers_slots_are_the_firings(engine: str, now: datetime, zone: ZoneInfo) -> None:
    firings = calendar(engine, zone, date(2027, 1, 1), date(2030, 1, 2))

    assert latest_slot(engine, now, zone) == firings[bisect_right(firings, now) - 1]


@pytest.mark.parametrize("engine", sorted(PROMISED))
def test_an_engines_message_expires_and_says_where_it_comes_from(engine: str) -> None:
    entry = BEAT_SCHEDULE[engine]

    assert entry["task"] == f"workers.{engine}.run"
    assert entry["kwargs"] == {"trigger": "beat"}
    options = entry["options"]
    assert isinstance(options, dict)
    assert 0 < options["expires"] <= 3600


@pytest.mark.parametrize("key", sorted({key for key, _ in CHANGES}))
@pytest.mark.parametrize("name", ["delivery", "inbound", "catch_up", "watch"])
def test_the_passes_are_never_silent_for_long_neither_in_the_hour_that_comes_twice_nor_in_the_one_that_does_not(
    name: str, key: str
) -> None:
    zone = ZoneInfo(key)
    plain = copy.deepcopy(BEAT_SCHEDULE[name]["schedule"])
    assert isinstance(plain, schedule)
    plain.app = Celery("timetable", broker="memory://", set_as_current=False)
    plain.app.conf.timezone = key
    for saturday in (day for changing, day in CHANGES if changing == key):
        now = last = datetime(saturday.year, saturday.month, saturday.day, 12, tzinfo=zone).astimezone(UTC)
        end, longest = now + timedelta(days=1), timedelta()
        plain.nowfun = lambda: now.astimezone(zone)  # noqa: B023  # asked at once
        while now < end:
            due, seconds = plain.is_due(last.astimezone(zone))
            if due:
                longest, last = max(longest, now - last), now
            now += timedelta(seconds=max(seconds, 0.05))
        assert longest <= timedelta(minutes=6), saturday


class SteadyDiary(SteadyScheduler):
    """The fleet's scheduler, which notes what it would send instead of sending it."""

    def __init__(self, app: Celery, memory: Path) -> None:
        self.sent: list[tuple[str, float]] = []
        self.elapsed = 0.0
        super().__init__(app=app, schedule_filename=str(memory))

    def apply_entry(self, entry: ScheduleEntry, producer: object = None) -> None:  # noqa: ARG002  # Celery passes it
        self.sent.append((entry.name, self.elapsed))


@pytest.mark.parametrize("back", [timedelta(minutes=10), timedelta(hours=5)])
def test_a_clock_that_is_set_back_silences_no_pass_and_repeats_no_slot(tmp_path: Path, back: timedelta) -> None:
    app = Celery("timetable", broker="memory://", set_as_current=False)
    app.conf.beat_schedule = copy.deepcopy(BEAT_SCHEDULE)
    with freeze_time(datetime(2028, 3, 1, 8, 55, tzinfo=UTC)) as frozen:
        diary = SteadyDiary(app, tmp_path / "memory")
        jumped = False
        while diary.elapsed < 1800:
            already = len(diary.sent)
            pause = max(diary.tick(), 0.01)
            if len(diary.sent) > already:
                continue
            if not jumped and diary.elapsed > 600:  # behind the slot of nine o'clock
                frozen.tick(-back)
                jumped = True
            else:
                frozen.tick(timedelta(seconds=pause))
                diary.elapsed += pause
        diary.close()
    for name, interval in (("delivery", 60), ("inbound", 120), ("catch_up", 300), ("watch", 60), ("prune", 21_600)):
        times = [0.0, *(at for sent, at in diary.sent if sent == name), diary.elapsed]
        assert max(later - earlier for earlier, later in pairwise(times)) < interval + 2, name
    assert [name for name, _ in diary.sent if name == "feedback"] == ["feedback"]


def test_the_passes_do_not_expire_for_two_machines_clocks_never_agree() -> None:
    assert set(BEAT_SCHEDULE) - set(PROMISED) == {"delivery", "inbound", "catch_up", "watch", "prune"}
    for name in set(BEAT_SCHEDULE) - set(PROMISED):
        assert "options" not in BEAT_SCHEDULE[name], name
