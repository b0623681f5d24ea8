"""If these fail, a slot is worked twice, or one that was missed is never made up for."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workers.engines.registry import all_engines, engine_named
from workers.runtime.slots import latest_slot, next_slot

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
    slot = next_slot(engine, now, zone)
    assert now < slot == latest_slot(engine, slot, zone)
    assert latest_slot(engine, slot - timedelta(microseconds=1), zone) <= now
