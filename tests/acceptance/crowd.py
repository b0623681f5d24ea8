"""Processes that run an engine together, tenants with plenty for each of them to do, and what came of it."""

import multiprocessing
import os
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from typing import Any, Final
from uuid import UUID

from tests.acceptance import runner
from tests.crm import NOW, Crm

ENGINES = ("feedback", "deals", "quotes", "enrichment", "compliance")
# Each is a process of its own, forked from one that has imported all of it: that takes a tenth of a start.
_FORKS: Final = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([runner.__name__])

# What a run leaves behind of each engine, under names that are the same on another copy of the data.
_STATE = {
    "feedback": "SELECT o.order_number AS name, r.status, r.skip_reason, r.sent_at, r.expires_at, r.has_open_case"
    " FROM feedback_requests AS r JOIN orders AS o ON o.id = r.order_id",
    "deals": "SELECT title AS name, stalled_at, follow_up_count, next_follow_up_at, follow_up_ended_at,"
    " last_activity_at FROM deals",
    "quotes": "SELECT q.title AS name, q.status, q.follow_up_count, q.next_follow_up_at, q.last_follow_up_at,"
    " q.follow_up_ended_at,"
    " array_agg(a.activity_type || coalesce(a.notes, '') ORDER BY a.activity_type, a.notes) AS log"
    " FROM quotes AS q JOIN quote_activities AS a ON a.quote_id = q.id GROUP BY q.id",
    "enrichment": "SELECT e.source_id AS name, e.status, e.error_message, e.merge_conflicts, c.phone, c.title"
    " FROM contact_enrichment_queue AS e LEFT JOIN contacts AS c ON c.id = e.contact_id",
    "compliance": "SELECT c.entity_name AS name, c.compliance_type, c.period_start, c.status, c.reminder_count,"
    " c.missing_fields, c.escalation_sent_at, c.due_at FROM compliance_checks AS c",
}


def fill(crm: Crm, engine: str, tenants: int, rows: int) -> list[UUID]:
    """Give each tenant `rows` items of work for an engine, of every kind, set-wise."""
    ids = [crm.tenant(f"Tenant {number}") for number in range(tenants)]
    for tenant in ids:
        crm.profile(tenant)
        crm.execute(
            "INSERT INTO clients (id, tenant_id, company_name, attributes)"
            " SELECT gen_random_uuid(), %s, 'Client ' || n,"
            " CASE n %% 3 WHEN 0 THEN jsonb_build_object('tax_number', '7') ELSE '{}' END"
            " FROM generate_series(1, %s) AS n",
            tenant, rows,
        )  # fmt: skip
        # Every seventh client has nobody to write to.
        crm.execute(
            "INSERT INTO contacts (tenant_id, client_id, first_name, email, is_primary)"
            " SELECT tenant_id, id, 'Ann', 'ann@' || replace(company_name, ' ', '-') || '.example', true FROM clients"
            " WHERE tenant_id = %s AND right(company_name, 1) <> '7'",
            tenant,
        )
        crm.execute(_WORK[engine].replace("%(tenant)s", f"'{tenant}'").replace("%(now)s", f"'{NOW.isoformat()}'"))
    return ids


