"""If these fail, the fleet harms the CRM beside which it is installed, or does not find its work there."""

import psycopg
import pytest

from tests.crm import NOW, Crm, days
from tests.sql.access import FUNCTIONS_FOR_ANYONE, FUNCTIONS_OF_INDEXES
from tests.sql.test_migrations import CRM, NORTHWIND, OLIVE, dump, relations, row_versions, schema, upgrade_to
from tests.sql.test_rls import acting
from workers.db import check
from workers.db.migrate import migrate, rollback
from workers.db.revisions import KNOWN
from workers.db.session import connect
from workers.errors import FleetError


def test_beside_a_crm_it_adds_and_never_rewrites(supabase: str) -> None:
    with connect(supabase) as connection:
        before = row_versions(connection)
        policies = connection.execute("SELECT * FROM pg_policies ORDER BY tablename, policyname").fetchall()
        columns = connection.execute(
            "SELECT table_name, column_name, data_type, column_default, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'public'"
        ).fetchall()
    migrate(supabase)
    with connect(supabase) as connection:
        assert row_versions(connection) == before
        now = connection.execute(
            "SELECT table_name, column_name, data_type, column_default, is_nullable FROM information_schema.columns"
            " WHERE table_schema = 'public'"
        ).fetchall()
        assert [column for column in columns if column not in now] == []
        kept = connection.execute(
            "SELECT * FROM pg_policies WHERE tablename = ANY (%s) ORDER BY tablename, policyname", [list(CRM)]
        ).fetchall()
        assert kept == policies
        trigger = connection.execute("SELECT tgenabled FROM pg_trigger WHERE tgname = 'handle_updated_at'").fetchall()
        assert trigger == [{"tgenabled": "O"}]


def test_beside_a_crm_a_rollback_gives_back_exactly_what_was_there(supabase: str) -> None:
    before = dump(supabase)
    migrate(supabase)
    rollback(supabase)
    assert dump(supabase) == before


# Of the older ones, which change no more, every fourth.
@pytest.mark.parametrize("revision", [*KNOWN[:-8:4], *KNOWN[-8:]])
def test_wherever_a_migration_stopped_a_rollback_gives_back_what_was_there(supabase: str, revision: str) -> None:
    before = dump(supabase)
    upgrade_to(supabase, revision)
    rollback(supabase)
    assert dump(supabase) == before


def test_a_first_step_that_fails_leaves_nothing_behind_and_says_so(supabase: str) -> None:
    before = dump(supabase)
    with connect(supabase) as blocker, blocker.transaction():
        blocker.execute("LOCK TABLE tenants IN ACCESS SHARE MODE")  # somebody's long report
        with pytest.raises(FleetError, match="the database is as it was"):
            migrate(supabase)
    assert dump(supabase) == before


def test_a_step_that_fails_says_where_the_database_stands_and_the_next_call_goes_on(supabase: str) -> None:
    with connect(supabase) as connection:
        connection.execute(
            "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS"
            " $$BEGIN IF to_regclass('crm_words') IS NOT NULL THEN RAISE 'not on a Friday'; END IF; END$$"
        )
        connection.execute("CREATE EVENT TRIGGER house_rule ON ddl_command_end EXECUTE FUNCTION refuse()")
        with pytest.raises(FleetError, match=r"not on a Friday; nothing of this step .* stands at 0009_closed_doors"):
            migrate(supabase)
        connection.execute("DROP EVENT TRIGGER house_rule; DROP FUNCTION refuse()")
    assert migrate(supabase).revisions == list(KNOWN[KNOWN.index("0009_closed_doors") + 1 :])
    with connect(supabase) as connection:
        assert check.missing(connection) == []


def test_a_new_owner_of_a_deal_that_came_with_the_crm_does_not_end_its_silence(supabase: str) -> None:
    with connect(supabase) as connection:
        crm = Crm(connection)
        deal = crm.insert("deals", tenant_id=NORTHWIND, title="Old", stage="lead", updated_at=NOW - days(60))
        migrate(supabase)
        crm.update("deals", deal, owner_id=OLIVE)
        row = crm.row("deals", deal)
        assert (row["last_activity_at"], row["stalls_at"]) == (NOW - days(60), NOW - days(57))
        assert row["updated_at"] > NOW - days(60), "the CRM's own trigger moves it with every edit"


def test_a_column_the_crm_had_already_survives_the_rollback(supabase: str) -> None:
    with connect(supabase) as connection:
        connection.execute("ALTER TABLE deals ADD COLUMN last_activity_at timestamptz DEFAULT '2026-01-01'")
    before = dump(supabase)
    migrate(supabase)
    rollback(supabase)
    assert dump(supabase) == before


def test_vendors_that_were_entered_survive_the_rollback(supabase: str) -> None:
    migrate(supabase)
    with connect(supabase) as connection:
        Crm(connection).insert("vendors", tenant_id=NORTHWIND, company_name="Vend")
    rollback(supabase)
    with connect(supabase) as connection:
        assert connection.execute("SELECT company_name FROM vendors").fetchall() == [{"company_name": "Vend"}]


