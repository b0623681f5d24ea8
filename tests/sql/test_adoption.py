"""If these fail, who ran an earlier P1 loses what it knew, is asked twice, or does not get it back."""

from pathlib import Path
from uuid import UUID

import pytest

from tests.crm import NOW, Crm, days
from tests.sql.test_migrations import NORTHWIND, dump
from workers.db import check
from workers.db.migrate import migrate, rollback
from workers.db.preflight import findings
from workers.db.session import connect
from workers.errors import FleetError, UnfitDatabaseError

FITS_NOT = {
    "ALTER TABLE deal_stage_history DROP to_stage": "deal_stage_history: a relation of the CRM's own",
    "ALTER TABLE deal_stage_config ALTER stage TYPE jsonb USING '1'": "deal_stage_config: a relation of the CRM's own",
    "ALTER TABLE quotes ADD due_at date": "quotes.due_at: a column of the CRM's own under a name of the fleet's",
    "ALTER TABLE quotes ADD n serial": "quotes.n: a column of the CRM's own that the database fills",
    "ALTER TABLE quotes ALTER sent_at TYPE timestamp": "quotes.sent_at: timestamp without time zone",
    "CREATE VIEW open_quotes AS SELECT * FROM quotes": "quotes: open_quotes reads it",
    "CREATE TABLE bills (quote_id uuid REFERENCES quotes)": "quotes: bills refers to it",
    "CREATE FUNCTION worth(quotes) RETURNS int LANGUAGE sql AS 'SELECT 1'": "quotes: the function worth(quotes)",
    "CREATE POLICY quoted ON deals USING (id IN (SELECT deal_id FROM quotes))": "quotes: the policy quoted of deals",
    "GRANT SELECT ON quotes TO PUBLIC": "quotes: everybody may read or write it",
    "ALTER TABLE quotes FORCE ROW LEVEL SECURITY": "quotes: row-level security that binds its owner too",
    "CREATE SCHEMA fleet_adopted": "database: a schema of the CRM's own named fleet_adopted",
    "ALTER PUBLICATION changes SET TABLE compliance_checks (id)": "compliance_checks: a part of it is published",
    "CREATE TABLE more () INHERITS (quote_outcomes)": "quote_outcomes: a table that inherits",
    "CREATE TRIGGER quote_waits BEFORE UPDATE ON quotes EXECUTE FUNCTION note()": "quotes: a trigger of the CRM's own",
}
ACME = UUID("00000000-0000-0000-0000-000000000021")
ANN = UUID("00000000-0000-0000-0000-000000000031")


