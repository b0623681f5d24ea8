"""If these fail, a tenant's engines begin at other hours than it has set, twice, or not at all."""

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import TEMPLATE, Servers, _database
from tests.crm import NOW, Crm, days, stalled_deal
from tests.shell import fleet, one_line
from workers import clock
from workers.db.session import Connection, connect, transaction
from workers.db.tenant_settings import set_settings
from workers.engines.registry import all_engines, engine_named
from workers.errors import UnknownNameError
from workers.runtime import ledger, tasks
from workers.runtime.cron import next_instants
from workers.runtime.dispatch import run_engine
from workers.runtime.occurrences import Timetable, slots_between
from workers.settings import settings

MINUTE, HALF_AN_HOUR = timedelta(minutes=1), timedelta(minutes=30)
MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
WORDS = ["*", "0", "5", "09", "7,0", "1-5", "*/2", "*/15", "0-30/10", "31", "2", "30", "*/31", "5/20", "-1", "60", "1-"]


class Message:
    """What a task knows of itself."""

    def __init__(self, number: int) -> None:
        self.request = type("Request", (), {"id": f"message {number}"})


class World:
    """Beats and workers in virtual time, on one connection; messages wait in a queue until somebody works."""

    def __init__(self, connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("DATABASE_URL", "postgresql://the-tests-own")
        monkeypatch.setattr(tasks, "connect", lambda _url: nullcontext(connection))
        settings.cache_clear()
        self.connection = connection
        self.queue: deque[tuple[str, dict[str, Any]]] = deque()
        self.reports: list[dict[str, Any]] = []
        self._catch_up = tasks._catch_up_task(self.send)
        self._runs = {engine: tasks._engine_task(engine_named(engine), self.send) for engine in all_engines()}
        self._messages = 0

    def begin(self, at: datetime) -> None:
        """Let this be an installation since then."""
        self.connection.execute("UPDATE fleet_timetable SET noted_until = %s", [at])

    def send(self, name: str, **options: Any) -> object:
        if (engine := name.split(".")[1]) in all_engines():
            self.queue.append((engine, options.get("kwargs", {})))
        return None

    def beat(self) -> None:
        """The pass of each minute."""
        self._catch_up()

    def pass_time(self, span: timedelta) -> None:
        """Let leases and waits, which run on the real clock, pass as the virtual one does."""
        self.connection.execute(
            "UPDATE engine_runs SET lease_until = lease_until - %s, retry_at = retry_at - %s"
            " WHERE status IN ('expected', 'running', 'partly', 'failed')",
            [span, span],
        )

    def work(self) -> None:
        """Work through the queue."""
        while self.queue:
            engine, kwargs = self.queue.popleft()
            self._messages += 1
            report = self._runs[engine](Message(self._messages), **kwargs)
            if report is not None:
                self.reports.append(report)


@pytest.fixture(scope="module")
def asking(servers: Servers) -> Iterator[Connection]:
    """A connection that only asks, for all examples of a property."""
    for url in _database(servers, TEMPLATE):
        with connect(url) as connection:
            yield connection


@pytest.fixture
def world(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(connection, monkeypatch)


def put(crm: Crm, tenant: UUID, **values: str) -> None:
    set_settings(crm.connection, tenant, {name.replace("__", "."): value for name, value in values.items()}, "us", None)


def begun(crm: Crm, world: World, since: datetime, until: datetime, step: timedelta = HALF_AN_HOUR) -> dict[UUID, Any]:
    """Live from one instant to another; return when an action was first written for each tenant."""
    found: dict[UUID, Any] = {}
    world.begin(since)
    while since < until:
        since += step
        with clock.at(since):
            world.beat()
            world.work()
        for action in crm.actions():
            found.setdefault(action["tenant_id"], since)
    return found


def test_engines_begin_for_each_tenant_by_its_own_clocks_its_own_cron_and_not_while_paused(
    crm: Crm, world: World
) -> None:
    plain, berlin, tokyo, early, paused = (stalled_deal(crm) for _ in range(5))
    put(crm, berlin, time_zone="Europe/Berlin")
    put(crm, tokyo, time_zone="Asia/Tokyo")
    put(crm, early, time_zone="America/New_York", deals__cron=" 30  5 * * 1-5 ")
    put(crm, paused, deals__paused="yes")

    found = begun(crm, world, MONDAY - timedelta(hours=4), MONDAY + timedelta(hours=12))

    assert found == {
        tokyo: MONDAY - timedelta(hours=1), berlin: MONDAY + timedelta(hours=7), plain: MONDAY + timedelta(hours=8),
        early: MONDAY + timedelta(hours=10, minutes=30),
    }  # fmt: skip
    rows = crm.rows("SELECT started_at - slot AS late, status, worker FROM engine_runs WHERE engine = 'deals'")
    assert {(row["late"], row["status"]) for row in rows} == {(timedelta(0), "succeeded")}
    assert all(row["worker"] for row in rows)


def test_a_slot_is_worked_whole_though_tenants_of_other_hours_have_something_due(crm: Crm, world: World) -> None:
    tokyo, plain = stalled_deal(crm), stalled_deal(crm)
    put(crm, tokyo, time_zone="Asia/Tokyo")
    with clock.at(NOW):
        report = run_engine(
            crm.connection, engine_named("deals"), trigger="beat", slot=MONDAY + timedelta(hours=8), batch_size=10
        )
    assert report is not None
    assert (report.tenants, report.left, report.status) == ({plain}, 0, "succeeded")


def test_a_helper_works_for_nobody_whose_hour_it_is_not(crm: Crm, world: World) -> None:
    tokyo, plain = stalled_deal(crm), stalled_deal(crm)
    put(crm, tokyo, time_zone="Asia/Tokyo")
    with clock.at(NOW):
        world.send("workers.deals.run", kwargs={"trigger": "share", "helpers": 0, "slot": "2026-03-02T08:00:00+00:00"})
        world.work()
    assert {action["tenant_id"] for action in crm.actions()} == {plain}
    assert crm.one("SELECT slot FROM engine_runs")["slot"] is None


def test_an_hour_that_is_set_when_it_has_passed_begins_on_the_next_day(crm: Crm, world: World) -> None:
    tenant = stalled_deal(crm)
    begun(crm, world, MONDAY, MONDAY + timedelta(hours=7, minutes=30))
    put(crm, tenant, deals__cron="0 6 * * *")
    assert begun(crm, world, MONDAY + timedelta(hours=7, minutes=30), MONDAY + days(2)) == {
        tenant: MONDAY + timedelta(hours=30)
    }


def test_the_settings_of_an_engine_may_be_set_back_to_the_fleets_hours(crm: Crm, world: World) -> None:
    tenant = stalled_deal(crm)
    put(crm, tenant, deals__cron="0 6 * * *", deals__paused="yes")
    put(crm, tenant, deals__cron="", deals__paused="")
    assert begun(crm, world, MONDAY, MONDAY + days(1)) == {tenant: MONDAY + timedelta(hours=8)}


@pytest.mark.parametrize(
    ("cron", "words"),
    [
        ("0 9 * *", "it needs five fields: minute hour day month weekday"),
        ("0 9 * * * *", "it needs five fields"),
        ("@daily", "it needs five fields"),
        ("0 25 * * *", "its hour is 25, and takes numbers from 0 to 23"),
        ("0 9-5 * * *", "its hour is 9-5"),
        ("0 9 * * MON", "its weekday is MON"),
        ("*/0 9 * * *", "its minute is */0"),
        ("0 9 31 2 *", "no month has such a day"),
        ("*/5 * * * *", "an engine begins four times an hour at most"),
    ],
)
def test_a_cron_that_cannot_be_is_refused_in_one_line(crm: Crm, database_url: str, cron: str, words: str) -> None:
    crm.tenant()
    result = fleet(database_url, "settings", "set", "--tenant", "Northwind", f"deals.cron={cron}")
    assert result.returncode == 2
    assert f'deals.cron cannot be "{cron}": ' in one_line(result)
    assert words in one_line(result)
    assert crm.rows("SELECT FROM tenant_timetable") == []


@given(fields=st.tuples(*[st.sampled_from(WORDS)] * 5))
def test_a_cron_that_is_taken_can_be_read_and_comes_four_times_an_hour_at_most(
    asking: Connection, fields: tuple[str, ...]
) -> None:
    cron = " ".join(fields)
    row = asking.execute("SELECT cron_problem(%s) AS problem", [cron]).fetchone()
    assert row is not None
    if row["problem"] is None:
        found = list(islice(next_instants(cron, ZoneInfo("UTC"), MONDAY), 5))
        assert found[-1] - found[0] >= timedelta(hours=1)


ZONES = {
    None: "UTC", "Europe/Berlin": "Europe/Berlin", "America/New_York": "America/New_York",
    "Asia/Kolkata": "Asia/Kolkata", "Australia/Lord_Howe": "Australia/Lord_Howe",
}  # fmt: skip
HOURS = {"feedback": [9], "deals": [8, 14], "quotes": [10], "compliance": [7]}


def promised(since: datetime, until: datetime) -> set[tuple[str, datetime]]:
    """The slots that these zones were promised, by plain arithmetic: on their clocks' full and half hours."""
    found = set()
    for zone in map(ZoneInfo, ZONES.values()):
        for n in range(-1, (until - since).days + 2):
            day = (since + timedelta(days=n)).date()
            for engine, hours in HOURS.items():
                if engine != "compliance" or day.weekday() == 0:
                    found |= {(engine, _at(day, hour, 0, zone)) for hour in hours}
            found |= {("enrichment", _at(day, hour, minute, zone)) for hour in range(24) for minute in (0, 30)}
    return {(engine, at) for engine, at in found if since < at <= until}


def _at(day: date, hour: int, minute: int, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)


def outages(random: Random, since: datetime, until: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Times at which something is away, for up to four hours."""
    while since < until:
        since += timedelta(hours=random.uniform(1, 20))
        over = since + timedelta(hours=random.uniform(0.2, 4))
        yield since, over
        since = over


def away(some: list[tuple[datetime, datetime]]) -> Callable[[datetime], bool]:
    return lambda at: any(since <= at < over for since, over in some)


class Week:
    """A week in which beats, workers and the broker are away at times, and workers die; then half a day of calm."""

    def __init__(self, world: World, since: datetime, seed: int) -> None:
        self.since, self.until = since, since + days(7)
        self._world, self._random = world, Random(seed)  # noqa: S311  # no secret
        self._first, self._second, self._workers, self._broker = (
            away(list(outages(self._random, since, self.until))) for _ in range(4)
        )
        self.killed = 0

    def pass_by(self) -> None:
        self._world.begin(self.since)
        now = self.since
        while now < self.until + timedelta(hours=9):
            now += HALF_AN_HOUR
            self._world.pass_time(HALF_AN_HOUR)
            with clock.at(now):
                self._step(now)

    def _step(self, now: datetime) -> None:
        calm, world = now > self.until, self._world
        for is_away in (self._first, self._second):
            if calm or not is_away(now):
                for engine in HOURS:  # its crontab, by FLEET_TIMEZONE
                    if slots_between([Timetable.of(engine)], now - MINUTE, now):
                        world.send(f"workers.{engine}.run", kwargs={"trigger": "beat"})
                world.beat()
        if not calm and self._broker(now):  # it begins anew, with nothing in it
            world.queue.clear()
        if calm or not self._workers(now):
            if not calm and self._random.random() < 0.1:
                self._lose_a_worker(now)
            world.work()

    def _lose_a_worker(self, now: datetime) -> None:
        """Let a worker take a message, and die before it has done anything."""
        for message in [one for one in self._world.queue if "slot" in one[1]][:1]:
            self._world.queue.remove(message)
            slot = datetime.fromisoformat(message[1]["slot"])
            with transaction(self._world.connection):
                run = ledger.open_run(self._world.connection, message[0], slot, "beat", f"died at {now}")
            self.killed += run is not None


def test_a_week_with_two_beats_five_zones_and_random_outages_misses_and_doubles_nothing(
    crm: Crm, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Over the end of summer time in Berlin; New York's follows on the next Sunday.
    week = Week(world, datetime(2026, 10, 24, tzinfo=UTC), seed=1)
    monkeypatch.setenv("FLEET_CATCH_UP", "enrichment=9h deals=9h feedback=9h quotes=9h compliance=9h")
    settings.cache_clear()
    for zone in ZONES:
        tenant = stalled_deal(crm, last_activity_at=week.since - days(9))
        if zone:
            put(crm, tenant, time_zone=zone)

    week.pass_by()

    expected = promised(week.since, week.until)
    rows = crm.rows(
        "SELECT engine, slot, status, started_at - slot AS late FROM engine_runs WHERE slot <= %s", week.until
    )
    assert {(row["engine"], row["slot"]) for row in rows} == expected
    assert Counter(row["status"] for row in rows) == {"succeeded": len(expected)}
    worked = Counter((one["engine"], one["slot"]) for one in world.reports if one["slot"])
    assert set(worked.values()) == {1}
    assert len([row for row in rows if row["late"]]) > 50, "there were outages"
    assert week.killed > 5, "and workers that died"
    # Each tenant's deal was followed up once: the next step waits until its letter has left.
    assert set(Counter(action["tenant_id"] for action in crm.actions()).values()) == {1}
    assert len(crm.actions()) == len(ZONES)


def test_what_nobody_began_in_time_is_missed_once_and_no_slot_is_of_before_the_installation(
    crm: Crm, world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.begin(MONDAY + timedelta(hours=9, minutes=30))
    for hour in (24, 25):
        with clock.at(MONDAY + timedelta(hours=hour)):
            world.beat()
    rows = crm.rows("SELECT engine, slot FROM engine_runs WHERE status = 'missed' AND engine <> 'enrichment'")
    assert {(row["engine"], row["slot"]) for row in rows} == {
        ("quotes", MONDAY + timedelta(hours=10)), ("deals", MONDAY + timedelta(hours=14)),
    }, "feedback was at nine, before it was installed"  # fmt: skip
    told = [record.message for record in caplog.records if "deals missed" in record.message]
    assert told == ["deals missed 1 slot, the last of Mon 02 Mar 2026 14:00 UTC"]


def test_a_window_is_the_operators_to_set_and_a_wrong_one_is_refused(
    crm: Crm, world: World, monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("FLEET_CATCH_UP", "deals=2h, quotes=1d")
    settings.cache_clear()
    world.begin(MONDAY)
    with clock.at(MONDAY + timedelta(hours=10, minutes=5)):
        world.beat()
    status = {(row["engine"], row["slot"].hour): row["status"] for row in crm.rows("SELECT * FROM engine_runs")}
    assert (status["deals", 8], status["quotes", 10]) == ("missed", "expected")
    for wrong, words in (
        ("dals=2h", "FLEET_CATCH_UP: no engine 'dals'"),
        ("deals=2", "FLEET_CATCH_UP: must be such as deals=8h enrichment=45m"),
    ):
        monkeypatch.setenv("FLEET_CATCH_UP", wrong)
        result = fleet(database_url, "status")
        assert words in one_line(result), result.stdout


def test_a_bad_time_zone_never_gets_into_a_timetable(crm: Crm) -> None:
    tenant = crm.tenant()
    with pytest.raises(UnknownNameError):
        put(crm, tenant, time_zone="Mars/Olympus")
