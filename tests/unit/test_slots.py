"""If these fail, a slot is worked twice, at an hour nobody expects, or one that was missed is never made up for."""

from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.engines.registry import all_engines, engine_named
from workers.runtime.cron import fires_at, instants_between, latest_instant, next_instant, next_instants
from workers.runtime.slots import latest_slot
from workers.runtime.timetable import cron_of

ENGINES = sorted(all_engines())
BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
zones = st.sampled_from(
    [ZoneInfo("UTC"), BERLIN, NEW_YORK, ZoneInfo("Australia/Lord_Howe"), ZoneInfo("Asia/Kathmandu")]
)
instants = st.datetimes(datetime(2024, 1, 1), datetime(2032, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  # hypothesis adds it


@pytest.mark.parametrize(
    ("engine", "now", "slot"),
    [
        ("feedback", "2026-03-02T09:00:00+00:00", "2026-03-02T09:00:00+00:00"),
        ("feedback", "2026-03-02T08:59:59.999+00:00", "2026-03-01T09:00:00+00:00"),
        ("deals", "2026-03-02T13:59:00+00:00", "2026-03-02T08:00:00+00:00"),
        ("deals", "2026-03-02T07:59:00+00:00", "2026-03-01T14:00:00+00:00"),
        ("quotes", "2028-03-01T00:00:00+00:00", "2028-02-29T10:00:00+00:00"),
        ("enrichment", "2026-01-01T00:29:00+00:00", "2026-01-01T00:00:00+00:00"),
        ("enrichment", "2026-01-01T00:30:00+00:00", "2026-01-01T00:30:00+00:00"),
        ("compliance", "2026-03-01T23:00:00+00:00", "2026-02-23T07:00:00+00:00"),
        ("compliance", "2026-03-02T07:00:00+00:00", "2026-03-02T07:00:00+00:00"),
    ],
)
def test_the_latest_slot_in_utc(engine: str, now: str, slot: str) -> None:
    assert latest_slot(engine, datetime.fromisoformat(now), ZoneInfo("UTC")) == datetime.fromisoformat(slot)


def test_hours_are_read_in_the_given_zone_in_summer_and_in_winter() -> None:
    assert latest_slot("feedback", datetime(2026, 7, 1, 12, tzinfo=UTC), BERLIN) == datetime(2026, 7, 1, 7, tzinfo=UTC)
    assert latest_slot("feedback", datetime(2026, 1, 1, 12, tzinfo=UTC), BERLIN) == datetime(2026, 1, 1, 8, tzinfo=UTC)


def test_in_the_hour_that_the_clock_repeats_no_slot_comes_back() -> None:
    # 02:30 summer time is the last slot before the clock goes back at 01:00 UTC; the next one is 03:00.
    repeated = [datetime(2026, 10, 25, 1, minute, tzinfo=UTC) for minute in (0, 10, 30, 59)]

    slots = [latest_slot("enrichment", instant, BERLIN) for instant in repeated]

    assert slots == [datetime(2026, 10, 25, 0, 30, tzinfo=UTC)] * 4


@given(st.sampled_from(ENGINES), instants, st.timedeltas(timedelta(0), timedelta(days=9)), zones)
def test_slots_never_lie_ahead_nor_go_back_and_name_themselves(
    engine: str, now: datetime, later: timedelta, zone: ZoneInfo
) -> None:
    slot = latest_slot(engine, now, zone)

    assert slot <= now
    assert latest_slot(engine, now + later, zone) >= slot
    assert latest_slot(engine, slot, zone) == slot
    assert latest_slot(engine, slot - timedelta(microseconds=1), zone) < slot


@pytest.mark.parametrize("engine", ENGINES)
def test_a_missed_slot_is_given_up_before_the_next_one_comes(engine: str) -> None:
    slots = {
        latest_slot(engine, datetime(2026, 3, 2, tzinfo=UTC) + timedelta(minutes=step), ZoneInfo("UTC"))
        for step in range(0, 15 * 24 * 60, 30)
    }
    shortest = min(later - earlier for earlier, later in zip(sorted(slots), sorted(slots)[1:], strict=False))

    assert timedelta(0) < engine_named(engine).catch_up < shortest


@given(engine=st.sampled_from(ENGINES), now=instants, zone=zones)
def test_the_next_slot_is_the_first_one_after_now(engine: str, now: datetime, zone: ZoneInfo) -> None:
    slot = next_instant(cron_of(engine), zone, now)
    assert now < slot == latest_slot(engine, slot, zone)
    assert latest_slot(engine, slot - timedelta(microseconds=1), zone) <= now


def between(cron: str, zone: str, since: str, until: str) -> list[str]:
    """When a cron fires by the clocks of a zone, written as those clocks show it."""
    after, last = (datetime.fromisoformat(one).replace(tzinfo=UTC) for one in (since, until))
    found = instants_between(cron, ZoneInfo(zone), after, last)
    return [f"{at.astimezone(ZoneInfo(zone)):%d %H:%M %z}" for at in found]


@pytest.mark.parametrize(
    ("zone", "month", "sunday", "offsets"),
    [
        ("Europe/Berlin", "2026-03", 29, ["+0100", "+0200", "+0200"]),
        ("Europe/Berlin", "2026-10", 25, ["+0200", "+0100", "+0100"]),
        ("America/New_York", "2026-03", 8, ["-0500", "-0400", "-0400"]),
        ("America/New_York", "2026-11", 1, ["-0400", "-0500", "-0500"]),
        ("Australia/Lord_Howe", "2026-04", 5, ["+1100", "+1030", "+1030"]),
        ("Australia/Lord_Howe", "2026-10", 4, ["+1030", "+1100", "+1100"]),
    ],
)
def test_nine_o_clock_is_nine_o_clock_on_both_sides_of_a_clock_change(
    zone: str, month: str, sunday: int, offsets: list[str]
) -> None:
    start = datetime.fromisoformat(f"{month}-{sunday:02}").replace(tzinfo=ZoneInfo(zone)) - timedelta(days=1)
    found = instants_between("0 9 * * *", ZoneInfo(zone), start, start + timedelta(days=3))
    local = [at.astimezone(ZoneInfo(zone)) for at in found]
    assert [f"{at:%H:%M}" for at in local] == ["09:00"] * 3
    assert [f"{at:%z}" for at in local] == offsets


@pytest.mark.parametrize(
    ("cron", "zone", "since", "until", "fires"),
    [
        # Berlin's clocks go from 02:00 to 03:00 on 29 March: the next minute that there is, is 03:00.
        ("30 2 * * *", "Europe/Berlin", "2026-03-28", "2026-03-30", ["28 02:30 +0100", "29 03:00 +0200"]),
        ("0,30 2,3 29 * *", "Europe/Berlin", "2026-03-28", "2026-03-30", ["29 03:00 +0200", "29 03:30 +0200"]),
        # and from 03:00 back to 02:00 on 25 October: what comes twice is the first of the two.
        ("30 2 * * *", "Europe/Berlin", "2026-10-24", "2026-10-26", ["24 02:30 +0200", "25 02:30 +0200"]),
        ("0 1,2,3 25 * *", "Europe/Berlin", "2026-10-24", "2026-10-26",
         ["25 01:00 +0200", "25 02:00 +0200", "25 03:00 +0100"]),
        # Where it is half an hour.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-02", "2026-10-04", ["03 02:15 +1030", "04 02:30 +1100"]),
        # Samoa went over the date line and had no 30 December 2011.
        ("0 9 * * *", "Pacific/Apia", "2011-12-29", "2011-12-31",
         ["29 09:00 -1000", "31 00:00 +1400", "31 09:00 +1400"]),
        ("0 9 29 2 *", "UTC", "2024-01-01", "2032-12-31", ["29 09:00 +0000"] * 3),
    ],
)  # fmt: skip
def test_what_does_not_exist_comes_at_the_next_minute_and_what_comes_twice_comes_once(
    cron: str, zone: str, since: str, until: str, fires: list[str]
) -> None:
    assert between(cron, zone, since, until) == fires


CRONS = ["0 9 * * *", "0 8,14 * * *", "*/30 * * * *", "30 2 * * *", "0 7 * * 1", "15 1-3 * * 0", "0 0 1 */3 *"]


@given(cron=st.sampled_from(CRONS), now=instants, length=st.timedeltas(timedelta(0), timedelta(days=9)), zone=zones)
def test_looking_back_ahead_and_over_a_span_agree(cron: str, now: datetime, length: timedelta, zone: ZoneInfo) -> None:
    span = list(instants_between(cron, zone, now, now + length))
    assert span == sorted(set(span))
    assert all(fires_at(cron, zone, at) for at in span)
    assert span == list(islice(next_instants(cron, zone, now), len(span)))
    assert next_instant(cron, zone, now + length) > now + length
    latest = latest_instant(cron, zone, now + length)
    assert latest == (span[-1] if span else latest_instant(cron, zone, now))
