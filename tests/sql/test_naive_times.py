"""If these fail, a CRM that writes its moments without a zone is served hours early or late, or harmed."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from psycopg.conninfo import conninfo_to_dict

from tests.conftest import Servers, _database
from tests.crm import NOW, Crm, days
from tests.sql.test_migrations import dump
from tests.sql.test_plans import BIG, SMALL, cost, fill
from workers.db import check
from workers.db.crm_zone import kept_zone
from workers.db.migrate import migrate, rollback
from workers.db.preflight import findings
from workers.db.session import Connection, connect
from workers.errors import FleetError, UnfitDatabaseError
from workers.load import load_directory
from workers.settings import settings

# The CRM writes in Kathmandu (5:45 ahead of UTC), its server's zone is Los Angeles, its users' sessions' Auckland.
ZONE, SERVER, SESSION = "Asia/Kathmandu", "America/Los_Angeles", "Pacific/Auckland"
AHEAD = timedelta(hours=5, minutes=45)


def say_zone(monkeypatch: pytest.MonkeyPatch, zone: str) -> None:
    monkeypatch.setenv("FLEET_NAIVE_ZONE", zone)
    settings.cache_clear()


def written(at: datetime) -> datetime:
    """Return a moment as the CRM writes it."""
    return (at.astimezone(UTC) + AHEAD).replace(tzinfo=None)


def make_naive(url: str) -> None:
    with connect(url) as connection:
        for file in ("small_crm.sql", "naive_times.sql"):
            connection.execute(Path(__file__).with_name(file).read_bytes())


@pytest.fixture
def naive_crm(empty_database: str) -> str:
    """The URL of a database with a CRM of which no column names a zone, on a server in another one."""
    make_naive(empty_database)
    with connect(empty_database) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET timezone = '{SERVER}'")
    return empty_database


@pytest.fixture(scope="module")
def migrated(servers: Servers) -> Iterator[str]:
    """The name of a database with the fleet beside such a CRM, to be copied."""
    for url in _database(servers, "template1"):
        make_naive(url)
        with pytest.MonkeyPatch.context() as monkeypatch:
            say_zone(monkeypatch, ZONE)
            migrate(url)
        settings.cache_clear()
        yield str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def beside(servers: Servers, migrated: str) -> Iterator[Crm]:
    """That CRM with the fleet beside it, in one of its users' sessions."""
    for url in _database(servers, migrated):
        with connect(url) as connection:
            connection.execute(f"SET timezone = '{SESSION}'")
            yield Crm(connection)


def test_without_the_zone_the_migration_is_refused_and_the_setting_named(naive_crm: str) -> None:
    before = dump(naive_crm)
    with pytest.raises(UnfitDatabaseError) as refused:
        migrate(naive_crm)
    lines = str(refused.value).splitlines()[1:]
    assert {line.split(":")[0].strip() for line in lines} == {
        "deals.created_at", "deals.updated_at", "deals.last_activity_at", "deals.stalled_at",
        "deals.next_follow_up_at", "orders.delivered_at", "tasks.due_at",
    }  # fmt: skip
    assert all("set FLEET_NAIVE_ZONE to the zone in which the CRM writes it" in line for line in lines)
    assert dump(naive_crm) == before