@pytest.fixture
def earlier(supabase: str) -> str:
    """The URL of a database in which a CRM lives with an earlier P1, which has rows in every state."""
    with connect(supabase) as connection:
        connection.execute(Path(__file__).with_name("earlier_p1.sql").read_bytes())
        crm = Crm(connection)
        northwind = {"tenant_id": NORTHWIND}
        person = northwind | {"client_id": ACME, "contact_id": ANN}
        asked = crm.insert("orders", **person, order_number="O-2", status="delivered", delivered_at=NOW - days(20))
        waiting = crm.insert("orders", **person, order_number="O-3", status="delivered", delivered_at=NOW - days(8))
        request = {"tenant_id": NORTHWIND, "client_id": ACME, "delivery_date": NOW - days(20)}
        crm.insert("feedback_requests", **request, order_id=asked, contact_id=ANN, status="sent",
                   scheduled_for=NOW - days(13), sent_at=NOW - days(13), expires_at=NOW + days(17))  # fmt: skip
        crm.insert("feedback_requests", **request, order_id=waiting, status="pending", scheduled_for=NOW - days(1),
                   response_email_id="<m-7@acme.example>")  # fmt: skip
        crm.insert("deal_stage_config", **northwind, stage="lead", max_days_before_stale=4, max_follow_ups=2)
        silent = {"last_activity_at": NOW - days(30), "stalled_at": NOW - days(20)}
        for title, count in (("begun", 1), ("spent", 2)):
            deal = crm.insert(
                "deals", **person, title=title, **silent, follow_up_count=count, next_follow_up_at=NOW - days(1)
            )
            crm.insert(
                "deal_stage_history",
                **northwind,
                deal_id=deal,
                from_stage="new",
                to_stage="lead",
                days_in_previous_stage=3.5,
            )
        quote = person | {"title": "Ten licences", "total_amount": 100, "sent_at": NOW - days(9)}
        open_ = crm.insert("quotes", **quote, quote_number="Q-2026-0007", status="sent", follow_up_count=1,
                           next_follow_up_at=NOW - days(1), currency="CHF")  # fmt: skip
        crm.insert("quotes", **quote, quote_number="Q-2026-0008", status="viewed", follow_up_count=5)
        crm.insert("quotes", **quote, quote_number="Q-2026-0009", status="accepted", outcome="won")
        crm.insert("quotes", **quote, quote_number="unknown", status="mislaid")
        crm.insert("quote_activities", quote_id=open_, activity_type="sent")
        queue = northwind | {
            "contact_id": ANN,
            "email_address": "ann@acme.example",
            "source": "email_signature",
            "source_id": "m-1",
        }
        crm.insert("contact_enrichment_queue", **queue, status="completed")
        crm.insert("contact_enrichment_queue", **queue, status="pending", extracted_data={"title": "CTO"})
        signal = person | {"source_type": "email", "signal_type": "expansion", "signal_strength": 0.95}
        crm.insert("opportunity_signals", **signal, source_id=asked, created_at=NOW - days(400))
        crm.insert("opportunity_signals", **signal, source_id=waiting)
        crm.insert("opportunity_signals", **signal | {"signal_strength": 0.5}, source_id="<m-7@acme.example>")
        schedule = crm.insert("compliance_schedule", **northwind, compliance_type="Audit", frequency="annual",
                              next_due_at=NOW + days(300), target_entity_type="client")  # fmt: skip
        held = northwind | {"schedule_id": schedule, "entity_type": "client", "entity_id": ACME, "entity_name": "Acme"}
        period = {"period_start": NOW - days(400), "period_end": NOW - days(30), "due_at": NOW - days(30)}
        crm.insert("compliance_checks", **held, **period, status="overdue", escalation_sent_at=NOW - days(20))
        crm.insert("compliance_checks", **held, due_at=NOW - days(1), status="awaiting_response",
                   period_start=NOW - days(365), reminder_sent_at=NOW - days(8), reminder_count=1)  # fmt: skip
        connection.execute("TRUNCATE noted")
    return supabase


def test_an_earlier_p1_goes_on_where_it_stood_asks_nobody_twice_and_keeps_no_row_from_going(earlier: str) -> None:
    done = migrate(earlier)
    taken = [done.adopted[table] for table in ("quotes", "deal_stage_history", "opportunity_signals")]
    assert taken == [(3, 1), (2, 0), (3, 0)]
    with connect(earlier) as connection:
        assert check.missing(connection) == []
        assert findings(connection, installed=True) == []
        crm = Crm(connection)
        [left] = crm.rows("SELECT table_name, reason FROM fleet_adopted.not_taken")
        assert left["table_name"] == "quotes"
        assert "quotes_status_check" in left["reason"]
        connection.execute("DELETE FROM deals WHERE title NOT IN ('begun', 'spent')")
        for engine in ("feedback", "deals", "quotes", "compliance", "enrichment"):
            crm.run(engine)
        assert {action["status"] for action in crm.actions()} == {"suggested"}
        written = sorted((action["template"], action["variables"].get("step")) for action in crm.actions())
        assert written == [("deal_follow_up", 2), ("opportunity_signal", None), ("quote_follow_up", 2)]
        assert crm.rows("SELECT status, skip_reason FROM feedback_requests ORDER BY scheduled_for LIMIT 2") == [
            {"status": "sent", "skip_reason": None},
            {"status": "skipped", "skip_reason": "contact was asked in the last 30 days"},
        ]
        assert crm.rows("SELECT status, reminder_count FROM compliance_checks ORDER BY due_at") == [
            {"status": "escalated", "reminder_count": 0}, {"status": "overdue", "reminder_count": 1},
        ]  # fmt: skip
        [spent] = crm.rows("SELECT follow_up_ended_for, stalled_at FROM deals WHERE title = 'spent'")
        assert spent == {"follow_up_ended_for": "followed up to the end before the fleet", "stalled_at": NOW - days(20)}
        crm.execute("DELETE FROM orders WHERE order_number = 'O-2'")  # of which P1 keeps a request
    rollback(earlier)
    with connect(earlier) as connection:
        crm = Crm(connection)
        assert len(crm.rows("SELECT FROM feedback_requests")) == 2
        half = crm.rows("SELECT conname FROM pg_constraint WHERE contype = 'f' AND NOT convalidated")
        assert half == [{"conname": "feedback_requests_order_id_fkey"}]


