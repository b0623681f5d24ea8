"""If these fail, the fleet changes a CRM beside which it cannot work, or makes up what its rows mean."""

from pathlib import Path

import pytest

from tests.crm import NOW, Crm, days
from tests.sql.test_migrations import dump
from workers import clock
from workers.db import check
from workers.db.migrate import migrate, rollback
from workers.db.preflight import findings
from workers.db.session import connect
from workers.delivery.channels import MaildirChannel
from workers.delivery.deliver import deliver
from workers.errors import UnfitDatabaseError
from workers.load import load_directory
from workers.runtime.status import fleet_status
from workers.settings import settings

FUNCTION = "CREATE FUNCTION {}() RETURNS bigint LANGUAGE sql AS 'SELECT 1::bigint'"
TRIGGER = (
    "CREATE FUNCTION noted() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';"
    "CREATE TRIGGER deal_stage_change BEFORE UPDATE ON deals FOR EACH ROW EXECUTE FUNCTION noted()"
)


@pytest.fixture
def small_crm(empty_database: str) -> str:
    """The URL of a database with a small CRM that the fleet can work beside."""
    with connect(empty_database) as connection:
        connection.execute(Path(__file__).with_name("small_crm.sql").read_bytes())
    return empty_database


@pytest.mark.parametrize(
    ("change", "place", "found"),
    [
        ("ALTER TABLE contacts DROP id, ADD id bigserial PRIMARY KEY", "contacts.id", "bigint"),
        ("ALTER TABLE orders DROP CONSTRAINT orders_pkey", "orders.id", "neither primary key nor unique"),
        ("ALTER TABLE deals DROP stage", "deals.stage", "no such column"),
        ("ALTER TABLE deals RENAME stage TO pipeline_stage", "deals.stage", "no such column"),
        ("ALTER TABLE deals DROP stage, ADD stage uuid", "deals.stage", "uuid"),
        ("ALTER TABLE deals DROP tenant_id", "deals.tenant_id", "no such column"),
        ("ALTER TABLE clients DROP tenant_id, ADD tenant_id integer", "clients.tenant_id", "integer"),
        ("ALTER TABLE orders DROP delivered_at", "orders.delivered_at", "no such column"),
        ("ALTER TABLE orders DROP status", "orders.status", "no such column"),
        ("ALTER TABLE cases DROP status, ADD closed boolean", "cases.status", "no such column"),
        ("ALTER TABLE cases DROP status, ADD status integer", "cases.status", "integer"),
        ("ALTER TABLE deals ALTER updated_at TYPE timestamp", "deals.updated_at", "timestamp without time zone"),
        ("ALTER TABLE orders ALTER delivered_at TYPE date", "orders.delivered_at", "date"),
        ("ALTER TABLE contacts DROP email, ADD email jsonb", "contacts.email", "jsonb"),
        ("ALTER TABLE contacts DROP email, ADD email text[]", "contacts.email", "text[]"),
        ("ALTER TABLE contacts ADD attributes text", "contacts.attributes", "text"),
        ("ALTER TABLE deals DROP value, ADD value money", "deals.value", "money"),
        ("ALTER TABLE deals ADD description text GENERATED ALWAYS AS ('x') STORED", "deals.description", "generated"),
        ("ALTER TABLE deals ADD last_activity_at date", "deals.last_activity_at", "date"),
        ("ALTER TABLE deals ADD stalls_at date", "deals.stalls_at", "a column of the CRM's own"),
        ("ALTER TABLE tasks ADD board_id uuid NOT NULL", "tasks.board_id", "NOT NULL without a default"),
        ("ALTER TABLE tasks ADD priority integer", "tasks.priority", "integer"),
        ("ALTER TABLE tasks RENAME TO todos; CREATE VIEW tasks AS SELECT * FROM todos", "tasks", "a view"),
        ("DROP TABLE cases; CREATE TABLE cases (id uuid) PARTITION BY LIST (id)", "cases", "a partitioned table"),
        ("ALTER TABLE deals SET UNLOGGED", "deals", "an unlogged table"),
        ("CREATE TYPE vendors AS ENUM ('a')", "vendors", "a type named vendors"),
        ("CREATE TABLE quotes (id uuid PRIMARY KEY)", "quotes", "a relation of the CRM's own"),
        ("CREATE VIEW quote_win_rates AS SELECT 1", "quote_win_rates", "a relation of the CRM's own"),
        ("CREATE INDEX idx_deals_due ON deals (title)", "idx_deals_due", "a relation of the CRM's own"),
        (FUNCTION.format("current_tenant_id"), "current_tenant_id()", "a function of the CRM's own"),
        (TRIGGER, "deals", "a trigger of the CRM's own named deal_stage_change"),
        ("CREATE SCHEMA auth;" + FUNCTION.format("auth.uid"), "auth.uid()", "returns bigint"),
    ],
)  # fmt: skip
def test_what_stands_in_the_way_is_named_before_anything_is_changed(
    small_crm: str, change: str, place: str, found: str
) -> None:
    with connect(small_crm) as connection:
        connection.execute(change.encode())
    before = dump(small_crm)
    with pytest.raises(UnfitDatabaseError, match="nothing was changed") as refused:
        migrate(small_crm)
    assert f"\n  {place}: {found}" in str(refused.value)
    assert dump(small_crm) == before


