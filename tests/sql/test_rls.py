"""Who cannot see and change what: asked of the catalogue, so that what is added later is asked too."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from tests.crm import NOW, Crm, days
from tests.sql.access import CLOSED, FUNCTIONS_FOR_ANYONE, FUNCTIONS_OF_INDEXES
from workers.db.session import Connection

# Everything in public that a user can name.
RELATIONS = (
    "SELECT c.relname AS name, c.relkind AS kind, c.relrowsecurity AS rls, c.reloptions AS options FROM pg_class c"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') ORDER BY 1"
)
FUNCTIONS = (
    "SELECT p.oid, p.proname AS name, p.proargtypes::oid[]::regtype[]::text[] AS types, p.pronargdefaults AS defaults,"
    " p.proconfig AS config, p.prorettype = 'trigger'::regtype AS is_trigger, p.proacl::text[] AS grants,"
    " has_function_privilege('authenticated', p.oid, 'EXECUTE') AS for_users,"
    " has_function_privilege('anon', p.oid, 'EXECUTE') AS for_anyone"
    " FROM pg_proc p WHERE p.pronamespace = 'public'::regnamespace ORDER BY 2"
)


@contextmanager
def acting(connection: Connection, role: str, subject: UUID | None = None) -> Iterator[None]:
    """Act as a database role with the claim of a request, and take everything back afterwards."""
    claims = json.dumps({"sub": str(subject), "role": role}) if subject else ""
    with connection.transaction(force_rollback=True):
        connection.execute(
            "SELECT set_config('request.jwt.claims', %s, true), set_config('role', %s, true),"
            " set_config('fleet.now', %s, true)",
            [claims, role, NOW.isoformat()],
        )
        yield


def attempt(connection: Connection, statement: sql.Composed, *parameters: Any) -> list[dict[str, Any]] | str:
    """Return what a statement yields, or the name of the error it ends in; nothing of it stays."""
    try:
        with connection.transaction(force_rollback=True):
            cursor = connection.execute(statement, parameters)
            return cursor.fetchall() if cursor.description else [{}] * cursor.rowcount
    except psycopg.Error as error:
        return type(error).__name__


@dataclass(frozen=True)
class Company:
    """A tenant that has at least one row in every table, and one of its users."""

    tenant: UUID
    user: UUID
    ids: dict[str, list[UUID]]
    named: dict[str, UUID]


def company(crm: Crm, name: str) -> Company:
    tenant = crm.tenant(name)
    user = crm.profile(tenant, email=f"user@{name}.example", role="admin")
    client = crm.client(tenant, company_name=name, owner_id=user)
    contact = crm.contact(tenant, client)
    vendor = crm.insert("vendors", tenant_id=tenant, company_name=name)
    order = crm.order(tenant, client_id=client, contact_id=contact, delivered_at=NOW - days(7))
    deal = crm.deal(tenant, client_id=client, contact_id=contact, created_at=NOW - days(40))
    crm.update("deals", deal, stage="qualified")
    crm.execute("UPDATE deals SET last_activity_at = %s WHERE id = %s", NOW - days(30), deal)
    quote = crm.quote(tenant, client_id=client, contact_id=contact, deal_id=deal)
    decided = crm.quote(tenant, client_id=client, deal_id=deal)
    crm.one("SELECT record_quote_outcome(%s, 'lost', 'price', '{}', 'Rival', 90)", decided)
    schedule = crm.schedule(tenant)
    check = crm.check(tenant, client)
    queue = crm.enrichment(tenant, contact_id=contact)
    signal = crm.insert(
        "opportunity_signals", tenant_id=tenant, source_type="email", source_id=uuid4(), signal_type="renewal",
        signal_strength=0.9,
    )  # fmt: skip
    crm.insert("cases", tenant_id=tenant, title="Broken")
    crm.insert("tasks", tenant_id=tenant, title="Call")
    for engine in ("deals", "quotes", "compliance", "feedback"):
        crm.mode(tenant, engine, "automatic")
    crm.execute("INSERT INTO tenant_calendar (tenant_id) VALUES (%s)", tenant)
    crm.execute("INSERT INTO tenant_delivery (tenant_id) VALUES (%s)", tenant)
    crm.execute("INSERT INTO tenant_timetable VALUES (%s, 'deals', '0 6 * * *')", tenant)
    crm.execute("INSERT INTO tenant_letters (tenant_id) VALUES (%s)", tenant)
    crm.one("SELECT save_template(%s, 'deal_follow_up', 'en', 'Hello', 'us')", tenant)
    crm.execute("INSERT INTO suppressions VALUES (%s, 'no@acme.example', 'asked')", tenant)
    crm.one("SELECT add_webhook(%s, %s, '{action.created}', 'whsec_never', 'us')", tenant, f"https://{name}.example")
    crm.execute(
        "INSERT INTO forwarded_mail VALUES (%s, %s, '')", crm.action(tenant, status="sent", sent_at=NOW), tenant
    )
    crm.execute("INSERT INTO tenant_mailboxes VALUES (%s, %s)", f"care@{name}.example", tenant)
    mail = {"message_id": "<1@acme.example>", "raw_size": 1, "kind": "message", "received_at": NOW}
    message = crm.insert("inbound_messages", tenant_id=tenant, contact_id=contact, client_id=client, **mail)
    crm.execute("INSERT INTO crm_words VALUES (%s, 'deal_stage', 'pitched', 'open')", tenant)
    crm.read("pause_matter", tenant, "no@acme.example", None, NOW + days(90), "us", None)
    crm.insert(
        "delivery_failures", tenant_id=tenant, address="no@acme.example", whose="moment", cause="full", failed_at=NOW
    )
    crm.execute("INSERT INTO tenant_quotas VALUES (%s, 10, 10, 10, 10, 10)", tenant)
    crm.execute(
        "INSERT INTO operator_stops (tenant_id, engine, reason, stopped_by) VALUES (%s, 'feedback', 'asked', 'us')",
        tenant,
    )
    crm.execute("INSERT INTO provider_usage VALUES (%s, 'apollo', %s, 1)", tenant, NOW)
    crm.read("note_console", tenant, None, f"user@{name}.example", "signs in", None, "127.0.0.1")
    crm.read("add_suppression", tenant, "never@acme.example", None, "us", "asked by phone")  # notes a decision
    crm.execute(
        "INSERT INTO merge_decisions (tenant_id, queue_id, contact_id, field, proposed, decision, decided_at)"
        " VALUES (%s, %s, %s, 'title', 'CTO', 'rejected', %s)",
        tenant, queue, contact, NOW,
    )  # fmt: skip
    return Company(
        tenant,
        user,
        {
            "tenant": [tenant], "quote": [quote, decided], "schedule": [schedule], "check": [check], "deal": [deal],
            "other": [client, contact, vendor, order, queue, signal, user, message],
        },
        {"client": client, "contact": contact, "deal": deal, "quote": quote, "schedule": schedule, "queue": queue},
    )  # fmt: skip


def contents(crm: Crm) -> dict[str, list[str]]:
    """Return every row of every table, as text."""
    return {
        row["name"]: [
            r["row"]
            for r in crm.connection.execute(
                sql.SQL("SELECT t::text AS row FROM {} AS t ORDER BY 1").format(sql.Identifier(row["name"]))
            )
        ]
        for row in crm.rows(RELATIONS)
        if row["kind"] in "rp"
    }


def columns(crm: Crm, table: str) -> list[str]:
    rows = crm.rows(
        "SELECT attname AS name FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        " AND NOT attisdropped AND attgenerated = '' AND attidentity = '' ORDER BY attnum",
        table,
    )
    return [row["name"] for row in rows]


def test_every_table_has_row_level_security_and_every_view_looks_through_the_callers_eyes(crm: Crm) -> None:
    rows = crm.rows(RELATIONS)
    assert [row["name"] for row in rows if row["kind"] in "rp" and not row["rls"]] == []
    views = [row for row in rows if row["kind"] == "v"]
    assert len(views) >= 4
    assert [row["name"] for row in views if "security_invoker=true" not in (row["options"] or [])] == []
    assert [row["name"] for row in rows if row["kind"] == "m"] == [], "a materialized view knows no policies"


# PostgreSQL inlines them into functions that pin theirs; by themselves they name what they read in full.
INLINED = {
    "reachable_contact", "folded_word", "has_decided_quote", "days_later", "folded_mailbox", "mailbox_is_full",
    "fingerprint_of", "suppression_of", "fleet_now", "crm_instant", "is_gone", "is_over", "open_cases",
    "mails_since", "away_until", "room_in_mailbox", "letters_to", "own_templates",
}  # fmt: skip


def test_every_function_pins_its_search_path_and_none_is_for_everyone(crm: Crm) -> None:
    rows = crm.rows(FUNCTIONS)
    assert len(rows) > 40
    loose = [row["name"] for row in rows if "search_path=public, pg_temp" not in (row["config"] or [])]
    assert set(loose) == INLINED
    public = [row["name"] for row in rows if row["grants"] is None or any(g.startswith("=") for g in row["grants"])]
    assert set(public) == FUNCTIONS_OF_INDEXES, "what indexes call, and tells nothing"
    assert {row["name"] for row in rows if row["for_anyone"]} <= FUNCTIONS_FOR_ANYONE | FUNCTIONS_OF_INDEXES
    assert [row["name"] for row in rows if row["is_trigger"] and row["for_users"]] == []


def test_a_user_reads_the_own_tenants_rows_and_none_of_another(crm: Crm, ours: Company, theirs: Company) -> None:
    foreign = {str(theirs.tenant), *(str(id) for ids in theirs.ids.values() for id in ids), "theirs"}  # noqa: A001
    seen = {}
    with acting(crm.connection, "authenticated", ours.user):
        for relation in crm.rows(RELATIONS):
            name = relation["name"]
            found = attempt(crm.connection, sql.SQL("SELECT * FROM {}").format(sql.Identifier(name)))
            if found != "InsufficientPrivilege":
                seen[name] = len(found)
                assert not [value for value in foreign if value in str(found)], name
    own = {row["name"] for row in crm.rows(RELATIONS)} - CLOSED
    assert own - seen.keys() == set(), "refused where the user's own rows are"
    assert {name for name in own if seen[name] == 0} == set(), "empty where the user's own rows are"
    assert {name for name in CLOSED if seen.get(name, 0)} == set()


def test_a_user_changes_nothing_of_another_tenant_in_any_table(crm: Crm, ours: Company, theirs: Company) -> None:
    before = contents(crm)
    changed = []
    with acting(crm.connection, "authenticated", ours.user):
        for table in before:
            name = sql.Identifier(table)
            key = sql.Identifier("id" if table == "tenants" else "tenant_id")
            for statement in (
                sql.SQL("UPDATE {} SET {} = {} WHERE {} = {} RETURNING 1"),
                sql.SQL("DELETE FROM {} WHERE {} = {} RETURNING 1"),
            ):
                parts = [name, key, key, key] if "UPDATE" in statement.as_string() else [name, key]
                found = attempt(crm.connection, statement.format(*parts, sql.Literal(theirs.tenant)))
                if isinstance(found, list) and found:
                    changed.append((table, statement.as_string()))
            # What is ours cannot be handed over, nor a row of theirs be written.
            moved = attempt(
                crm.connection,
                sql.SQL("UPDATE {} SET {} = {} RETURNING 1").format(name, key, sql.Literal(theirs.tenant)),
            )
            if isinstance(moved, list) and moved:
                changed.append((table, "handed over"))
    assert changed == []
    assert contents(crm) == before


def test_a_user_cannot_insert_a_row_for_another_tenant(crm: Crm, ours: Company, theirs: Company) -> None:
    tables = [row["name"] for row in crm.rows(RELATIONS) if row["kind"] in "rp"]
    accepted, tried = [], set()
    for table in tables:
        names = columns(crm, table)
        if "tenant_id" not in names:
            continue
        target, listed = sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, names))
        # A perfectly good row: one of theirs, removed first so that no unique key stands in the way.
        with crm.connection.transaction(force_rollback=True):
            crm.connection.execute("SET LOCAL session_replication_role = replica")
            crm.connection.execute(
                sql.SQL("CREATE TEMP TABLE good AS SELECT * FROM {} WHERE tenant_id = {}").format(
                    target, sql.Literal(theirs.tenant)
                )
            )
            crm.connection.execute(sql.SQL("DELETE FROM {} WHERE tenant_id = %s").format(target), [theirs.tenant])
            crm.connection.execute("GRANT SELECT ON good TO authenticated")
            crm.connection.execute("SET LOCAL session_replication_role = origin")
            crm.connection.execute(
                "SELECT set_config('request.jwt.claims', %s, true), set_config('role', 'authenticated', true)",
                [json.dumps({"sub": str(ours.user)})],
            )
            insert = sql.SQL("INSERT INTO {} ({}) SELECT {} FROM good").format(target, listed, listed)
            outcome = attempt(crm.connection, insert)
            if outcome != "InsufficientPrivilege":
                accepted.append((table, outcome))
            tried.add(table)
    assert accepted == []
    assert {"quotes", "deals", "scheduled_actions", "tenant_delivery", "feedback_requests"} <= tried


@pytest.mark.parametrize("role", ["authenticated", "anon"])
def test_without_a_claim_there_is_nothing_at_all(crm: Crm, ours: Company, role: str) -> None:
    with acting(crm.connection, role):
        for relation in crm.rows(RELATIONS):
            name = sql.Identifier(relation["name"])
            assert attempt(crm.connection, sql.SQL("SELECT * FROM {}").format(name)) in (
                [], "InsufficientPrivilege",
            ), relation["name"]  # fmt: skip
            assert attempt(crm.connection, sql.SQL("DELETE FROM {}").format(name)) in (
                [], "InsufficientPrivilege", "ObjectNotInPrerequisiteState",
            ), relation["name"]  # fmt: skip


@pytest.mark.parametrize("subject", [uuid4(), None])
def test_a_claim_that_names_nobody_opens_nothing(crm: Crm, ours: Company, subject: UUID | None) -> None:
    with acting(crm.connection, "authenticated", subject):
        assert crm.rows("SELECT * FROM deals") == []
        assert crm.rows("SELECT current_tenant_id() AS tenant") == [{"tenant": None}]


def arguments(types: list[str], defaults: int, target: Company) -> Iterator[list[Any]]:
    """Yield the ways to call a function with each of another tenant's ids."""
    samples: dict[str, Any] = {
        "integer": 100, "text": "lost", "jsonb": "{}", "numeric": 1, "text[]": ["x"], "timestamp with time zone": NOW,
        "bigint": 1, "bigint[]": [1], "interval": "1 hour", "bytea": bytes(32),
    }  # fmt: skip
    required = types[: len(types) - defaults] or types
    for id in {id for ids in target.ids.values() for id in ids}:  # noqa: A001
        yield [id if kind == "uuid" else samples[kind] for kind in required]