_WORK = {
    "feedback": """
        WITH ordered AS (
            INSERT INTO orders (tenant_id, client_id, contact_id, order_number, status, delivered_at)
            SELECT l.tenant_id, l.id, c.id, l.company_name, 'delivered', %(now)s::timestamptz - interval '8 days'
            FROM clients AS l LEFT JOIN contacts AS c ON c.client_id = l.id WHERE l.tenant_id = %(tenant)s
            UNION ALL  -- a second order of every tenth: its contact must be asked about one of them only
            SELECT l.tenant_id, l.id, NULL, l.company_name || ' again', 'delivered',
                   %(now)s::timestamptz - interval '8.5 days'
            FROM clients AS l WHERE l.tenant_id = %(tenant)s AND right(l.company_name, 1) = '0'
            RETURNING id, order_number, tenant_id
        )
        INSERT INTO cases (tenant_id, order_id, status)
        SELECT tenant_id, id, 'open' FROM ordered WHERE right(order_number, 1) = '3'""",
    "deals": """
        INSERT INTO deals (tenant_id, client_id, title, stage, value, last_activity_at, follow_up_count, stalled_at)
        SELECT tenant_id, id, company_name, CASE right(company_name, 1) WHEN '1' THEN 'proposal' ELSE 'lead' END, 100,
               %(now)s::timestamptz - interval '30 days',
               CASE right(company_name, 1) WHEN '5' THEN 5 ELSE 0 END,
               CASE right(company_name, 1) WHEN '5' THEN %(now)s::timestamptz - interval '20 days' END
        FROM clients WHERE tenant_id = %(tenant)s""",
    "quotes": """
        INSERT INTO quotes (tenant_id, client_id, title, status, total_amount, sent_at, next_follow_up_at,
                            follow_up_count, valid_until)
        SELECT tenant_id, id, company_name, CASE right(company_name, 1) WHEN '2' THEN 'viewed' ELSE 'sent' END,
               length(company_name) * 100,
               %(now)s::timestamptz - interval '9 days', %(now)s::timestamptz - interval '1 day',
               CASE right(company_name, 1) WHEN '5' THEN 5 ELSE 1 END,
               CASE right(company_name, 1) WHEN '4' THEN date '2026-02-01' ELSE date '2026-06-01' END
        FROM clients WHERE tenant_id = %(tenant)s""",
    "enrichment": """
        INSERT INTO contact_enrichment_queue (tenant_id, contact_id, email_address, source, source_id,
                                              extracted_data, created_at)
        SELECT l.tenant_id, c.id, 'ann@nowhere.example', 'email_signature', l.company_name,
               jsonb_build_object('phone', '+49 30 1234567', 'title', 'Buyer'), %(now)s::timestamptz - interval '1 hour'
        FROM clients AS l LEFT JOIN contacts AS c ON c.client_id = l.id WHERE l.tenant_id = %(tenant)s
        UNION ALL  -- a second, different word about every tenth contact
        SELECT l.tenant_id, c.id, NULL, 'manual', l.company_name || ' again',
               jsonb_build_object('phone', '+49 40 7654321'), %(now)s::timestamptz - interval '30 minutes'
        FROM clients AS l JOIN contacts AS c ON c.client_id = l.id
        WHERE l.tenant_id = %(tenant)s AND right(l.company_name, 1) = '0'""",
    "compliance": """
        INSERT INTO compliance_schedule (tenant_id, compliance_type, frequency, target_entity_type, required_fields,
                                         next_due_at)
        SELECT %(tenant)s, 'Declaration ' || n, 'annual', 'client', ARRAY['tax_number'],
               %(now)s::timestamptz + make_interval(days => CASE n WHEN 1 THEN 10 WHEN 2 THEN -3 ELSE -20 END)
        FROM generate_series(1, 3) AS n""",
}


@dataclass(frozen=True)
class Member:
    """One process of the crowd, and the pipe to it."""

    process: ForkServerProcess
    pipe: Connection

    def kill(self) -> None:
        """End it as `kill -9` does."""
        self.process.kill()
        self.process.join()


def start(database_url: str, engine: str, batch_size: int, at: datetime = NOW, **settings: str) -> Member:
    """Start one process of the crowd, with these settings; it waits for `go`."""
    ours, theirs = _FORKS.Pipe()
    environment = {"DATABASE_URL": database_url, "FLEET_HOME": os.environ["FLEET_HOME"], **settings}
    process = _FORKS.Process(target=runner.main, args=(theirs, environment, engine, at, batch_size))
    process.start()
    theirs.close()
    return Member(process, ours)


def go(crowd: list[Member]) -> None:
    """Wait until every process is connected, then let all of them loose."""
    for member in crowd:
        assert hear(member) == "ready"
    for member in crowd:
        member.pipe.send("go")


def report(member: Member) -> dict[str, Any]:
    """Wait for a process and return what it did."""
    result: dict[str, Any] = hear(member)
    member.process.join(60)
    assert member.process.exitcode == 0
    assert result["failures"] == []
    return result


def hear(member: Member) -> Any:
    assert member.pipe.poll(60), "it says nothing"
    return member.pipe.recv()


def outcome(crm: Crm, engine: str) -> tuple[Counter[str], Counter[str]]:
    """What the engine left behind: the states of its rows, and the actions, without ids."""
    states = Counter(repr(sorted(row.items(), key=lambda item: item[0])) for row in crm.rows(_STATE[engine]))
    actions = Counter(
        repr((row["template"], row["kind"], row["status"], sorted((row["variables"] | {"checks": None}).items())))
        for row in crm.actions()
    )
    return states, actions
