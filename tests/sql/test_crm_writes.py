"""If these fail, the CRM cannot write its own rows because the fleet is there."""

from pathlib import Path
from uuid import uuid4

import pytest
from psycopg import sql

from tests.crm import NOW, Crm, days
from tests.sql.test_migrations import dump
from workers.db import check
from workers.db.migrate import migrate, rollback
from workers.db.session import Connection, connect
from workers.errors import SchemaMismatchError


def write_everything(crm: Crm) -> None:
    """Write and delete as a CRM does all day, each row on its own."""
    tenant = crm.tenant("Everything")
    client = crm.client(tenant)
    contact = crm.contact(tenant, client)
    deal = crm.insert(
        "deals", tenant_id=tenant, client_id=client, contact_id=contact, title="Ten licences", stage="lead"
    )
    order = crm.order(tenant, client_id=client, contact_id=contact, delivered_at=NOW)
    crm.update("deals", deal, stage="proposal", value=7)
    crm.update("deals", deal, title="Eleven licences")
    crm.update("orders", order, delivered_at=NOW + days(1))
    for table, id_ in (
        ("orders", order),
        ("deals", deal),
        ("contacts", contact),
        ("clients", client),
        ("tenants", tenant),
    ):
        crm.execute(sql.SQL("DELETE FROM {} WHERE id = %s").format(sql.Identifier(table)), id_)


def faults(crm: Crm) -> set[str]:
    return {row["source"] for row in crm.rows("SELECT * FROM recent_faults()")}


def test_a_crm_that_keeps_no_references_writes_what_it_likes(supabase: str) -> None:
    with connect(supabase) as connection:
        for table, column in (
            ("deals", "tenant_id"), ("deals", "client_id"), ("deals", "contact_id"),
            ("orders", "tenant_id"), ("orders", "client_id"), ("orders", "contact_id"),
        ):  # fmt: skip
            connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_{column}_fkey")
        crm = Crm(connection)
        nowhere = {"client_id": uuid4(), "contact_id": uuid4()}
        crm.order(uuid4(), delivered_at=NOW, **nowhere)  # there before the fleet comes
        migrate(supabase)
        lost = crm.insert("deals", tenant_id=uuid4(), title="x", stage="lead", **nowhere)
        crm.update("deals", lost, stage="won")
        crm.order(uuid4(), delivered_at=NOW, **nowhere)
        tenant = crm.tenant()
        order = crm.order(tenant, delivered_at=NOW, **nowhere)
        asked = crm.rows("SELECT order_id, client_id, contact_id FROM feedback_requests WHERE order_id = %s", order)
        assert asked == [{"order_id": order, "client_id": None, "contact_id": None}]
        assert faults(crm) == set()


@pytest.mark.parametrize("subject", ["admin", "7", "00000000-0000-0000-0000-00000000abcd", ""])
def test_whoever_the_crm_says_is_writing_may_write(crm: Crm, subject: str) -> None:
    tenant = crm.tenant()
    deal = crm.deal(tenant)
    with crm.connection.transaction():
        crm.connection.execute("SELECT set_config('request.jwt.claims', %s, true)", [f'{{"sub": "{subject}"}}'])
        crm.connection.execute("UPDATE deals SET stage = 'won' WHERE id = %s", [deal])
    [change] = crm.rows("SELECT to_stage, changed_by::text FROM deal_stage_history")
    assert change == {"to_stage": "won", "changed_by": subject if len(subject) == 36 else None}


@pytest.mark.parametrize(
    ("damage", "noted"),
    [
        ("DROP TABLE deal_stage_config CASCADE", {"note_new_deal", "update_deal_last_activity", "seed_new_tenant"}),
        ("DROP TABLE deal_stage_history CASCADE", {"log_deal_stage_change"}),
        ("DROP TABLE feedback_requests CASCADE", {"queue_feedback_request"}),
        ("DROP TABLE crm_words CASCADE", {"note_new_deal", "update_deal_last_activity"}),
        ("ALTER TABLE feedback_requests ADD CHECK (delivery_date < '2020-01-01')", {"queue_feedback_request"}),
        (
            "ALTER TABLE deals DROP COLUMN stalls_at CASCADE",
            {"note_new_deal", "update_deal_last_activity", "seed_new_tenant"},
        ),
    ],
)
def test_what_is_broken_in_the_fleet_is_noted_and_the_crms_row_is_written(
    crm: Crm, damage: str, noted: set[str]
) -> None:
    crm.execute(damage.encode())
    write_everything(crm)
    assert faults(crm) == noted
    assert len(check.faults(crm.connection)) == len(noted)


def test_a_clock_that_cannot_be_read_stops_no_row_of_the_crm(connection: Connection) -> None:
    connection.execute("SET fleet.now = 'yesterday or so'")
    connection.execute("INSERT INTO tenants (name) VALUES ('Northwind')")
    connection.execute("INSERT INTO deals (tenant_id, title) SELECT id, 'x' FROM tenants")
    connection.execute("UPDATE deals SET stage = 'won'")
    assert len(check.faults(connection)) == 4


def test_even_without_a_place_for_the_note_the_crms_row_is_written(crm: Crm) -> None:
    crm.execute("DROP TABLE fleet_faults, deal_stage_config, deal_stage_history, feedback_requests CASCADE")
    write_everything(crm)
    assert check.faults(crm.connection) == []


