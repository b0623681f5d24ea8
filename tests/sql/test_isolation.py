"""If these fail, one row that a CRM refuses, or one mail that nobody can read, stops what stands beside it."""

from collections.abc import Callable
from typing import Any
from uuid import UUID, uuid4

import pytest

from tests.crm import NOW, Crm, days
from workers import clock
from workers.engines.enrichment import mail
from workers.runtime.status import fleet_status

# How a CRM refuses one row of an engine: by a rule of its own that the row breaks as soon as it is touched.
REFUSE = (
    "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;"
    " CREATE {} TRIGGER refusal AFTER UPDATE ON {} {} FOR EACH ROW WHEN (NEW.id = '{}') EXECUTE FUNCTION refuse()"
)


def somebody(crm: Crm, tenant: UUID, client: UUID) -> UUID:
    """Return a contact with a mailbox of its own."""
    return crm.contact(tenant, client, email=f"{uuid4()}@acme.example", is_primary=False)


def deal(crm: Crm, tenant: UUID, client: UUID) -> UUID:
    contact = somebody(crm, tenant, client)
    return crm.deal(tenant, client_id=client, contact_id=contact, last_activity_at=NOW - days(20))


def quote(crm: Crm, tenant: UUID, client: UUID) -> UUID:
    return crm.quote(tenant, client_id=client, contact_id=somebody(crm, tenant, client))


def request(crm: Crm, tenant: UUID, client: UUID) -> UUID:
    contact = crm.contact(tenant, client, email="someone@acme.example")
    order = crm.order(tenant, client_id=client, contact_id=contact, delivered_at=NOW - days(8))
    row: UUID = crm.one("SELECT id FROM feedback_requests WHERE order_id = %s", order)["id"]
    return row


def check(crm: Crm, tenant: UUID, client: UUID) -> UUID:
    contact = somebody(crm, tenant, client)
    return crm.check(tenant, contact, entity_type="contact", required_fields=["vat_number"])


def signal(crm: Crm, tenant: UUID, client: UUID) -> UUID:
    values = {"source_type": "call", "source_id": client, "signal_type": str(uuid4())}
    return crm.insert("opportunity_signals", tenant_id=tenant, client_id=client, signal_strength=0.9, **values)


ITEMS: dict[str, tuple[str, Callable[[Crm, UUID, UUID], UUID]]] = {
    "deals": ("deals", deal), "quotes": ("quotes", quote), "feedback": ("feedback_requests", request),
    "compliance": ("compliance_checks", check), "enrichment": ("opportunity_signals", signal),
}  # fmt: skip


@pytest.mark.parametrize("deferred", [False, True], ids=["at once", "deferred"])
@pytest.mark.parametrize("engine", ITEMS)
def test_one_row_that_the_crm_refuses_is_set_aside_and_named_and_the_hundred_others_are_done(
    crm: Crm, engine: str, deferred: bool
) -> None:
    table, make = ITEMS[engine]
    ours, theirs = crm.tenant("Ours"), crm.tenant("Theirs")
    clients = {tenant: crm.client(tenant) for tenant in (ours, theirs)}
    for tenant in (ours, theirs):
        crm.contact(tenant, clients[tenant])
    items = [make(crm, tenant, clients[tenant]) for tenant in (ours, theirs) for _ in range(50)]
    bad = make(crm, ours, clients[ours])
    kind, when = ("CONSTRAINT", "DEFERRABLE INITIALLY DEFERRED") if deferred else ("", "")
    crm.connection.execute(REFUSE.format(kind, table, when, bad))

    report = crm.run(engine)

    assert report.tally.skipped["refused by the CRM, set aside for a day"] == 1
    written = {action["subject_id"] for action in crm.actions()}
    if engine == "feedback":  # one question each 30 days: the others are refused, and say so
        assert crm.rows("SELECT id FROM feedback_requests WHERE status = 'pending'") == [{"id": bad}]
    else:
        assert set(items) <= written
    assert bad not in written
    with clock.at(NOW):
        [refused] = [row for row in fleet_status(crm.connection)["refused"] if row["what"] == str(bad)]
    assert (refused["engine"], refused["tenant_name"], refused["error"]) == (engine, "Ours", "not this one")

    assert crm.run(engine).tally.due == 0, "it rests for a day"
    crm.execute(f"DROP TRIGGER refusal ON {table}")
    crm.run(engine, at=NOW + days(1.1))
    assert crm.rows("SELECT * FROM items_aside WHERE item_id = %s", bad) == []


def test_a_mail_that_no_reader_was_made_for_is_set_aside_and_the_others_are_read(
    crm: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = crm.tenant()
    values = {"tenant_id": tenant, "raw_size": 1, "kind": "message", "received_at": NOW}
    for number in range(3):
        crm.insert("inbound_messages", message_id=f"<{number}@acme.example>", text=f"mail {number}", **values)
    read = mail._judge

    def poisoned(row: dict[str, Any], region: str | None) -> dict[str, Any]:
        if row["text"] == "mail 1":
            raise IndexError("string index out of range")
        return read(row, region)

    monkeypatch.setattr(mail, "_judge", poisoned)

    report = crm.run("enrichment")

    assert report.tally.acted["mail read"] == 2
    assert report.tally.skipped["mail that cannot be read, set aside"] == 1
    assert crm.rows("SELECT FROM inbound_messages WHERE processed_at IS NULL") == []
    [aside] = crm.rows("SELECT error FROM items_aside")
    assert aside["error"] == "IndexError: string index out of range"