def test_all_that_stands_in_the_way_is_said_at_once(small_crm: str) -> None:
    with connect(small_crm) as connection:
        connection.execute("ALTER TABLE deals DROP stage, ALTER created_at TYPE timestamp")
        connection.execute("ALTER TABLE orders DROP delivered_at")
        connection.execute("CREATE TABLE quotes (id integer)")
        places = [(finding.table, finding.column) for finding in findings(connection, installed=False)]
    assert places == [("deals", "created_at"), ("deals", "stage"), ("orders", "delivered_at"), ("quotes", None)]


def test_a_role_that_may_not_do_it_is_told_which_rights_are_missing(small_crm: str) -> None:
    with connect(small_crm) as connection:
        connection.execute("CREATE ROLE fleet_test_guest LOGIN")
        try:
            connection.execute("SET ROLE fleet_test_guest")
            said = [str(finding) for finding in findings(connection, installed=False)]
        finally:
            connection.execute("RESET ROLE")
            connection.execute("DROP ROLE fleet_test_guest")
    assert any(line.startswith("database: fleet_test_guest may not create in schema public") for line in said)
    assert any(line.startswith("deals: owned by") and "GRANT" in line for line in said)


def test_beside_varchars_an_enum_and_domains_every_engine_works(small_crm: str, tmp_path: Path) -> None:
    migrate(small_crm)
    with connect(small_crm) as connection:
        assert check.missing(connection) == []
        assert findings(connection, installed=True) == []
        crm = Crm(connection)
        tenant = crm.tenant()
        owner = crm.profile(tenant, role="compliance", email="olive@northwind.example")
        client = crm.client(tenant, owner_id=owner)
        contact = crm.contact(tenant, client)
        long_ago = {"created_at": NOW - days(90), "updated_at": NOW - days(60), "last_activity_at": None}
        with crm.unchecked():  # from before the fleet
            open_ = crm.deal(tenant, client_id=client, contact_id=contact, **long_ago)
            crm.deal(tenant, client_id=client, contact_id=contact, stage="closed_won", **long_ago)
        crm.order(tenant, client_id=client, contact_id=contact, delivered_at=NOW - days(9))
        crm.order(tenant, client_id=client, contact_id=contact, delivered_at=NOW - days(9), status="cancelled")
        crm.quote(tenant, client_id=client, contact_id=contact)
        crm.schedule(tenant)
        crm.enrichment(tenant, contact_id=contact)
        assert [row["title"] for row in crm.read("get_stalled_deals", tenant)] == ["Ten licences"]
        crm.read("go_live", tenant, None, "olive")  # beside a CRM a person would look first
        crm.open_always(tenant, mails=4)
        for engine in ("feedback", "deals", "quotes", "compliance", "enrichment"):
            crm.run(engine)
        assert crm.templates() == {
            "feedback_request": 1, "deal_follow_up": 1, "quote_follow_up": 1, "compliance_reminder": 1,
        }  # fmt: skip
        assert [action["subject_id"] for action in crm.actions(template="deal_follow_up")] == [open_]
        assert crm.rows("SELECT * FROM items_aside") == []
        with clock.at(NOW):
            done = deliver(connection, MaildirChannel(tmp_path), settings())
            assert fleet_status(connection)["faults"] == []
        assert done == {"sent": 4}
        crm.update("deals", open_, stage="proposal")
        assert crm.rows("SELECT from_stage, to_stage FROM deal_stage_history") == [
            {"from_stage": "lead", "to_stage": "proposal"}
        ]