def test_a_thousand_faults_of_one_cause_are_one_note(crm: Crm) -> None:
    crm.execute("DROP TABLE deal_stage_config CASCADE")
    tenant = crm.tenant()
    crm.execute("INSERT INTO deals (tenant_id, title) SELECT %s, 'x' FROM generate_series(1, 1000)", tenant)
    [row] = crm.rows("SELECT count(*) AS n FROM fleet_faults WHERE source = 'note_new_deal'")
    assert row["n"] == 1


def test_two_crm_transactions_with_the_same_fault_do_not_wait_for_each_other(database_url: str) -> None:
    with connect(database_url) as first, connect(database_url) as second:
        Crm(first).execute("DROP TABLE deal_stage_config CASCADE")
        tenant = Crm(first).tenant()
        second.execute("SET lock_timeout = '100ms'")
        with first.transaction(), second.transaction():
            for connection in (first, second):
                connection.execute("INSERT INTO deals (tenant_id, title) VALUES (%s, 'x')", [tenant])


def test_an_order_that_a_fault_kept_from_being_asked_about_is_found_by_the_next_migration(database_url: str) -> None:
    with connect(database_url) as connection:
        crm = Crm(connection)
        tenant = crm.tenant()
        crm.execute("ALTER TABLE feedback_requests ADD CONSTRAINT broken CHECK (false)")
        order = crm.insert("orders", tenant_id=tenant, delivered_at=crm.one("SELECT now() AS now")["now"])
        crm.execute("ALTER TABLE feedback_requests DROP CONSTRAINT broken")
        migrate(database_url)
        assert crm.rows("SELECT order_id FROM feedback_requests") == [{"order_id": order}]


def test_p1s_own_rollback_runs_through_and_leaves_a_crm_that_works(supabase: str) -> None:
    before = dump(supabase)
    migrate(supabase)
    with connect(supabase) as connection:
        connection.execute(Path(__file__).with_name("p1_rollback.sql").read_bytes())
        crm = Crm(connection)
        write_everything(crm)
        assert "note_new_deal" in faults(crm)
        with pytest.raises(SchemaMismatchError, match=r"tables of the fleet are gone \(compliance_checks, .*rollback"):
            migrate(supabase)
    rollback(supabase)
    assert dump(supabase) == before
    migrate(supabase)
    with connect(supabase) as connection:
        assert check.missing(connection) == []


def test_deleting_what_much_refers_to_reads_no_table_of_the_fleets_from_end_to_end(crm: Crm) -> None:
    """Every reference to the CRM's rows is found by an index, or the CRM waits for each delete."""
    searched = crm.rows(
        "SELECT k.conrelid::regclass::text || '.' || a.attname AS reference FROM pg_constraint AS k"
        " JOIN pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = k.conkey[cardinality(k.conkey)]"
        " WHERE k.contype = 'f' AND k.confrelid <> ALL (ARRAY['tenants', 'engines']::regclass[])"
        " AND NOT EXISTS (SELECT FROM pg_index AS i WHERE i.indrelid = k.conrelid"
        "   AND (i.indkey[0] = a.attnum OR (i.indkey::smallint[])[0 : cardinality(k.conkey) - 1] @> k.conkey)"
        "   AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = '(' || a.attname || ' IS NOT NULL)'))"
    )
    assert searched == []


def test_an_edit_of_what_the_fleet_does_not_read_is_written_to_no_index(crm: Crm) -> None:
    tenant = crm.tenant()
    deal, order = crm.deal(tenant), crm.order(tenant)
    for table, id_ in (("deals", deal), ("orders", order)):
        crm.execute(
            sql.SQL("ALTER TABLE {} ADD COLUMN IF NOT EXISTS updated_at timestamptz").format(sql.Identifier(table))
        )
        with crm.connection.transaction():
            crm.update(table, id_, updated_at=NOW + days(1))
            row = crm.one("SELECT pg_stat_get_xact_tuples_hot_updated(%s::regclass) AS hot", table)
        assert row == {"hot": 1}, table


def test_a_tenant_with_everything_can_be_deleted(crm: Crm) -> None:
    tenant = crm.tenant()
    owner = crm.profile(tenant)
    client = crm.client(tenant, owner_id=owner)
    contact = crm.contact(tenant, client)
    deal = crm.deal(tenant, client_id=client, contact_id=contact, owner_id=owner)
    crm.order(tenant, client_id=client, contact_id=contact, delivered_at=NOW - days(9))
    crm.quote(tenant, client_id=client, contact_id=contact, deal_id=deal)
    crm.schedule(tenant)
    crm.enrichment(tenant, contact_id=contact)
    for engine in ("feedback", "deals", "quotes", "compliance", "enrichment"):
        crm.run(engine)
    crm.execute("DELETE FROM tenants WHERE id = %s", tenant)
    assert crm.rows("SELECT FROM scheduled_actions") == []


def test_a_deal_without_tenant_or_stage_stays_writable(crm: Crm) -> None:
    crm.execute("ALTER TABLE deals ALTER COLUMN tenant_id DROP NOT NULL, ALTER COLUMN stage DROP NOT NULL")
    deal = crm.insert("deals", stage="lead")
    crm.update("deals", deal, stage="won")
    crm.update("deals", deal, stage=None)
    assert crm.row("deals", deal)["stage"] is None
