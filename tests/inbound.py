"""What tests of inbound mail need: a tenant with a mailbox, a message of ours, and the door that mail comes in by."""

from typing import Any, Final, NamedTuple
from uuid import UUID

from tests.crm import NOW, Crm, days
from tests.letters import OURS
from workers import clock
from workers.correspondence import Answered, message_id
from workers.db.session import Connection
from workers.inbound.ingest import Outcome, Stored, ingest

SECRET: Final = "a secret of the test's own"  # noqa: S105
REPLIES: Final = "reply.northwind.example"


class Asked(NamedTuple):
    """A message of ours that a customer can answer, and what it was about."""

    tenant: UUID
    subject: UUID
    action: int
    message_id: str


def northwind(crm: Crm, name: str = "Northwind", address: str = OURS) -> UUID:
    tenant = crm.tenant(name)
    crm.execute("INSERT INTO tenant_mailboxes (address, tenant_id) VALUES (%s, %s)", address, tenant)
    return tenant


def written(crm: Crm, tenant: UUID, kind: str, subject: UUID, **values: Any) -> Asked:
    """Put an e-mail that was sent into the outbox."""
    defaults = {
        "subject_type": kind,
        "subject_id": subject,
        "status": "sent",
        "attempts": 1,
        "sent_to": "ann@acme.example",
    }
    action = crm.action(tenant, **defaults | {"recipient": None} | values)
    return Asked(tenant, subject, action, message_id(Answered(action, tenant), "northwind.example"))


def asked(crm: Crm, tenant: UUID | None = None, *, owner: UUID | None = None, **values: Any) -> Asked:
    """Return a feedback request that was sent to Ann of Acme."""
    tenant = tenant or northwind(crm)
    client = crm.client(tenant, owner_id=owner)
    contact = crm.contact(tenant, client)
    order = crm.order(tenant, client_id=client, contact_id=contact, delivered_at=NOW - days(8))
    row = crm.one("SELECT id FROM feedback_requests WHERE order_id = %s", order)
    sent = {"status": "sent", "sent_at": NOW - days(1), "expires_at": NOW + days(29)}
    crm.update("feedback_requests", row["id"], **sent | values)
    return written(crm, tenant, "feedback_request", row["id"], client_id=client, contact_id=contact, engine="feedback")


def followed_up(crm: Crm, tenant: UUID | None = None, **values: Any) -> Asked:
    """Return a follow-up of a quote that was sent to Ann of Acme."""
    tenant = tenant or northwind(crm)
    client = crm.client(tenant)
    contact = crm.contact(tenant, client)
    quote = crm.quote(tenant, client_id=client, contact_id=contact, follow_up_count=1)
    about = {"client_id": client, "contact_id": contact, "engine": "quotes", "sent_at": NOW - days(1)}
    return written(crm, tenant, "quote", quote, **about | values)


def is_answered(crm: Crm, ask: Asked) -> bool:
    """Whether the follow-ups of a quote have ended."""
    return crm.row("quotes", ask.subject)["follow_up_ended_at"] is not None


def take(connection: Connection, raw: bytes, tenant: UUID | None = None) -> Outcome:
    with clock.at(NOW):
        return ingest(connection, raw, "test", tenant=tenant)


def stored(connection: Connection, raw: bytes, tenant: UUID | None = None) -> Stored:
    outcome = take(connection, raw, tenant)
    assert isinstance(outcome, Stored), outcome
    return outcome
