"""If these fail, people get mail at night, on Sundays and holidays, or more of it than anybody would write by hand."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.crm import NOW, Crm, days, wait_until
from tests.databases import WAITING_FOR_A_LOCK
from workers import clock
from workers.db.session import connect, transaction
from workers.delivery.holidays import keep_holidays

# Half an hour, two and three hours of a change, one at midnight, one a minute after it; and all others.
ODD_ZONES = (
    "Australia/Lord_Howe", "Antarctica/Troll", "Antarctica/Casey", "America/Santiago", "Africa/Cairo", "Asia/Beirut",
    "America/Havana", "America/Nuuk", "Africa/Casablanca", "Europe/Dublin", "Pacific/Apia",
)  # fmt: skip
ZONES = st.sampled_from(ODD_ZONES) | st.sampled_from(sorted(available_timezones()))


def opens(crm: Crm, tenant: object, at: datetime) -> datetime:
    found: datetime = crm.one("SELECT sending_opens_at(%s, %s) AS at", tenant, at)["at"]
    return found


def window(crm: Crm, tenant: object, zone: str, **values: object) -> None:
    row = {"time_zone": zone} | values
    names = ", ".join(row)
    updates = ", ".join(f"{name} = excluded.{name}" for name in row)
    crm.execute(
        f"INSERT INTO tenant_delivery (tenant_id, {names}) VALUES (%s{', %s' * len(row)})"  # noqa: S608  # own names
        f" ON CONFLICT (tenant_id) DO UPDATE SET {updates}",
        tenant, *row.values(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2026-03-02T09:00", "2026-03-02T09:00"),  # a Monday morning
        ("2026-03-02T05:00", "2026-03-02T08:00"),
        ("2026-03-02T18:00", "2026-03-03T08:00"),
        ("2026-03-06T17:59", "2026-03-06T17:59"),
        ("2026-03-06T18:00", "2026-03-09T08:00"),  # Friday evening waits for Monday
        ("2026-03-07T12:00", "2026-03-09T08:00"),
    ],
)
def test_mail_leaves_on_working_days_from_eight_to_six_unless_a_tenant_says_otherwise(
    crm: Crm, at: str, expected: str
) -> None:
    instant = datetime.fromisoformat(at).replace(tzinfo=UTC)
    assert opens(crm, crm.tenant(), instant) == datetime.fromisoformat(expected).replace(tzinfo=UTC)


def next_change(zone: str, at: datetime) -> datetime | None:
    """Return the minute at which the clocks of a zone are changed, within a year."""
    here = ZoneInfo(zone)
    offsets = [(at + timedelta(days=n)).astimezone(here).utcoffset() for n in range(366)]
    changed = [n for n in range(365) if offsets[n] != offsets[n + 1]]
    if not changed:
        return None
    first = at + timedelta(days=changed[0])
    return next(
        moment
        for moment in (first + timedelta(minutes=n) for n in range(1, 24 * 60 + 1))
        if moment.astimezone(here).utcoffset() != first.astimezone(here).utcoffset()
    )


@given(
    zone=ZONES,
    minutes=st.integers(0, 16 * 365 * 24 * 60),
    change=st.none() | st.integers(-240, 240),
    window_start=st.times(max_value=time(22)),
    length=st.integers(1, 600),
    send_days=st.sets(st.integers(1, 7), min_size=1),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_next_moment_is_never_past_never_outside_and_never_skipped(
    crm: Crm, *, zone: str, minutes: int, change: int | None, window_start: time, length: int, send_days: set[int]
) -> None:
    tenant = (crm.rows("SELECT id FROM tenants LIMIT 1") or [{"id": crm.tenant()}])[0]["id"]
    start = window_start.replace(second=0, microsecond=0)
    at = datetime(2020, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    if change is not None and (changed := next_change(zone, at)):  # the hours that matter come too seldom by chance
        at = changed + timedelta(minutes=change)
        start = (changed + timedelta(minutes=change % 97)).astimezone(ZoneInfo(zone)).time()
    end = (datetime.combine(NOW, start) + timedelta(minutes=length)).time()
    if end <= start:
        end = time(23, 59)
    assume(start < end)  # the day's last minute ends no window
    hours = [at + timedelta(hours=n) for n in range(24 * 8)]
    # What the clocks of the future show is known anew with each version of the zones' data, and there are two here.
    assume(crm.rows("SELECT FROM pg_timezone_names WHERE name = %s", zone))
    clocks = [moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for moment in hours]
    assume(crm.one(
        "SELECT bool_and(at AT TIME ZONE %s = shown) AS same"
        " FROM unnest(%s::timestamptz[], %s::timestamp[]) AS x (at, shown)",
        zone, hours, clocks,
    )["same"])  # fmt: skip
    window(crm, tenant, zone, window_start=start, window_end=end, send_days=sorted(send_days))

    def is_open(instant: datetime) -> bool:
        local = instant.astimezone(ZoneInfo(zone))
        return local.isoweekday() in send_days and start <= local.time() < end

    found = opens(crm, tenant, at)
    assert found >= at
    assert is_open(found)
    # Nothing open lies between: looked for at each of the minutes around, and at every hour on the way.
    between = hours + [moment + timedelta(minutes=n) for moment in (at, found) for n in range(-250, 250)]
    assert not [moment for moment in between if at <= moment < found and is_open(moment)]


@pytest.fixture
def with_zones(crm: Crm) -> Crm:
    """A CRM that keeps the zones of its contacts."""
    crm.execute("ALTER TABLE contacts ADD COLUMN time_zone text")
    return crm


@pytest.mark.parametrize(
    ("zone", "leaves"),
    [
        ("Asia/Tokyo", "2026-03-02T23:00+00:00"),  # Monday 17:30 in Berlin is after work there, and Tuesday comes first
        ("America/Los_Angeles", "2026-03-02T16:30+00:00"),
        (" Europe/Berlin ", "2026-03-02T16:30+00:00"),
        (None, "2026-03-02T16:30+00:00"),
        ("Etc/GMT-9", "2026-03-02T23:00+00:00"),
    ],
)
def test_who_lives_elsewhere_gets_mail_in_his_own_working_hours(with_zones: Crm, zone: str | None, leaves: str) -> None:
    crm, tenant = with_zones, with_zones.tenant()
    window(crm, tenant, "Europe/Berlin")
    action = crm.action(tenant, contact_id=crm.contact(tenant, time_zone=zone), recipient=None)
    at, expected = (datetime.fromisoformat(text) for text in ("2026-03-02T16:30+00:00", leaves))
    assert crm.send(at) == (1 if expected == at else 0)
    assert crm.send(expected - timedelta(minutes=1)) == 0
    crm.send(expected)
    assert crm.row("scheduled_actions", action)["sent_at"] == expected  # type: ignore[arg-type]  # a number


@pytest.mark.parametrize(
    "zone", ["Central European Time", "CET-1", "UTC+9", "GMT+9", "Foo/Bar9", "JST", "Asia/Nowhere", "+09:00", ""]
)
def test_a_zone_that_is_none_counts_as_unknown_and_stops_nobody(with_zones: Crm, zone: str) -> None:
    crm, tenant = with_zones, with_zones.tenant()
    window(crm, tenant, "Europe/Berlin")
    crm.action(tenant, contact_id=crm.contact(tenant, time_zone=zone), recipient=None)
    assert crm.send() == 1


def test_who_lives_elsewhere_is_written_to_while_the_tenant_sleeps(with_zones: Crm) -> None:
    crm, tenant = with_zones, with_zones.tenant()
    window(crm, tenant, "Europe/Berlin")
    near, far = (
        crm.action(
            tenant, contact_id=crm.contact(tenant, email=f"{number}@acme.example", time_zone=zone), recipient=None
        )
        for number, zone in enumerate(("Europe/Berlin", "Asia/Tokyo"))
    )
    assert crm.send(datetime(2026, 3, 3, 1, tzinfo=UTC)) == 1
    rows = {row["id"]: row for row in crm.actions()}
    assert rows[far]["status"] == "sent"
    assert (rows[near]["status"], rows[near]["code"]) == ("scheduled", "window")
    assert rows[near]["run_at"] == datetime(2026, 3, 3, 7, tzinfo=UTC)


def test_no_mail_leaves_on_a_public_holiday_of_the_tenants_country(crm: Crm) -> None:
    tenant = crm.tenant()
    window(crm, tenant, "Europe/Berlin", holidays="DE-BY")
    with clock.at(NOW):
        keep_holidays(crm.connection)
        keep_holidays(crm.connection)
    friday = datetime(2026, 4, 3, 9, tzinfo=UTC)
    assert opens(crm, tenant, friday) == datetime(2026, 4, 7, 6, tzinfo=UTC)
    assert opens(crm, crm.tenant(), friday) == friday


def test_a_country_that_nobody_knows_keeps_no_holidays_and_stops_no_mail(
    crm: Crm, caplog: pytest.LogCaptureFixture
) -> None:
    tenant = crm.tenant()
    window(crm, tenant, "UTC", holidays="XX")
    with clock.at(NOW):
        keep_holidays(crm.connection)
    assert "holidays of XX are not known" in caplog.text
    assert opens(crm, tenant, NOW) == NOW


def test_one_mailbox_gets_one_mail_a_day_and_two_in_a_week_whatever_is_due(crm: Crm) -> None:
    tenant = crm.tenant()
    for number in range(6):
        crm.action(tenant, recipient=("Ann+x@acme.example", "ann@ACME.example")[number % 2])
    other = crm.action(tenant, recipient="ben@acme.example")
    left = {}
    for day in range(20):
        left[day] = crm.send(at=NOW + days(day))
    assert {day: n for day, n in left.items() if n} == {0: 2, 1: 1, 7: 1, 8: 1, 14: 1, 15: 1}
    assert crm.one("SELECT status FROM scheduled_actions WHERE id = %s", other)["status"] == "sent"


def test_what_matters_most_goes_first_to_a_mailbox(crm: Crm) -> None:
    tenant = crm.tenant()
    for engine in ("feedback", "compliance", "deals", "quotes"):
        crm.action(tenant, engine=engine, recipient="ann@acme.example")
    order = []
    for day in range(16):
        crm.send(at=NOW + days(day))
        order += [a["engine"] for a in crm.actions(status="sent") if a["engine"] not in order]
    assert order == ["quotes", "deals", "compliance", "feedback"]


def test_what_waits_for_a_mailbox_says_until_when_and_why(crm: Crm) -> None:
    tenant = crm.tenant()
    crm.action(tenant, recipient="ann@acme.example")
    later = crm.action(tenant, recipient="ann@acme.example")
    crm.send()
    row = crm.one("SELECT * FROM scheduled_actions WHERE id = %s", later)
    assert (row["status"], row["code"]) == ("scheduled", "mailbox_cap")
    assert row["reason"] == "the mailbox has had its e-mails"
    assert (row["run_at"], row["attempts"]) == (datetime(2026, 3, 3, tzinfo=UTC), 0)


def test_until_when_a_letter_waits_does_not_depend_on_what_is_taken_up_with_it(crm: Crm) -> None:
    together, apart = crm.tenant(), crm.tenant()
    for tenant in (together, apart):
        crm.action(tenant, recipient="ann@acme.example")
    crm.send(at=NOW)
    for tenant in (together, together, apart):
        crm.action(tenant, recipient="ann@acme.example")
    crm.send(at=NOW + days(3))
    crm.action(apart, recipient="ann@acme.example")
    crm.send(at=NOW + days(3))
    waiting = {action["tenant_id"]: action["run_at"] for action in crm.actions(status="scheduled")}
    assert waiting == dict.fromkeys((together, apart), datetime(2026, 3, 9, tzinfo=UTC))


def test_two_deliveries_at_once_do_not_both_write_to_one_mailbox(crm: Crm, database_url: str) -> None:
    tenant = crm.tenant()
    for _ in range(2):
        crm.action(tenant, recipient="ann@acme.example")
    claim = "SELECT verdict FROM claim_emails(%s, '1 minute', 1, 1, NULL)"

    def second() -> list[str | None]:
        with connect(database_url) as connection, clock.at(NOW), transaction(connection):
            return [row["verdict"] for row in connection.execute(claim, ["two"])]

    with ThreadPoolExecutor(1) as pool:
        with clock.at(NOW), transaction(crm.connection):
            first = [row["verdict"] for row in crm.connection.execute(claim, ["one"])]
            meanwhile = pool.submit(second)
            wait_until(lambda: crm.rows(WAITING_FOR_A_LOCK), "the wait")
        assert (first, meanwhile.result()) == ([None], ["scheduled"])