def test_the_rollback_gives_back_exactly_what_was_there(naive_crm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = dump(naive_crm)
    say_zone(monkeypatch, ZONE)
    migrate(naive_crm)
    with connect(naive_crm) as connection:
        assert check.missing(connection) == []
        assert findings(connection, installed=True) == []
    rollback(naive_crm)
    assert dump(naive_crm) == before


def test_another_zone_is_refused_and_none_leaves_the_one_that_is_kept(
    naive_crm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    say_zone(monkeypatch, ZONE)
    migrate(naive_crm)
    before = dump(naive_crm)
    say_zone(monkeypatch, "Europe/Berlin")
    with pytest.raises(FleetError, match=r"says Europe/Berlin, and .* as Asia/Kathmandu since"):
        migrate(naive_crm)
    say_zone(monkeypatch, "")
    done = migrate(naive_crm)
    assert (done.revisions, done.functions) == ([], [])
    assert dump(naive_crm) == before


def test_a_column_that_loses_its_zone_later_is_named_and_the_zone_can_be_said_then(
    supabase: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    migrate(supabase)
    with connect(supabase) as connection:
        assert kept_zone(connection) is None
        connection.execute("ALTER TABLE tasks ALTER due_at TYPE timestamp")
        assert [(f.table, f.column) for f in findings(connection, installed=True)] == [("tasks", "due_at")]
        say_zone(monkeypatch, ZONE)
        migrate(supabase)
        assert findings(connection, installed=True) == []
        assert functions_without_zone(connection) == []
    rollback(supabase)


def test_every_function_that_asks_a_clock_works_in_the_zone(beside: Crm) -> None:
    assert functions_without_zone(beside.connection) == []


def functions_without_zone(connection: Connection) -> list[str]:
    """Return the fleet's functions that would take the zone of whoever calls them."""
    rows = connection.execute(
        "SELECT p.oid::regprocedure::text AS name FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace"
        " AND p.provolatile <> 'i' AND p.proconfig::text LIKE '%search_path%'"
        " AND p.proconfig::text NOT LIKE '%TimeZone%'"
    )
    return [row["name"] for row in rows]


def test_a_deal_stalls_at_the_very_minute_whatever_the_sessions_zone(beside: Crm) -> None:
    tenant = beside.tenant()
    since = NOW - days(3)  # the days of the stage lead
    new = beside.deal(tenant, last_activity_at=written(since))
    assert beside.row("deals", new)["stalls_at"] == NOW
    assert beside.due_tenants("deals", at=NOW - timedelta(minutes=1)) == set()
    assert beside.due_tenants("deals", at=NOW + timedelta(minutes=1)) == {tenant}
    with beside.unchecked():  # from before the fleet: only the CRM's own columns tell
        old = beside.deal(tenant, created_at=None, updated_at=written(since), last_activity_at=None)
    for at, due in ((NOW - timedelta(minutes=1), set()), (NOW + timedelta(minutes=1), {old, new})):
        for zone in (SESSION, "UTC", ZONE):
            beside.connection.execute(f"SET timezone = '{zone}'")
            rows = beside.read("get_stalled_deals", tenant, at=at)
            assert {row["deal_id"] for row in rows} == due, (at, zone)
            assert {row["last_activity_at"] for row in rows} <= {since}


def test_what_the_fleet_writes_into_the_crms_columns_is_written_as_the_crm_writes(beside: Crm) -> None:
    tenant = beside.tenant()
    contact = beside.contact(tenant)
    deal = beside.deal(tenant, contact_id=contact, last_activity_at=written(NOW - days(5)))
    fresh = beside.deal(tenant, contact_id=contact, last_activity_at=None)
    assert beside.row("deals", fresh)["last_activity_at"] == written(NOW)  # by the trigger, in the user's session
    beside.read("go_live", tenant, None, "olive")
    beside.open_always(tenant)
    beside.run("deals")
    assert beside.send() == 1
    row = beside.row("deals", deal)
    assert (row["stalled_at"], row["next_follow_up_at"]) == (written(NOW), written(NOW + days(2)))
    assert row["last_activity_at"] == written(NOW - days(5))
    beside.update("deals", deal, stage="proposal")
    row = beside.row("deals", deal)
    assert (row["last_activity_at"], row["stalled_at"], row["stalls_at"]) == (written(NOW), None, NOW + days(5))


def test_a_customer_is_asked_seven_days_after_the_delivery_as_the_crm_means_it(beside: Crm) -> None:
    tenant = beside.tenant()
    delivered = NOW - days(7)
    order = beside.order(tenant, delivered_at=written(delivered))
    [request] = beside.read("get_feedback_due", tenant)
    assert (request["order_id"], request["delivery_date"], request["scheduled_for"]) == (order, delivered, NOW)
    assert beside.read("get_feedback_due", tenant, at=NOW - timedelta(minutes=1)) == []


def test_an_order_from_before_the_fleet_is_asked_about_at_the_same_moment(
    naive_crm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connect(naive_crm) as connection:
        crm = Crm(connection)
        tenant = crm.tenant()
        now = datetime.now(UTC)
        crm.order(tenant, delivered_at=written(now - days(7)))
        say_zone(monkeypatch, ZONE)
        migrate(naive_crm)
        [request] = crm.rows("SELECT delivery_date, scheduled_for FROM feedback_requests")
        assert request == {"delivery_date": now - days(7), "scheduled_for": now}


def test_a_file_is_loaded_as_the_crm_writes(beside: Crm, tmp_path: Path) -> None:
    (tmp_path / "tenants.csv").write_text("tenant,time_zone\nAcme Sales,UTC\n")
    (tmp_path / "orders.csv").write_text(
        "tenant,order_number,status,delivered_at\nAcme Sales,O-1,delivered,2026-02-20T10:00:00Z\n"
    )
    (tmp_path / "deals.csv").write_text(
        "tenant,external_id,title,stage,last_activity_at\nAcme Sales,d1,Ten licences,proposal,2026-02-20T10:00:00Z\n"
    )
    report = load_directory(beside.connection, tmp_path)
    assert report.problems == []
    at = datetime.fromisoformat("2026-02-20T10:00:00+00:00")
    assert beside.one("SELECT delivered_at FROM orders")["delivered_at"] == written(at)
    assert beside.one("SELECT last_activity_at FROM deals")["last_activity_at"] == written(at)
    assert beside.one("SELECT delivery_date FROM feedback_requests")["delivery_date"] == at


def test_reads_and_claims_cost_what_they_return_in_a_crm_without_zones(servers: Servers, migrated: str) -> None:
    for url in _database(servers, migrated):
        with connect(url) as connection:
            connection.execute(f"SET timezone = '{ZONE}'")
            for number, n in ((1, SMALL), (2, BIG)):
                fill(connection, "plans_tenant.sql", tenant=str(UUID(int=number)), n=n)
            connection.execute("VACUUM ANALYZE")
            connection.execute(f"SET timezone = '{SESSION}'")
            for call in ("get_stalled_deals(%(tenant)s, 20)", "run_deals_batch(%(tenant)s, 20, NULL)"):
                small, big = (cost(connection, call, UUID(int=number), "deals") for number in (1, 2))
                assert big.pages <= 2 * small.pages + 100, (call, small, big)
                assert (big.rows <= 200, big.scans) == (True, 0), (call, big)
            connection.execute("DELETE FROM deals WHERE coalesce(next_follow_up_at, stalls_at) <= '2026-03-03'")
            connection.execute("VACUUM ANALYZE")
            found = cost(connection, "due_tenants('deals')", UUID(int=1), "deals")
            assert (found.returned, found.rows, found.scans) == (0, 0, 0), found
