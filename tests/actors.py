"""A tenant, its people by their roles, and one of each thing that somebody may see or decide."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from tests.console import PROFILES
from tests.crm import Crm
from tests.outbox import write
from workers import clock

SECRET = "Theirs-and-nobody-elses"  # noqa: S105  # in every text of the other tenant


@dataclass(frozen=True)
class Things:
    """A tenant, its people by their roles, and one of each thing that has a page or an operation."""

    tenant: UUID
    people: dict[str, UUID]
    action: int
    deal: UUID
    answer: UUID
    queue: UUID
    run: int
    quote: UUID
    check: UUID
    order: UUID
    endpoint: UUID
    session: int
    token: UUID

    def path(self, template: str) -> str:
        values = {
            "{action:int}": self.action, "{tenant}": self.tenant, "{kind}": "deal", "{item:path}": self.deal,
            "{run:int}": self.run, "{view}": "deal_stage_velocity", "{template}": "deal_follow_up", "{language}": "en",
            "{check}": self.check,
        }  # fmt: skip
        for name, value in values.items():
            template = template.replace(name, str(value))
        return template

    def form(self, path: str) -> dict[str, str]:
        """What a page of the console would post there."""
        return {
            # An engine is run for nobody for whom it did not fail.
            "tenant": str(uuid4() if path.endswith("/retry") else self.tenant), "ids": str(self.action),
            "why": "a test", "engine": "none", "message": str(self.answer), "queue": str(self.queue), "field": "title",
            "address": f"new@{self.tenant}.example", "kind": "deal_stage", "word": "pitched", "meaning": "open",
            "mails_per_day": "3", "subject": "Other", "body": "Words", "run_at": "", "source": "Hello\n{{ deal }}?",
            "decision": {"conflicts": "rejected", "compliance": "waive"}.get(path.split("/")[2], "cancel"),
            "said": "a test", "endpoint": str(self.endpoint), "session": str(self.session), "url": "http://x.example",
            "act": "pause", "until": "2031-01-02T09:30", "paused": "yes", "token": str(self.token), "name": "a test",
            "role": "agent", "days": "", "per_minute": "600", "key": str(self.tenant),
        }  # fmt: skip


def things(crm: Crm, name: str) -> Things:
    tenant = crm.tenant(name)
    people = {
        role: crm.profile(tenant, email=f"{role}@{tenant}.example", role=known) for role, known in PROFILES.items()
    }
    client = crm.client(tenant, company_name=name)
    contact = crm.contact(tenant, client, first_name=name, email=f"ann@{tenant}.example")
    deal = crm.deal(tenant, client_id=client, contact_id=contact, title=name)
    now = clock.now()
    [action] = write(crm, tenant, contact_id=contact, subject_id=deal, status="suggested", run_at=now)
    answer = crm.insert(
        "inbound_messages", tenant_id=tenant, message_id=f"<{uuid4()}@x.example>", raw_size=1, kind="reply",
        subject=name, text=name, from_address=f"ann@{tenant}.example", received_at=now,
    )  # fmt: skip
    queue = crm.enrichment(
        tenant, contact_id=contact, merged_to_contact_id=contact, status="completed", processed_at=now
    )
    crm.execute(
        "UPDATE contact_enrichment_queue SET merge_conflicts = %s WHERE id = %s",
        Jsonb([{"field": "title", "current": name, "proposed": f"{name} CTO", "source": "apollo"}]), queue,
    )  # fmt: skip
    crm.execute("INSERT INTO suppressions VALUES (%s, %s, %s)", tenant, f"no@{tenant}.example", name)
    crm.execute("SELECT save_template(%s, 'deal_follow_up', 'en', %s, %s)", tenant, f"{name}\nHello", name)
    crm.execute("INSERT INTO crm_words VALUES (%s, 'deal_stage', %s, 'open')", tenant, name.lower())
    crm.deal(tenant, stage=f"{name} unknown", client_id=client)
    [run] = crm.rows(
        "INSERT INTO engine_runs (engine, trigger, status, started_at, finished_at, lease_until, failures)"
        " VALUES ('deals', 'manual', 'partly', now(), now(), now(), %s) RETURNING id",
        Jsonb([{"tenant_id": str(tenant), "error": name}]),
    )  # fmt: skip
    crm.update("deals", deal, stage="qualified")
    crm.execute("UPDATE deal_stage_history SET to_stage = %s WHERE deal_id = %s", name, deal)
    quote = crm.quote(tenant, client_id=client, title=name)
    check = crm.check(tenant, client, entity_name=name)
    order = crm.order(tenant, order_number=name, client_id=client, contact_id=contact, delivered_at=now)
    url = f"https://hooks.{tenant}.example/{name}"
    endpoint = crm.one("SELECT add_webhook(%s, %s, '{action.sent}', 'whsec_x', 'us') AS id", tenant, url)["id"]
    colleague = crm.profile(tenant, email=f"colleague@{tenant}.example", full_name=name, role="sales")
    [session] = crm.rows(
        "INSERT INTO console_sessions (token_hash, profile_id, began_at, seen_at, ends_at)"
        " VALUES (sha256(%s::text::bytea), %s, now(), now(), now() + interval '1 hour') RETURNING id",
        colleague, colleague,
    )  # fmt: skip
    token = crm.one(
        "SELECT make_token(sha256(%s::text::bytea), %s, %s, 'agent', 600, NULL, NULL, %s, NULL) AS id", tenant, tenant,
        name, name,
    )["id"]  # fmt: skip
    return Things(
        tenant, people, action, deal, answer, queue, run["id"], quote, check, order, endpoint, session["id"], token
    )


def evidence(crm: Crm, tenant: UUID) -> dict[str, Any]:
    """Whatever a person could have changed of a tenant."""
    return {
        table: crm.rows(f"SELECT t::text FROM {table} AS t WHERE tenant_id = %s ORDER BY 1", tenant)  # noqa: S608
        for table in (
            "scheduled_actions", "fleet_decisions", "suppressions", "crm_words", "tenant_delivery", "merge_decisions",
            "contact_enrichment_queue", "console_audit", "tenant_templates", "quotes", "compliance_checks",
            "feedback_requests", "matter_pauses", "webhook_endpoints", "webhook_deliveries",
            "tenant_timetable",
        )
    } | {
        "api_tokens": crm.rows("SELECT id, revoked_at FROM api_tokens WHERE tenant_id = %s ORDER BY id", tenant),
        "console_sessions": crm.rows(
            "SELECT s.id FROM console_sessions AS s JOIN profiles AS p ON p.id = s.profile_id"
            " WHERE p.tenant_id = %s AND s.revoked_at IS NULL AND p.email LIKE 'colleague%%'", tenant,
        )
    }  # fmt: skip
