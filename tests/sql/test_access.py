"""If these fail, somebody may do what nobody wrote down: every object of the catalogue against tests/sql/access.py."""

import json
from contextlib import suppress
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql

from tests.conftest import Servers
from tests.crm import NOW, Crm, days
from tests.sql.access import CLOSED, FUNCTIONS, FUNCTIONS_FOR_ANYONE, FUNCTIONS_OF_INDEXES, USERS, VIEWS
from tests.sql.test_rls import RELATIONS, Company, acting, attempt, contents
from workers.db.session import Connection

PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER", "MAINTAIN")
# Without any privilege of its own, as a role that somebody made for a report.
STRANGER = "fleet_test_stranger"


@pytest.fixture
def stranger(servers: Servers, crm: Crm) -> str:
    # Roles belong to the cluster: another test may have made it.
    with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        crm.execute(sql.SQL("CREATE ROLE {} NOLOGIN").format(sql.Identifier(STRANGER)))
    return STRANGER


def privileges(crm: Crm, role: str, relation: str) -> dict[str, set[str] | None]:
    """What a role may do with a relation: privilege -> its columns, None for all of the row."""
    [row] = crm.rows(
        "SELECT array_agg(p) FILTER (WHERE has_table_privilege(%s, %s, p)) AS whole FROM unnest(%s::text[]) AS p",
        role, relation, [p for p in PRIVILEGES if p != "MAINTAIN" or crm.connection.info.server_version >= 170_000],
    )  # fmt: skip
    found: dict[str, set[str] | None] = dict.fromkeys(row["whole"] or [])
    for row in crm.rows(
        "SELECT p, a.attname AS name FROM pg_attribute AS a, unnest(ARRAY['SELECT', 'INSERT', 'UPDATE']) AS p"
        " WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped"
        " AND has_column_privilege(%s, a.attrelid, a.attnum, p)",
        relation, role,
    ):  # fmt: skip
        columns = found.setdefault(row["p"], set())
        if columns is not None:
            columns.add(row["name"])
    return found


def composed(statement: str) -> sql.Composed:
    return sql.SQL(statement).format()


def expected(text: str) -> dict[str, set[str] | None]:
    found: dict[str, set[str] | None] = {}
    for part in text.replace(") ", ")|").replace("INSERT UPDATE DELETE", "INSERT|UPDATE|DELETE").split("|"):
        name, _, columns = part.strip().partition("(")
        if name:
            found[name] = set(columns.rstrip(")").split()) if columns else None
    return found


def test_every_table_and_view_gives_each_role_exactly_what_is_written_down(crm: Crm, stranger: str) -> None:
    relations = {row["name"] for row in crm.rows(RELATIONS)}
    assert relations == USERS.keys() | VIEWS | CLOSED, "an object nobody thought about, or one that is gone"
    for name in sorted(relations):
        for role in ("anon", stranger):
            assert privileges(crm, role, name) == {}, (role, name)
        wanted = {} if name in CLOSED else expected("SELECT|" + USERS.get(name, ""))
        assert privileges(crm, "authenticated", name) == wanted, name


def test_no_sequence_can_be_set_or_read_by_a_user(crm: Crm, stranger: str) -> None:
    sequences = crm.rows(
        "SELECT oid::regclass::text AS name FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"
    )
    assert len(sequences) >= 4
    for row in sequences:
        for role in ("anon", "authenticated", stranger):
            [may] = crm.rows("SELECT has_sequence_privilege(%s, %s, 'USAGE, SELECT, UPDATE') AS it", role, row["name"])
            assert not may["it"], (role, row["name"])


def test_every_function_is_for_the_workers_alone_unless_it_is_written_down(crm: Crm, stranger: str) -> None:
    rows = crm.rows(
        "SELECT p.proname AS name, r.role FROM pg_proc AS p, unnest(%s::text[]) AS r (role)"
        " WHERE p.pronamespace = 'public'::regnamespace AND has_function_privilege(r.role, p.oid, 'EXECUTE')",
        ["anon", "authenticated", stranger],
    )
    may = {role: {row["name"] for row in rows if row["role"] == role} for role in ("anon", "authenticated", stranger)}
    assert may == {
        "anon": FUNCTIONS_FOR_ANYONE | FUNCTIONS_OF_INDEXES, "authenticated": FUNCTIONS, stranger: FUNCTIONS_OF_INDEXES,
    }  # fmt: skip


def test_no_type_of_its_own_and_no_trigger_that_a_user_could_fire_by_hand(crm: Crm) -> None:
    types = crm.rows(
        "SELECT t.typname AS name FROM pg_type AS t"
        " WHERE t.typnamespace = 'public'::regnamespace AND t.typcategory <> 'A'"
        " AND NOT EXISTS (SELECT FROM pg_class AS c WHERE c.oid = t.typrelid AND c.relkind <> 'c')"
    )
    assert types == [], "a type that everybody may use"
    callable_triggers = crm.rows(
        "SELECT p.proname AS name FROM pg_proc AS p WHERE p.pronamespace = 'public'::regnamespace"
        " AND p.prorettype = 'trigger'::regtype AND (has_function_privilege('authenticated', p.oid, 'EXECUTE')"
        " OR has_function_privilege('anon', p.oid, 'EXECUTE'))"
    )
    assert callable_triggers == []