def test_no_function_a_user_may_call_gives_away_or_changes_anything_of_another_tenant(
    crm: Crm, ours: Company, theirs: Company
) -> None:
    before = contents(crm)
    foreign = {str(theirs.tenant), *(str(id) for ids in theirs.ids.values() for id in ids), "theirs"}  # noqa: A001
    called = set()
    for function in crm.rows(FUNCTIONS):
        if not function["for_users"] or "uuid" not in function["types"]:
            continue
        called.add(function["name"])
        for values in arguments(function["types"], function["defaults"], theirs):
            with acting(crm.connection, "authenticated", ours.user):
                statement = sql.SQL("SELECT * FROM {}({})").format(
                    sql.Identifier(function["name"]), sql.SQL(", ").join(sql.Placeholder() * len(values))
                )
                result = attempt(crm.connection, statement, *values)
            assert not [value for value in foreign if value in str(result)], (function["name"], values)
    assert {"get_stalled_deals", "send_quote", "generate_quote_number", "waive_compliance_check"} <= called
    assert contents(crm) == before


@pytest.mark.parametrize(
    "call",
    [
        "SELECT send_quote(%(quote)s)", "SELECT record_quote_view(%(quote)s)",
        "SELECT record_quote_outcome(%(quote)s, 'won')", "SELECT generate_quote_number(%(tenant)s)",
        "SELECT waive_compliance_check(%(check)s, 'because')", "SELECT advance_compliance_schedule(%(schedule)s)",
        "SELECT create_compliance_checks_from_schedule(%(schedule)s)",
    ],
)  # fmt: skip
def test_what_a_user_may_call_works_on_the_own_rows_and_is_refused_on_others(
    crm: Crm, ours: Company, theirs: Company, call: str
) -> None:
    crm.execute("UPDATE quotes SET status = 'draft' WHERE outcome IS NULL AND %s", "send" in call)
    before = contents(crm)
    for target, refused in ((ours, False), (theirs, True)):
        ids = {name: target.ids[name][0] for name in ("quote", "tenant", "check", "schedule")}
        with acting(crm.connection, "authenticated", ours.user):
            if refused:
                with pytest.raises((psycopg.errors.NoDataFound, psycopg.errors.InsufficientPrivilege)):
                    crm.connection.execute(call, ids)
            else:
                crm.connection.execute(call, ids)
    assert contents(crm) == before