def test_beside_a_crm_with_generous_defaults_nobody_gets_more_than_their_own(supabase: str) -> None:
    migrate(supabase)
    with connect(supabase) as connection:
        crm = Crm(connection)
        crm.quote(crm.tenant("Somebody else"))
        mine = crm.quote(NORTHWIND)
        added = relations(connection) - set(CRM)
        tables = connection.execute(
            "SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')"
            " AND relname = ANY (%s)", [list(added)],
        ).fetchall()  # fmt: skip
        for role in ("anon", "authenticated"):
            for table in tables:
                with acting(connection, role):
                    try:
                        rows = connection.execute(f"SELECT * FROM {table['name']}").fetchall()  # noqa: S608
                    except psycopg.errors.InsufficientPrivilege:
                        rows = []
                assert rows == [], (role, table)
        with acting(connection, "authenticated", OLIVE):
            assert [row["id"] for row in connection.execute("SELECT id FROM quotes")] == [mine]
        callable_by_anon = connection.execute(
            "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
            " AND has_function_privilege('anon', oid, 'EXECUTE')"
        )
        ours = FUNCTIONS_FOR_ANYONE | FUNCTIONS_OF_INDEXES
        assert {row["proname"] for row in callable_by_anon} == ours | {"touch_updated_at"}


def test_deals_from_before_the_fleet_are_found_stalled_and_followed_up_to_the_end(supabase: str) -> None:
    migrate(supabase)
    with connect(supabase) as connection:
        crm = Crm(connection)
        assert crm.due_tenants("deals") == {NORTHWIND}
        stalled = {row["title"] for row in crm.read("get_stalled_deals", NORTHWIND)}
        assert stalled == {"lead 5", "lead 100", "negotiation 100"}
        crm.run("deals")
        assert {action["variables"]["deal"] for action in crm.actions()} == stalled
        crm.read("go_live", NORTHWIND, None, "olive")  # what was suggested is approved
        crm.read("decide_actions", [action["id"] for action in crm.actions()], "approve")
        crm.run_daily("deals", 60)
        # The CRM's own trigger moved updated_at with every step of the fleet; the silence went on all the same.
        [touched] = crm.rows("SELECT updated_at, follow_up_count FROM deals WHERE title = 'lead 100'")
        assert touched["updated_at"] > NOW
        assert touched["follow_up_count"] == 5
        assert crm.templates() == {"deal_follow_up": 30, "deal_handover": 6}


def test_a_counter_of_the_crms_own_that_is_empty_begins_at_nothing(supabase: str) -> None:
    with connect(supabase) as connection:
        connection.execute("ALTER TABLE deals ADD follow_up_count bigint")
        migrate(supabase)
        crm = Crm(connection)
        crm.read("go_live", NORTHWIND, None, "olive")
        crm.run_daily("deals", 60)
        assert crm.templates() == {"deal_follow_up": 30, "deal_handover": 6}


def test_beside_a_crm_the_other_engines_find_their_work_too(supabase: str) -> None:
    migrate(supabase)
    with connect(supabase) as connection:
        crm = Crm(connection)
        now = crm.one("SELECT now() AS now")["now"]
        crm.run("feedback", at=now)
        crm.schedule(NORTHWIND, target_filter={"company_name": "Acme"})
        crm.run("compliance")
        assert crm.templates() == {"feedback_request": 1, "compliance_reminder": 1}


def test_beside_a_crm_what_it_has_is_found_and_explained(supabase: str) -> None:
    migrate(supabase)
    with connect(supabase) as connection:
        crm = Crm(connection)
        connection.execute("ALTER TABLE deals ADD gone text, ADD meaning integer, ADD most text")  # as ours are called
        crm.run("deals")
        for text, kind in (("lead 100", "deal"), ("o-1", "order"), ("ANN@acme.example", "address")):
            [item] = crm.read("explain_find", None, text)
            assert item["kind"] == kind
            assert crm.read("explain_item", *(item[name] for name in ("engine", "tenant_id", "item", "subject")))


def test_beside_a_crm_that_shuts_the_workers_out_they_get_in_and_are_taken_out_again(supabase: str) -> None:
    """Plain PostgreSQL: no grants for service_role, and row-level security that knows nothing of it."""
    with connect(supabase) as connection:
        connection.execute("REVOKE ALL ON deals, clients, contacts, tenants, profiles FROM service_role")
        connection.execute("DROP POLICY service ON deals")
        connection.execute("DROP POLICY service ON contacts")
    before = schema(supabase)
    migrate(supabase)
    with connect(supabase) as connection:
        assert Crm(connection).run("deals").tally.due > 0
        assert check.missing(connection) == []
    rollback(supabase)
    assert schema(supabase) == before


def test_a_table_of_the_same_name_is_left_alone_and_named(supabase: str) -> None:
    with connect(supabase) as connection:
        connection.execute("CREATE TABLE quotes (id uuid PRIMARY KEY)")
    with pytest.raises(FleetError, match="quotes: a relation of the CRM's own"):
        migrate(supabase)
