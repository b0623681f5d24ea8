"""E-mails and tasks in the outbox, and one pass of delivery over them."""

from collections import Counter
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm
from workers import clock
from workers.db.session import Connection
from workers.delivery.deliver import channel_for, deliver
from workers.settings import Settings

VARIABLES = {
    "deal": "Ten licences", "stage": "lead", "company": "Acme", "first_name": "Ann", "owner_name": None,
    "days_silent": 12, "step": 1, "max_steps": 5,
}  # fmt: skip


def run(connection: Connection, url: str | None, at: datetime = NOW, **values: Any) -> Counter[str]:
    """One pass of delivery, as if it were `at`."""
    settings = Settings(smtp_url=url, **values)
    with clock.at(at):
        return deliver(connection, channel_for(settings), settings)


def suppressed(crm: Crm) -> dict[str, str]:
    """Whom a tenant writes to no more, and why."""
    return {row["address"]: row["reason"] for row in crm.rows("SELECT address, reason FROM suppressions")}


def write(crm: Crm, tenant: UUID, number: int = 1, **values: Any) -> list[int]:
    """Write e-mails about one stalled deal, to one mailbox that may get them all, and return their ids."""
    crm.open_always(tenant, mails=100)
    client = crm.client(tenant)
    contact = values.pop("contact_id", None) or crm.contact(tenant, client)
    deal = values.pop("subject_id", None) or crm.deal(tenant, client_id=client, contact_id=contact, stalled_at=NOW)
    row = {
        "tenant_id": tenant, "engine": "deals", "kind": "email", "template": "deal_follow_up",
        "variables": Jsonb(VARIABLES),
        "subject_type": "deal", "subject_id": deal, "client_id": client, "contact_id": contact, "run_at": NOW,
    } | values  # fmt: skip
    ids: list[Any] = [crm.insert("scheduled_actions", **row, dedupe_key=str(uuid4())) for _ in range(number)]
    return ids