def test_files_are_loaded_into_a_crm_whose_words_are_enums(small_crm: str, tmp_path: Path) -> None:
    migrate(small_crm)
    (tmp_path / "tenants.csv").write_text("tenant\nAcme Sales\n")
    (tmp_path / "orders.csv").write_text(
        "tenant,order_number,status\nAcme Sales,O-1,delivered\nAcme Sales,O-2,in the attic\n"
    )
    (tmp_path / "deals.csv").write_text("tenant,external_id,title,stage\nAcme Sales,d1,Ten licences,proposal\n")
    with connect(small_crm) as connection:
        report = load_directory(connection, tmp_path)
        assert [problem.line for problem in report.problems] == [3]
        assert "in the attic" in report.problems[0].reason
        assert connection.execute("SELECT status FROM orders").fetchall() == [{"status": "delivered"}]
        assert connection.execute("SELECT stage FROM deals").fetchall() == [{"stage": "proposal"}]


def test_a_column_added_beside_a_crm_is_empty_and_says_nothing_about_its_rows(small_crm: str) -> None:
    with connect(small_crm) as connection:
        connection.execute("ALTER TABLE deals DROP created_at")
        connection.execute("INSERT INTO tenants (name) VALUES ('Northwind')")
        connection.execute("INSERT INTO deals (tenant_id, title) SELECT id, 'Old' FROM tenants")
        connection.execute("INSERT INTO tasks (tenant_id, title, done) SELECT id, 'Done', true FROM tenants")
    migrate(small_crm)
    with connect(small_crm) as connection:
        [deal] = connection.execute("SELECT created_at FROM deals").fetchall()
        [task] = connection.execute("SELECT status, created_at FROM tasks").fetchall()
        keys = connection.execute("SELECT FROM pg_constraint WHERE conrelid = 'cases'::regclass AND contype = 'f'")
        assert (deal["created_at"], task["status"], task["created_at"]) == (None, None, None)
        assert keys.fetchall() == [], "deleting a client must not delete a case"


def test_a_crm_that_limits_every_statement_does_not_end_the_migration(small_crm: str) -> None:
    with connect(small_crm) as connection:
        [row] = connection.execute("SELECT current_database() AS name").fetchall()
        connection.execute(f"ALTER DATABASE {row['name']} SET statement_timeout = '20ms'")
    migrate(small_crm)
    with connect(small_crm) as connection:
        connection.execute("SET statement_timeout = 0")
        assert check.missing(connection) == []


def test_the_crms_own_migration_history_stays_untouched(small_crm: str) -> None:
    def history() -> list[dict[str, object]]:
        with connect(small_crm) as connection:
            table = "SELECT relkind, relrowsecurity, relacl FROM pg_class WHERE relname = 'migration_history'"
            rows = connection.execute(table).fetchall()
            return rows + connection.execute("SELECT * FROM migration_history").fetchall()

    before = history()
    migrate(small_crm)
    assert history() == before
    rollback(small_crm)
    assert history() == before


def test_a_history_that_an_earlier_release_kept_is_taken_over(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("DROP VIEW migration_history")
        connection.execute("ALTER TABLE fleet_migration_history RENAME TO migration_history")
        connection.execute("ALTER INDEX fleet_migration_history_pkey RENAME TO migration_history_pkey")
        connection.execute("ALTER SEQUENCE fleet_migration_history_id_seq RENAME TO migration_history_id_seq")
        before = connection.execute("SELECT id, name FROM migration_history ORDER BY id").fetchall()
        again = migrate(database_url)
        assert (again.revisions, again.functions) == ([], [])
        assert connection.execute("SELECT id, name FROM fleet_migration_history ORDER BY id").fetchall() == before
        assert check.missing(connection) == []
    rollback(database_url)