def test_the_workers_role_may_do_its_work_everywhere_and_own_nothing(crm: Crm) -> None:
    rows = crm.rows(
        "SELECT c.relname AS name, pg_get_userbyid(c.relowner) AS owner,"
        " has_table_privilege('service_role', c.oid, 'SELECT') AS reads FROM pg_class AS c"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v')"
    )
    owners_alone = {"fleet_core_additions", "fleet_migration_history", "migration_history"}
    assert {row["name"] for row in rows if not row["reads"]} <= owners_alone
    assert [row["name"] for row in rows if row["owner"] == "service_role"] == []


CLAIMS = {
    "none": "", "empty": "{}", "malformed": "{", "a text": '"sub"', "a list": '["sub"]', "no uuid": '{"sub": "admin"}',
    "nobody": json.dumps({"sub": str(uuid4())}), "a number": '{"sub": 7}', "null": '{"sub": null}',
    "an object": '{"sub": {"id": 1}}',
}  # fmt: skip


def claiming(connection: Connection, role: str, claims: str) -> None:
    connection.execute(
        "SELECT set_config('request.jwt.claims', %s, true), set_config('role', %s, true)", [claims, role]
    )


@pytest.mark.parametrize("role", ["authenticated", "anon"])
@pytest.mark.parametrize("claims", CLAIMS.values(), ids=CLAIMS)
def test_whatever_a_claim_looks_like_it_opens_nothing_that_is_not_its_own(
    crm: Crm, ours: Company, role: str, claims: str
) -> None:
    before = contents(crm)
    opened = []
    with crm.connection.transaction(force_rollback=True):
        claiming(crm.connection, role, claims)
        for relation in crm.rows(RELATIONS):
            name = sql.Identifier(relation["name"])
            for statement in ("SELECT * FROM {}", "DELETE FROM {} RETURNING 1", "LOCK TABLE {} IN EXCLUSIVE MODE"):
                found = attempt(crm.connection, sql.SQL(statement).format(name))
                if isinstance(found, list) and (found or ("LOCK" in statement and role == "anon")):
                    opened.append((relation["name"], statement))
    assert opened == []
    assert contents(crm) == before


def test_the_claim_of_a_profile_that_was_deleted_opens_nothing(crm: Crm, ours: Company) -> None:
    leaver = crm.profile(ours.tenant, email="leaver@ours.example")
    crm.execute("DELETE FROM profiles WHERE id = %s", leaver)
    with acting(crm.connection, "authenticated", leaver):
        assert crm.rows("SELECT * FROM deals") == []


def test_a_crm_goes_on_writing_whatever_the_claim_of_its_session_looks_like(crm: Crm, ours: Company) -> None:
    for claims in CLAIMS.values():
        with crm.connection.transaction(force_rollback=True):
            crm.connection.execute("SELECT set_config('request.jwt.claims', %s, true)", [claims])
            crm.connection.execute("UPDATE deals SET stage = 'negotiation'")


@pytest.mark.parametrize(
    "reference",
    [
        ("quotes", "client_id", "client"), ("quotes", "contact_id", "contact"), ("quotes", "deal_id", "deal"),
        ("feedback_requests", "contact_id", "contact"), ("contact_enrichment_queue", "contact_id", "contact"),
        ("opportunity_signals", "client_id", "client"), ("opportunity_signals", "contact_id", "contact"),
        ("quote_activities", "quote_id", "quote"), ("quote_outcomes", "quote_id", "quote"),
        ("compliance_checks", "schedule_id", "schedule"), ("merge_decisions", "queue_id", "queue"),
        ("deal_stage_history", "deal_id", "deal"),
    ],
)  # fmt: skip
def test_a_reference_to_another_tenants_row_is_refused_where_it_is_written_and_tells_nothing(
    crm: Crm, ours: Company, theirs: Company, reference: tuple[str, str, str]
) -> None:
    table, column, kind = reference
    statement = sql.SQL("UPDATE {} SET {} = %s WHERE tenant_id = %s").format(
        sql.Identifier(table), sql.Identifier(column)
    )
    said = set()
    for target in (theirs.named[kind], uuid4()):
        with pytest.raises(psycopg.errors.ForeignKeyViolation) as refusal:
            crm.execute(statement, target, ours.tenant)
        said.add(str(refusal.value).replace(str(target), "ID"))
    # In the same words whether it exists or not: a key is no oracle.
    assert len(said) == 1
    assert str(theirs.tenant) not in said.pop()