@pytest.mark.parametrize(
    "call",
    [
        "SELECT * FROM run_deals_batch(%s, 10, NULL)", "SELECT due_tenants('deals') WHERE %s IS NOT NULL",
        "SELECT * FROM claim_emails('me', '1 hour', 10, 10, %s)", "SELECT * FROM claim_enrichment(%s, 10)",
        "SELECT decide_actions('{1}', 'approve') WHERE %s IS NOT NULL",
    ],
)  # fmt: skip
def test_the_workers_functions_are_not_for_users(crm: Crm, ours: Company, call: str) -> None:
    with (
        acting(crm.connection, "authenticated", ours.user),
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        crm.connection.execute(call, [ours.tenant])


def test_a_user_cannot_write_into_the_outbox_directly(crm: Crm, ours: Company) -> None:
    with (
        acting(crm.connection, "authenticated", ours.user),
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        crm.connection.execute("UPDATE scheduled_actions SET recipient = 'me@evil.example'")


def test_the_tenant_is_looked_up_once_per_statement_not_once_per_row(crm: Crm, ours: Company) -> None:
    tables = [
        row["name"]
        for row in crm.rows("SELECT DISTINCT tablename AS name FROM pg_policies WHERE policyname = 'fleet_own_tenant'")
    ]
    assert len(tables) >= 20
    per_row = []
    with acting(crm.connection, "authenticated", ours.user):
        for table in tables:
            plan = crm.connection.execute(
                sql.SQL("EXPLAIN (VERBOSE, COSTS OFF) SELECT 1 FROM {}").format(sql.Identifier(table))
            ).fetchall()
            lines = [row["QUERY PLAN"].strip() for row in plan]
            filters = [line for line in lines if line.startswith(("Filter:", "Index Cond:", "Recheck Cond:"))]
            if not any("InitPlan" in line for line in lines) or any("current_tenant_id" in f for f in filters):
                per_row.append((table, lines))
    assert per_row == []


def test_a_user_who_writes_an_order_sets_off_the_feedback_it_deserves(crm: Crm, ours: Company) -> None:
    with acting(crm.connection, "authenticated", ours.user):
        crm.connection.execute(
            "INSERT INTO orders (tenant_id, order_number, delivered_at) VALUES (%s, 'O-2', now())",
            [ours.tenant],
        )
        crm.connection.execute("UPDATE deals SET stage = 'proposal'")
        crm.connection.execute("UPDATE deal_stage_config SET max_days_before_stale = 9 WHERE stage = 'proposal'")
        queued = crm.connection.execute("SELECT FROM feedback_requests").fetchall()
        history = crm.connection.execute("SELECT changed_by FROM deal_stage_history WHERE to_stage = 'proposal'")
        assert len(queued) == 2
        assert [row["changed_by"] for row in history] == [ours.user]


def test_a_stricter_policy_of_a_crms_own_hides_its_stalled_deals_here_too(crm: Crm) -> None:
    tenant = crm.tenant()
    user = crm.profile(tenant, email="rep@northwind.example")
    own = crm.deal(tenant, owner_id=user)
    crm.deal(tenant)
    crm.execute(
        "CREATE POLICY own_deals ON deals AS RESTRICTIVE FOR SELECT TO authenticated USING (owner_id = auth.uid())"
    )
    with acting(crm.connection, "authenticated", user):
        seen = crm.connection.execute("SELECT deal_id FROM get_stalled_deals(%s)", [tenant]).fetchall()
    assert seen == [{"deal_id": own}]
