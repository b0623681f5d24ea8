"""Plans: a read or a claim costs what it returns, not what the tenant has.

Every tenant here comes in two sizes, and the big one may not cost noticeably more pages than the small one.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.conftest import TEMPLATE, Servers, _database
from tests.crm import NOW, WORKED, Crm
from workers import clock
from workers.db.session import Connection, connect, transaction

SMALL, BIG = 2_000, 20_000
READS = {
    "get_stalled_deals(%(tenant)s, 20)": "deals",
    "get_quotes_needing_followup(%(tenant)s, 20)": "quotes",
    "get_compliance_due(%(tenant)s, 20)": "compliance_checks",
    "get_feedback_due(%(tenant)s, 20)": "feedback_requests",
    "get_pending_enrichment(%(tenant)s, 20)": "contact_enrichment_queue",
    "get_unactioned_signals(%(tenant)s, 20)": "opportunity_signals",
    "console_trail(%(tenant)s, '{}', 20)": "console_audit",
    "console_trail(%(tenant)s, jsonb_build_object('who', %(tenant)s::text), 20)": "console_audit",
}
CLAIMS = {
    "run_deals_batch(%(tenant)s, 20, NULL)": "deals",
    "run_quotes_batch(%(tenant)s, 20, NULL)": "quotes",
    "run_compliance_batch(%(tenant)s, 20, NULL)": "compliance_checks",
    "run_feedback_batch(%(tenant)s, 20, NULL)": "feedback_requests",
    "claim_enrichment(%(tenant)s, 20)": "contact_enrichment_queue",
    "claim_emails('me', '1 minute', 20, 20, %(before)s)": "scheduled_actions",
}

EXPLANATIONS = {
    "explain_find(%(tenant)s, 'd77')": "deals",
    "explain_find(%(tenant)s, 'q77')": "quotes",
    "explain_find(%(tenant)s, 'o77')": "orders",
    "explain_find(%(tenant)s, 'c77@acme.example')": "contacts",
    "explain_find(%(tenant)s, 'd77') AS f, explain_item(f.engine, f.tenant_id, f.item, f.subject)": "scheduled_actions",
    "explain_find(%(tenant)s, 'q77') AS f, explain_item(f.engine, f.tenant_id, f.item, f.subject)": "scheduled_actions",
    "explain_find(%(tenant)s, 'o77') AS f, explain_item(f.engine, f.tenant_id, f.item, f.subject)": "feedback_requests",
    "explain_item(NULL, %(tenant)s, 'c77@acme.example', NULL)": "scheduled_actions",
}


TENANTS = {
    name: UUID(int=number)
    for number, name in enumerate(("calm small", "calm big", "backlog small", "backlog big"), start=1)
}


def fill(connection: Connection, file: str, **values: object) -> None:
    """Insert rows as they are, without the triggers and keys that would only cost time here."""
    text = Path(__file__).with_name(file).read_bytes()
    with connection.transaction(), psycopg.ClientCursor(connection) as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(text, {"now": NOW, **values})


@dataclass(frozen=True)
class Cost:
    """What a call touched: pages of everything, rows of each table, and whole scans of the one that is big."""

    returned: int
    pages: int
    rows: int
    all_rows: dict[str, int]
    scans: int


def cost(connection: Connection, call: str, tenant: UUID, table: str, user: UUID | None = None) -> Cost:
    """Return what a call costs in a session of the workers, or of a user.

    Its first plans are made for their parameters, the later ones for any.
    """
    values = {"tenant": tenant, "before": UUID(int=tenant.int - 1)}
    statement = f"SELECT * FROM {call}"  # noqa: S608  # a constant of this file
    read = "SELECT relname, seq_scan, seq_tup_read + coalesce(idx_tup_fetch, 0) AS rows FROM pg_stat_xact_user_tables"
    costs = []
    for _ in range(9):
        with clock.at(NOW), transaction(connection, force_rollback=True):
            if user is not None:
                become = "SELECT set_config('request.jwt.claims', %s, true), set_config('role', 'authenticated', true)"
                connection.execute(become, [json.dumps({"sub": str(user)})])
            before = {row["relname"]: row for row in connection.execute(read).fetchall()}
            [plan] = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {statement}", values).fetchall()
            after = {row["relname"]: row for row in connection.execute(read).fetchall()}
        root = plan["QUERY PLAN"][0]["Plan"]
        read_of = {name: row["rows"] - before[name]["rows"] for name, row in after.items()}
        costs.append(
            Cost(
                int(root["Actual Rows"]),
                root["Shared Hit Blocks"] + root["Shared Read Blocks"],
                read_of[table],
                {name: rows for name, rows in read_of.items() if rows},
                after[table]["seq_scan"] - before[table]["seq_scan"],
            )
        )

    # Making a plan reads the catalogue, and dead rows at the ends of indexes: the first call does, the sixth, which
    # makes the general one, and any before which an autovacuum came by. So the cheapest with either plan counts.
    def dear(one: Cost) -> int:
        return one.pages + one.rows + 1000 * one.scans

    return max(min(costs[1:5], key=dear), min(costs[6:], key=dear), key=dear)


@pytest.fixture(scope="module")
def crowded(servers: Servers) -> Iterator[Connection]:
    """A database in which one tenant of each kind has ten times as many rows as the other."""
    for url in _database(servers, TEMPLATE):
        with connect(url) as connection:
            for name, tenant in TENANTS.items():
                fill(connection, "plans_tenant.sql", tenant=str(tenant), n=BIG if "big" in name else SMALL)
                if "backlog" in name:
                    fill(connection, "plans_backlog.sql", tenant=str(tenant))
            connection.execute("VACUUM ANALYZE")
            yield connection


@pytest.mark.parametrize("state", ["calm", "backlog"])
@pytest.mark.parametrize("calls", [READS, CLAIMS], ids=["reads", "claims"])
def test_a_call_costs_what_it_returns_not_what_the_tenant_has(
    crowded: Connection, state: str, calls: dict[str, str]
) -> None:
    for call, table in calls.items():
        small, big = (cost(crowded, call, TENANTS[f"{state} {size}"], table) for size in ("small", "big"))
        assert big.pages <= 2 * small.pages + 100, (call, small, big)
        assert big.rows <= 200, (call, big)
        assert sum(big.all_rows.values()) <= 600, (call, big)
        assert big.scans == 0, (call, big)
        if calls is READS:
            assert big.returned == 20, (call, big)


def test_a_users_read_costs_what_it_returns_although_row_level_security_looks_at_each_row(crowded: Connection) -> None:
    for call, table in READS.items():
        costs = []
        for size in ("small", "big"):
            tenant = TENANTS[f"backlog {size}"]
            [user] = crowded.execute(
                "INSERT INTO profiles (tenant_id, role) VALUES (%s, 'admin') RETURNING id", [tenant]
            ).fetchall()
            costs.append(cost(crowded, call, tenant, table, user["id"]))
        small, big = costs
        assert big.pages <= 2 * small.pages + 100, (call, small, big)
        assert (big.returned, big.rows <= 200, big.scans) == (20, True, 0), (call, big)


@pytest.fixture(scope="module")
def quiet(servers: Servers) -> Iterator[Connection]:
    """A database with thousands of tenants, in which much waits and nothing is due."""
    for url in _database(servers, TEMPLATE):
        with connect(url) as connection:
            fill(connection, "plans_quiet.sql")
            connection.execute("VACUUM ANALYZE")
            yield connection


@pytest.mark.parametrize("engine", WORKED)
def test_finding_that_nothing_is_due_costs_next_to_nothing_however_many_tenants(quiet: Connection, engine: str) -> None:
    found = cost(quiet, f"due_tenants('{engine}')", UUID(int=1), WORKED[engine])
    assert (found.returned, found.rows, found.scans) == (0, 0, 0)
    assert found.pages <= 45, found  # planning reads the root of every index


def test_finding_the_tenants_with_due_work_costs_what_is_due(quiet: Connection) -> None:
    with quiet.transaction(force_rollback=True):
        quiet.execute("UPDATE quotes SET next_follow_up_at = NULL WHERE quote_number IN ('q2', 'q4')")
        found = cost(quiet, "due_tenants('quotes')", UUID(int=1), "quotes")
    assert (found.returned, found.rows, found.scans) == (2, 2, 0)
    assert found.pages <= 60, found


@pytest.mark.parametrize("engine", WORKED)
def test_finding_the_tenants_with_due_work_costs_no_more_where_one_of_them_has_very_much(
    crowded: Connection, engine: str
) -> None:
    found = cost(crowded, f"due_tenants('{engine}')", UUID(int=1), WORKED[engine])
    assert found.returned == len(TENANTS)
    # The first thousand, and then a few of each tenant.
    assert (found.rows <= 1_000 + 20 * len(TENANTS), found.scans) == (True, 0), found
    assert found.pages <= 1_500, found


def test_a_scrape_of_the_figures_costs_nothing_for_what_was_sent_long_ago(quiet: Connection) -> None:
    with quiet.transaction(force_rollback=True):
        fill(quiet, "plans_sent.sql", n=BIG)
        quiet.execute("ANALYZE scheduled_actions")
        found = cost(quiet, "watch_figures()", UUID(int=1), "scheduled_actions")
    # A handful of pages for each of the thousands of tenants, and of rows nothing but theirs.
    assert (found.rows, found.scans) == (0, 0)
    assert found.all_rows == {"engines": 5, "tenants": 3_000}
    assert found.pages <= 12 * 3_000


def test_an_explanation_costs_what_it_says_not_what_the_tenant_has(crowded: Connection) -> None:
    for call, table in EXPLANATIONS.items():
        small, big = (cost(crowded, call, TENANTS[f"backlog {size}"], table) for size in ("small", "big"))
        assert big.returned >= 1, (call, big)
        assert big.pages <= 2 * small.pages + 100, (call, small, big)
        assert (big.rows <= 100, big.scans) == (True, 0), (call, big)


def test_a_letter_costs_the_same_however_many_left_before_and_few_calls_of_functions(crm: Crm) -> None:
    tenant = crm.tenant()
    for n in range(120):
        client = crm.client(tenant)
        contact = crm.contact(tenant, client, email=f"ann@client{n}.example")
        deal = crm.deal(tenant, client_id=client, contact_id=contact, stalled_at=NOW)
        crm.action(tenant, subject_type="deal", subject_id=deal, client_id=client, contact_id=contact, recipient=None)
    crm.connection.execute("SET track_functions = 'all'")
    settling = []
    for _ in range(6):
        with clock.at(NOW), transaction(crm.connection):
            rows = crm.connection.execute("SELECT * FROM claim_emails('me', '1 minute', 20, 20, NULL)").fetchall()
            crm.connection.execute("SELECT * FROM letter_facts(%s)", [[row["action_id"] for row in rows]])
        assert [row["verdict"] for row in rows] == [None] * 20
        sent = [
            {"id": row["action_id"], "status": "sent", "address": row["address"], "subject": "S", "body": "B"}
            for row in rows
        ]
        with clock.at(NOW), transaction(crm.connection):
            before = actions_read(crm.connection)
            crm.connection.execute("SELECT settle_emails('me', %s)", [Jsonb(sent)])
            settling.append(actions_read(crm.connection) - before)
    assert settling[-1] <= settling[0]
    crm.connection.execute("SELECT pg_stat_force_next_flush()")
    called = crm.connection.execute("SELECT funcname AS name FROM pg_stat_user_functions WHERE calls >= 120").fetchall()
    # What is asked about each letter is part of the statement that asks, but for these.
    assert {row["name"] for row in called} == {"word_meaning", "shipped_meaning", "has_decided_quote", "text_hash"}


def actions_read(connection: Connection) -> int:
    """Return how many rows of the outbox a transaction has read."""
    row = connection.execute(
        "SELECT seq_tup_read + idx_tup_fetch AS n FROM pg_stat_xact_user_tables WHERE relname = 'scheduled_actions'"
    ).fetchone()
    assert row is not None
    return int(row["n"])