def test_a_user_cannot_route_another_tenants_mail_to_the_own_inbox_nor_speak_in_its_name(
    crm: Crm, ours: Company
) -> None:
    for statement in (
        "INSERT INTO tenant_mailboxes SELECT 'care@theirs.example', tenant_id FROM tenant_delivery",
        "UPDATE tenant_mailboxes SET address = '@theirs.example'",
        "UPDATE tenant_delivery SET from_address = 'care@theirs.example'",
    ):
        with acting(crm.connection, "authenticated", ours.user):
            assert attempt(crm.connection, composed(statement)) == "InsufficientPrivilege"


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ("care@b.example", "care@b.example", "belongs to another tenant's mail|already exists"),
        ("@b.example", "care@b.example", "belongs to another tenant's mail"),
        ("care@b.example", "@b.example", "belongs to another tenant's mail"),
        (None, "@gmail.com", "everybody can have an address at gmail.com"),
        (None, "@GMX.de", "everybody can have an address at gmx.de|address = lower"),
    ],
)
def test_one_address_or_domain_is_one_tenants_even_for_the_operator(
    crm: Crm, first: str | None, second: str, words: str
) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    if first:
        crm.execute("INSERT INTO tenant_mailboxes VALUES (%s, %s)", first, theirs)
    with pytest.raises(psycopg.errors.IntegrityError, match=words):
        crm.execute("INSERT INTO tenant_mailboxes VALUES (%s, %s)", second, ours)


def test_a_sender_cannot_be_another_tenants_mailbox(crm: Crm) -> None:
    ours, theirs = crm.tenant(), crm.tenant()
    crm.execute("INSERT INTO tenant_mailboxes VALUES ('@b.example', %s)", theirs)
    with pytest.raises(psycopg.errors.UniqueViolation, match="belongs to another tenant's mail"):
        crm.execute("INSERT INTO tenant_delivery (tenant_id, from_address) VALUES (%s, 'B <care@b.example>')", ours)
    crm.execute("INSERT INTO tenant_delivery (tenant_id, from_address) VALUES (%s, 'B <care@b.example>')", theirs)
    crm.execute("INSERT INTO tenant_mailboxes VALUES ('ann@gmail.com', %s)", ours)


def test_what_was_sent_decided_or_recorded_stays_as_it_is(crm: Crm, ours: Company) -> None:
    with acting(crm.connection, "authenticated", ours.user):
        for statement in (
            "UPDATE suppressions SET address = 'other@acme.example'", "DELETE FROM suppressions",
            "UPDATE deal_stage_history SET to_stage = 'won'", "INSERT INTO quote_outcomes SELECT * FROM quote_outcomes",
            "UPDATE quote_outcomes SET our_amount = 1", "DELETE FROM quote_activities",
            "UPDATE quote_counters SET last_number = 7", "UPDATE feedback_requests SET sentiment = 'positive'",
            "UPDATE compliance_checks SET status = 'completed'", "DELETE FROM compliance_checks",
            "DELETE FROM inbound_messages", "DELETE FROM operator_stops", "UPDATE tenant_quotas SET messages = 1000000",
        ):  # fmt: skip
            assert attempt(crm.connection, composed(statement)) == "InsufficientPrivilege", statement
        words: Any = sql.SQL(
            "INSERT INTO quote_activities (tenant_id, quote_id, activity_type) SELECT tenant_id, id, {} FROM quotes"
        )
        assert attempt(crm.connection, words.format("outcome")) == "InsufficientPrivilege"
        assert len(attempt(crm.connection, words.format("call"))) == 2
        # A quote that was sent stays, and so does its history.
        assert attempt(crm.connection, composed("DELETE FROM quotes RETURNING 1")) == []


def test_the_operators_stop_wins_over_the_tenants_wish(crm: Crm, ours: Company) -> None:
    crm.deal(ours.tenant, contact_id=crm.contact(ours.tenant), last_activity_at=NOW - days(40))
    crm.read("stop_tenant", ours.tenant, "deals", "complaints", "olive")
    with acting(crm.connection, "authenticated", ours.user):
        crm.connection.execute("UPDATE engine_settings SET mode = 'automatic'")
    assert ours.tenant not in crm.due_tenants("deals")
    assert crm.run("deals").tally.acted == {}

    crm.read("stop_tenant", ours.tenant, None, "all of it", "olive")
    assert ours.tenant not in crm.due_tenants("quotes")
    assert crm.read("claim_emails", "one", "1 minute", 50, 10, None) == []

    assert crm.read("resume_tenant", ours.tenant, None)[0]["resume_tenant"] is True
    assert crm.read("resume_tenant", ours.tenant, "deals")[0]["resume_tenant"] is True
    assert crm.read("resume_tenant", ours.tenant, "deals")[0]["resume_tenant"] is False
    assert crm.run("deals").tally.acted