def test_the_crms_programs_go_on_writing_to_what_was_adopted_and_a_rollback_gives_it_back(earlier: str) -> None:
    before = dump(earlier)
    migrate(earlier)
    assert migrate(earlier).adopted == {}
    with connect(earlier) as connection:
        crm = Crm(connection)
        assert crm.rows("SELECT * FROM noted") == [], "rows that are taken over are not new"
        year = crm.one("SELECT extract(year FROM now())::integer AS year")["year"]
        number = crm.read("generate_quote_number", NORTHWIND)
        assert number == [{"generate_quote_number": "Q-2026-0010" if year == 2026 else f"Q-{year}-0001"}]
        crm.execute("UPDATE quotes SET title = 'Eleven', updated_at = NULL WHERE currency = 'CHF'")
        assert crm.rows("SELECT FROM quotes WHERE title = 'Eleven' AND updated_at IS NOT NULL") != []
        crm.insert("quotes", tenant_id=NORTHWIND, title="New", quote_number="N-1", currency="USD")
        assert crm.rows("SELECT what FROM noted") == [{"what": "INSERT USD"}]
        assert crm.rows("SELECT tablename FROM pg_publication_tables WHERE schemaname = 'public' ORDER BY 1") == [
            {"tablename": "deals"}, {"tablename": "quotes"},
        ]  # fmt: skip
        connection.execute("TRUNCATE noted")
    rollback(earlier)
    assert dump(earlier) == before


@pytest.mark.parametrize(
    ("command", "table", "stands"),
    [("CREATE TABLE", "public.compliance_checks", "0001_core"), ("CREATE INDEX", "idx_feedback_due", "0003_fleet")],
)
def test_a_step_that_fails_keeps_what_an_earlier_p1_has_at_its_place(
    earlier: str, command: str, table: str, stands: str
) -> None:
    before = dump(earlier)
    with connect(earlier) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN"
            f" IF to_regclass('{table}') IS NOT NULL AND to_regclass('fleet_adopted.steps') IS NOT NULL"
            " THEN RAISE 'not on a Friday'; END IF; END$$"
        )
        connection.execute(
            f"CREATE EVENT TRIGGER rule ON ddl_command_end WHEN TAG IN ('{command}') EXECUTE FUNCTION refuse()"
        )
        with pytest.raises(FleetError, match=f"not on a Friday; .* stands at {stands}"):
            migrate(earlier)
        quotes = "SELECT quote_number FROM quotes WHERE status <> 'mislaid' ORDER BY 1"
        found = [row["quote_number"] for row in connection.execute(quotes)]
        assert found == ["Q-2026-0007", "Q-2026-0008", "Q-2026-0009"]
        connection.execute("DROP EVENT TRIGGER rule; DROP FUNCTION refuse()")
    if stands == "0001_core":
        assert migrate(earlier).adopted["quotes"] == (3, 1)
    rollback(earlier)
    assert dump(earlier) == before


def test_what_would_not_survive_an_adoption_is_named_before_anything_is_changed(earlier: str) -> None:
    with connect(earlier) as connection:
        for change in FITS_NOT:
            connection.execute(change.encode())
    before = dump(earlier, "--schema-only")
    with pytest.raises(UnfitDatabaseError, match="nothing was changed") as refused:
        migrate(earlier)
    said = str(refused.value)
    assert [line for line in FITS_NOT.values() if f"\n  {line}" not in said] == []
    assert dump(earlier, "--schema-only") == before
