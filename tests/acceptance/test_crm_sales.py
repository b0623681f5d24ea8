"""The public CRM sales data, loaded and followed up to the end, against plain arithmetic over the CSV."""

import csv
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.crm import Crm
from workers import clock
from workers.db.session import Connection, transaction
from workers.load import LoadReport, load_directory

pytestmark = pytest.mark.crm_sales

CLOCK = datetime(2017, 12, 31, tzinfo=UTC)
DAYS_BEFORE_STALE = 7


@pytest.fixture
def opportunities(crm_sales: Path) -> list[dict[str, str]]:
    with (crm_sales / "sales_pipeline.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def loaded(connection: Connection, crm_sales: Path) -> Iterator[LoadReport]:
    with clock.at(CLOCK):
        yield load_directory(connection, crm_sales)


def test_every_row_of_the_set_goes_in(crm: Crm, loaded: LoadReport) -> None:
    assert loaded.problems == []
    assert {table: (counts.read, counts.inserted) for table, counts in loaded.tables.items()} == {
        "tenants": (1, 1),
        "profiles": (35, 35),
        "clients": (85, 85),
        "contacts": (85, 85),
        "products": (7, 0),
        "deals": (8800, 8800),
    }
    assert 'sales_pipeline.csv: product "GTXPro" is loaded as "GTX Pro" (1480x)' in loaded.notes
    strangers = crm.rows("SELECT email FROM contacts WHERE email NOT LIKE '%%@%%.example' OR NOT is_primary")
    assert strangers == []


def test_stages_dates_owners_and_closings_are_those_of_the_csv(
    crm: Crm, loaded: LoadReport, opportunities: list[dict[str, str]]
) -> None:
    rows = crm.rows(
        "SELECT d.description, d.stage, d.title, p.full_name AS agent, l.company_name AS account,"
        " c.client_id = l.id AS own, d.created_at, d.last_activity_at,"
        " h.from_stage, h.to_stage, h.changed_at, h.days_in_previous_stage"
        " FROM deals d JOIN profiles p ON p.id = d.owner_id LEFT JOIN clients l ON l.id = d.client_id"
        " LEFT JOIN contacts c ON c.id = d.contact_id LEFT JOIN deal_stage_history h ON h.deal_id = d.id"
    )
    deals = {row["description"].removeprefix("Opportunity "): row for row in rows}
    assert len(rows) == len(deals) == 8800
    for expected in opportunities:
        deal = deals[expected["opportunity_id"]]
        engaged, closed = day(expected["engage_date"]), day(expected["close_date"])
        assert deal["stage"] == expected["deal_stage"].lower()
        assert deal["agent"] == expected["sales_agent"]
        assert deal["account"] == (expected["account"] or None)
        assert deal["own"] is (True if expected["account"] else None)
        assert deal["title"].startswith(expected["product"].replace("GTXPro", "GTX Pro"))
        assert deal["created_at"] == deal["last_activity_at"] == (midnight(engaged) if engaged else CLOCK)
        if closed and engaged:
            assert (deal["from_stage"], deal["to_stage"]) == ("engaging", deal["stage"])
            assert deal["changed_at"] == midnight(closed)
            assert deal["days_in_previous_stage"] == (closed - engaged).days
        else:
            assert deal["to_stage"] is None


def test_the_open_and_the_stalled_deals_are_exactly_those_of_the_csv(
    crm: Crm, loaded: LoadReport, opportunities: list[dict[str, str]]
) -> None:
    open_deals = crm.one("SELECT count(*) AS n FROM deals_in_follow_up")
    assert open_deals["n"] == 2089

    # The eighth day after the load is the first on which those created by it are stalled as well.
    for moment in (CLOCK, CLOCK + timedelta(days=7), CLOCK + timedelta(days=7, seconds=1)):
        expected = {
            row["opportunity_id"]: (moment - activity(row)).days
            for row in opportunities
            if row["deal_stage"] in ("Prospecting", "Engaging")
            and moment - activity(row) > timedelta(days=DAYS_BEFORE_STALE)
        }
        assert stalled(crm, moment) == expected
    assert len(expected) == 2089


def test_a_backlog_of_two_thousand_deals_bursts_on_nobody(
    crm: Crm, loaded: LoadReport, opportunities: list[dict[str, str]]
) -> None:
    # Written at once, without a look at who gets it: up to 14 e-mails to one person in a morning.
    at_once = Counter(
        row["account"] for row in opportunities if row["deal_stage"] in ("Prospecting", "Engaging") and row["account"]
    )
    assert (len(at_once), max(at_once.values()), at_once.total()) == (85, 14, 664)

    days = 9
    for day in range(days):
        crm.run("deals", at=CLOCK + timedelta(days=day, hours=8), batch_size=10_000)
        crm.send(at=CLOCK + timedelta(days=day, hours=9))
    a_day = Counter((row["mailbox"], row["sent_at"].date()) for row in crm.actions(kind="email", status="sent"))
    assert max(a_day.values()) == 1
    a_person = Counter(mailbox for mailbox, _ in a_day)
    # One person's deals have all been silent for half a year: their owner gets a list of such, and nobody a mail.
    assert (len(a_person), max(a_person.values())) == (84, 3)
    listed = [deal for row in crm.actions(template="deals_long_silent") for deal in row["variables"]["deals"]]
    assert min(deal["days_silent"] for deal in listed) >= 180

    # Nobody is forgotten: who is not over, and waits for no message, is due again.
    assert crm.rows("SELECT FROM deals_in_follow_up WHERE stalled_at IS NOT NULL AND next_follow_up_at IS NULL") == []


def test_loading_again_changes_nothing_even_after_the_engines_ran(
    connection: Connection, crm: Crm, loaded: LoadReport, crm_sales: Path
) -> None:
    crm.run("deals", at=CLOCK, batch_size=10_000)
    before = contents(crm)
    with clock.at(CLOCK + timedelta(days=40)):
        again = load_directory(connection, crm_sales)
    assert again.problems == []
    assert {table: (counts.inserted, counts.unchanged) for table, counts in again.tables.items()} == {
        table: (0, counts.read) for table, counts in loaded.tables.items()
    }
    assert contents(crm) == before


def day(text: str) -> date | None:
    return date(2000 + int(text[6:]), int(text[3:5]), int(text[:2])) if text else None


def midnight(value: date) -> datetime:
    return datetime(value.year, value.month, value.day, tzinfo=UTC)


def activity(row: dict[str, str]) -> datetime:
    engaged = day(row["engage_date"])
    return midnight(engaged) if engaged else CLOCK


def stalled(crm: Crm, moment: datetime) -> dict[str, int]:
    """Opportunity ids and days without activity of what get_stalled_deals returns at an instant."""
    tenant = crm.one("SELECT id FROM tenants")["id"]
    with clock.at(moment), transaction(crm.connection):
        rows = crm.connection.execute(
            "SELECT s.days_without_activity AS days, d.description"
            " FROM get_stalled_deals(%s, 10000) AS s JOIN deals AS d ON d.id = s.deal_id",
            [tenant],
        ).fetchall()
    return {row["description"].removeprefix("Opportunity "): row["days"] for row in rows}


def contents(crm: Crm) -> dict[str, list[dict[str, Any]]]:
    tables = (
        "tenants",
        "profiles",
        "clients",
        "contacts",
        "deals",
        "deal_stage_history",
        "scheduled_actions",
    )
    return {table: crm.rows(f"SELECT * FROM {table} ORDER BY id") for table in tables}  # noqa: S608  # constants
