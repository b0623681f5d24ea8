"""If these fail, what customers write is read twice or not at all, or a strong signal is nobody's business."""

import threading
from collections import Counter
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest
from psycopg import sql

from tests.crm import NOW, Crm, days
from workers import clock
from workers.db.session import connect, transaction
from workers.delivery.internal import file_internal
from workers.engines.registry import engine_named
from workers.runtime.status import fleet_status

STRONG = Decimal("0.8")
LEAVING = "We are not satisfied at all. We are cancelling our contract and will switch to another supplier next month."
SIGNED = """Thank you, that works for us.

Kind regards,
Ann Archer
Chief Technology Officer
Acme Ltd
Phone: +44 20 7946 0958
"""


def mail(crm: Crm, tenant: UUID, text: str = SIGNED, **values: Any) -> UUID:
    defaults: dict[str, Any] = {
        "tenant_id": tenant, "message_id": f"<{uuid4()}@acme.example>", "from_address": "ann@acme.example",
        "from_name": "Ann Archer", "text": text, "raw_size": len(text), "kind": "reply", "received_at": NOW,
    }  # fmt: skip
    return crm.insert("inbound_messages", **defaults | values)


def known(crm: Crm, **contact: Any) -> dict[str, Any]:
    """A tenant with an owned client and a contact, as the columns that a mail of the contact's carries."""
    tenant = crm.tenant()
    client = crm.client(tenant, owner_id=crm.profile(tenant))
    return {"tenant": tenant, "client_id": client, "contact_id": crm.contact(tenant, client, **contact)}


def signals(crm: Crm) -> list[dict[str, Any]]:
    return crm.rows("SELECT * FROM opportunity_signals ORDER BY signal_type")


def file(crm: Crm) -> Counter[str]:
    with clock.at(NOW):
        return file_internal(crm.connection)


def test_a_signature_reaches_the_contact_through_the_queue(crm: Crm) -> None:
    who = known(crm, last_name=None)
    message = mail(crm, **who)
    report = crm.run("enrichment")
    (row,) = crm.rows("SELECT * FROM contact_enrichment_queue")
    assert (row["source"], row["source_id"], row["contact_id"]) == ("email_signature", str(message), who["contact_id"])
    assert row["status"] == "completed"
    contact = crm.row("contacts", who["contact_id"])
    assert (contact["last_name"], contact["title"], contact["phone"]) == (
        "Archer",
        "Chief Technology Officer",
        "+442079460958",
    )
    assert crm.row("inbound_messages", message)["processed_at"] == NOW
    assert report.tally.acted["mail read"] == 1


def test_a_stranger_is_queued_by_address(crm: Crm) -> None:
    mail(crm, crm.tenant())
    crm.run("enrichment")
    (row,) = crm.rows("SELECT * FROM contact_enrichment_queue")
    assert (row["email_address"], row["contact_id"], row["status"]) == ("ann@acme.example", None, "skipped")


def test_a_signature_of_somebody_else_says_nothing_of_the_contact(crm: Crm) -> None:
    mail(crm, from_name="Carla Albrecht", from_address="carla.albrecht@acme.example", **known(crm))
    crm.run("enrichment")
    assert crm.rows("SELECT * FROM contact_enrichment_queue") == []


def test_mail_without_signature_or_sender_is_read_and_nothing_more(crm: Crm) -> None:
    tenant = crm.tenant()
    messages = [mail(crm, tenant, "Yes."), mail(crm, tenant, from_address=None, from_name=None), mail(crm, tenant, "")]
    crm.run("enrichment")
    assert crm.rows("SELECT * FROM contact_enrichment_queue") == []
    assert all(crm.row("inbound_messages", message)["processed_at"] for message in messages)


def test_names_and_addresses_need_not_be_ascii(crm: Crm) -> None:
    who = known(crm, first_name=None, last_name=None)
    text = "Thanks, that works.\n\nBest regards\nZoë Çelik\nHead of Purchasing\nAcme Ltd\n"
    mail(crm, text=text, from_name="Zoë Çelik", from_address="zoë@exämple.example", **who)
    crm.run("enrichment")
    contact = crm.row("contacts", who["contact_id"])
    assert (contact["first_name"], contact["last_name"], contact["title"]) == ("Zoë", "Çelik", "Head of Purchasing")


def test_mail_in_html_is_read_too(crm: Crm) -> None:
    who = known(crm)
    mail(crm, text=" \r\n\t", html=f"<p>{LEAVING}</p><p>{SIGNED.replace(chr(10), '<br>')}</p>", **who)
    crm.run("enrichment")
    assert crm.row("contacts", who["contact_id"])["title"] == "Chief Technology Officer"
    assert "churn_risk" in {signal["signal_type"] for signal in signals(crm)}


@pytest.mark.parametrize("kind", ["auto_reply", "out_of_office", "bounce", "bulk"])
def test_what_machines_write_is_not_read(crm: Crm, kind: str) -> None:
    tenant = crm.tenant()
    message = mail(crm, tenant, LEAVING, kind=kind)
    assert crm.due_tenants("enrichment") == set()
    crm.run("enrichment")
    assert crm.row("inbound_messages", message)["processed_at"] is None
    assert signals(crm) == []


def test_the_same_mail_is_one_row_and_one_signal_of_each_kind_however_often_it_is_read(crm: Crm) -> None:
    message = mail(crm, text=f"{LEAVING}\n\n{SIGNED}", **known(crm))
    crm.run("enrichment")
    before = [(signal["signal_type"], signal["extracted_text"]) for signal in signals(crm)]
    crm.update("inbound_messages", message, processed_at=None)
    crm.run("enrichment")
    assert [(signal["signal_type"], signal["extracted_text"]) for signal in signals(crm)] == before
    assert crm.one("SELECT count(*) AS n FROM contact_enrichment_queue")["n"] == 1
    assert len(crm.actions(template="opportunity_signal")) == len(
        [s for s in signals(crm) if s["signal_strength"] >= STRONG]
    )


def test_what_is_quoted_is_no_signal_of_the_one_who_quotes_it(crm: Crm) -> None:
    quoted = "\n".join(f"> {line}" for line in LEAVING.split(". "))
    mail(
        crm,
        text=f"Thanks for the note.\n\nOn Mon, 2 Mar 2026 at 08:00, Bob <bob@n.example> wrote:\n{quoted}\n",
        **known(crm),
    )
    crm.run("enrichment")
    assert signals(crm) == []


def test_a_signal_says_where_it_is_from_and_whose_it_is(crm: Crm) -> None:
    who = known(crm)
    message = mail(crm, text=LEAVING, **who)
    crm.run("enrichment")
    signal = next(signal for signal in signals(crm) if signal["signal_type"] == "churn_risk")
    assert (signal["source_type"], signal["source_id"]) == ("email", message)
    assert (signal["contact_id"], signal["client_id"]) == (who["contact_id"], who["client_id"])
    assert signal["extracted_text"] in LEAVING
    assert signal["context"]["keyword_count"] >= 1


@pytest.mark.parametrize(
    ("title", "signature", "decides"),
    [
        ("Chief Executive Officer", "", True),
        ("Assistant to the CEO", SIGNED, False),
        (None, SIGNED, True),
        (None, "", False),
    ],
)
def test_who_decides_is_known_from_the_crm_else_from_the_signature(
    crm: Crm, title: str | None, signature: str, decides: bool
) -> None:
    mail(
        crm,
        text=f"Which budget do we need? Our budget for this year is 50,000 euros.\n\n{signature}",
        **known(crm, title=title),
    )
    crm.run("enrichment")
    (signal,) = signals(crm)
    assert signal["signal_type"] == "budget_mention"
    assert signal["context"]["is_decision_maker"] is decides
    assert float(signal["signal_strength"]) - (0.05 if decides else 0) in (0.85, 0.95)


def test_phone_numbers_are_read_in_the_tenants_country(crm: Crm) -> None:
    who = known(crm, phone="030 901820")
    crm.execute("INSERT INTO tenant_delivery (tenant_id, phone_region) VALUES (%s, 'DE')", who["tenant"])
    text = "Passt.\n\nMit freundlichen Grüßen\nAnn Archer\nGeschäftsführerin\n"
    text += "Telefon: +49 30 901820\nMobil: 0151 23456789\n"
    mail(crm, text=text, **who)
    crm.run("enrichment")
    (row,) = crm.rows("SELECT * FROM contact_enrichment_queue")
    assert row["merge_conflicts"] == []
    assert crm.row("contacts", who["contact_id"])["mobile"] == "+4915123456789"


def signal_row(crm: Crm, tenant: UUID, **values: Any) -> UUID:
    defaults = {"tenant_id": tenant, "source_type": "call", "source_id": uuid4(), "signal_type": "renewal"}
    return crm.insert("opportunity_signals", **defaults | {"signal_strength": 0.9, "extracted_text": "renew"} | values)


def test_a_strong_signal_becomes_a_task_for_the_owner_and_is_marked_when_it_is_filed(crm: Crm) -> None:
    who = known(crm)
    tenant = who.pop("tenant")
    signal = signal_row(crm, tenant, **who)
    crm.run("enrichment")
    crm.run("enrichment")

    (action,) = crm.actions(template="opportunity_signal")
    owner = crm.row("clients", who["client_id"])["owner_id"]
    assert (action["kind"], action["subject_id"], action["assigned_to"]) == ("task", signal, owner)
    state = crm.row("opportunity_signals", signal)
    assert (state["action_taken"], state["actioned"]) == ("task for Olive Owner", False)

    assert file(crm)["filed"] == 1
    state = crm.row("opportunity_signals", signal)
    assert (state["actioned"], state["actioned_at"], state["action_result"]) == (True, NOW, "task filed")
    (task,) = crm.rows("SELECT * FROM tasks")
    assert task["assigned_to"] == owner
    assert "renewal" in task["title"]
    assert "renew" in task["description"]
    assert crm.rows("SELECT * FROM signal_action_rates") != []


def test_a_cancelled_action_closes_its_signal_with_the_reason(crm: Crm) -> None:
    who = known(crm)
    signal = signal_row(crm, who.pop("tenant"), **who)
    crm.run("enrichment")
    (action,) = crm.actions()
    crm.read("decide_actions", [action["id"]], "cancel")
    state = crm.row("opportunity_signals", signal)
    assert (state["actioned"], state["action_result"]) == (True, "cancelled by an operator")


def test_a_signal_that_a_person_dealt_with_first_needs_no_task(crm: Crm) -> None:
    who = known(crm)
    signal = signal_row(crm, who.pop("tenant"), **who)
    crm.run("enrichment")
    crm.update("opportunity_signals", signal, actioned=True, action_result="called them")
    assert file(crm)["filed"] == 0
    (action,) = crm.actions()
    assert (action["status"], action["reason"]) == ("cancelled", "the signal is dealt with")
    assert crm.row("opportunity_signals", signal)["action_result"] == "called them"


def test_a_task_that_the_crm_refuses_leaves_the_signal_open(crm: Crm) -> None:
    who = known(crm)
    signal = signal_row(crm, who.pop("tenant"), **who)
    crm.run("enrichment")
    crm.execute("ALTER TABLE tasks ADD CHECK (title = 'no')")
    assert file(crm)["failed"] == 1
    assert crm.row("opportunity_signals", signal)["actioned"] is False


@pytest.mark.parametrize(
    "values", [{"signal_strength": 0.79}, {"client_id": None, "contact_id": None}, {"actioned": True}]
)
def test_weak_signals_strangers_and_what_is_done_stay_for_people(crm: Crm, values: dict[str, Any]) -> None:
    who = known(crm)
    tenant = who.pop("tenant")
    signal = signal_row(crm, tenant, **who | values)
    assert crm.due_tenants("enrichment") == set()
    crm.run("enrichment")
    assert crm.actions() == []
    assert crm.row("opportunity_signals", signal)["action_taken"] is None


def test_in_review_the_task_waits_for_approval(crm: Crm) -> None:
    who = known(crm)
    tenant = who.pop("tenant")
    crm.mode(tenant, "enrichment", "review")
    signal_row(crm, tenant, **who)
    crm.run("enrichment")
    assert [action["status"] for action in crm.actions()] == ["suggested"]


def test_switched_off_nothing_is_read_or_written(crm: Crm) -> None:
    who = known(crm)
    tenant = who["tenant"]
    crm.mode(tenant, "enrichment", "off")
    message = mail(crm, text=LEAVING, **who)
    assert crm.due_tenants("enrichment") == set()
    with clock.at(NOW), transaction(crm.connection):
        engine_named("enrichment").batch(crm.connection, tenant, 100, 0)
    assert crm.row("inbound_messages", message)["processed_at"] is None


def test_another_tenants_client_is_not_named(crm: Crm) -> None:
    theirs, ours = known(crm), crm.tenant()
    mail(crm, ours, LEAVING, contact_id=theirs["contact_id"], client_id=theirs["client_id"])
    crm.run("enrichment")
    assert {(signal["contact_id"], signal["client_id"]) for signal in signals(crm)} == {(None, None)}
    with crm.unchecked():
        signal_row(crm, ours, contact_id=theirs["contact_id"])
    crm.run("enrichment")
    (action,) = crm.actions()
    assert (action["contact_id"], action["client_id"], action["assigned_to"]) == (None, None, None)
    assert action["variables"]["company"] is None


def test_two_workers_at_once_share_the_mail_and_double_nothing(crm: Crm, database_url: str) -> None:
    who = known(crm)
    for number in range(60):
        mail(crm, text=f"{LEAVING}\n\nNo. {number}", received_at=NOW + days(number / 1000), **who)
    read = Counter[str]()

    def work(name: str) -> None:
        with connect(database_url) as connection:
            while True:
                with clock.at(NOW + days(1)), transaction(connection):
                    tally = engine_named("enrichment").batch(connection, who["tenant"], 7, 0)
                read[name] += tally.acted["mail read"]
                if not tally.due and not tally.busy:
                    return

    threads = [threading.Thread(target=work, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert read.total() == 60
    assert min(read["a"], read["b"]) > 0
    found = signals(crm)
    assert len(found) == len({(row["source_id"], row["signal_type"]) for row in found})
    assert len({row["source_id"] for row in found}) == 60
    assert len(crm.actions(template="opportunity_signal")) == len(
        [row for row in found if row["signal_strength"] >= STRONG]
    )


def test_every_mail_is_reached_in_batches(crm: Crm) -> None:
    tenant = crm.tenant()
    for _ in range(45):
        mail(crm, tenant, "Yes.")
    assert crm.run("enrichment", batch_size=20).tally.acted["mail read"] == 45


def test_status_and_due_tenants_count_mail_and_signals(crm: Crm) -> None:
    mail(crm, **known(crm))
    other = crm.tenant()
    signal_row(crm, other, client_id=crm.client(other))
    with clock.at(NOW):
        due = {row["engine"]: row["due"] for row in fleet_status(crm.connection)["engines"]}
    assert due["enrichment"] == 2
    assert len(crm.due_tenants("enrichment")) == 2
    crm.run("enrichment")
    assert crm.due_tenants("enrichment") == set()


WAITING = """
INSERT INTO contact_enrichment_queue (tenant_id, contact_id, source, retry_at)
SELECT %(tenant)s, %(contact)s, 'apollo', %(later)s FROM generate_series(1, 20000)
"""
READ = """
INSERT INTO inbound_messages (tenant_id, message_id, raw_size, kind, received_at, processed_at)
SELECT %(tenant)s, n::text, 1, 'reply', %(later)s, %(later)s FROM generate_series(1, 20000) AS n
"""
DONE = """
INSERT INTO opportunity_signals
    (tenant_id, contact_id, source_type, source_id, signal_type, signal_strength, action_taken)
SELECT %(tenant)s, %(contact)s, 'email', gen_random_uuid(), 'upsell', 0.9, 'task' FROM generate_series(1, 20000)
"""


def test_what_waits_was_read_or_is_done_is_not_looked_at(crm: Crm) -> None:
    tenant = crm.tenant()
    values = {"tenant": tenant, "contact": crm.contact(tenant), "later": NOW + days(1)}
    for statement in (WAITING, READ, DONE):
        crm.connection.execute(statement, values)
    crm.connection.execute("VACUUM ANALYZE contact_enrichment_queue, inbound_messages, opportunity_signals")
    for function, parameters in (
        ("due_tenants", ["enrichment"]),
        ("claim_lookups", [tenant, "apollo", 10, 1000, None]),
        ("claim_enrichment", [tenant, 1000]),
        ("claim_inbound", [tenant, 1000]),
        ("act_on_signals", [tenant, 1000, 0]),
    ):
        crm.read(function, *parameters)  # the catalogue is read once per session, and is not what is measured
        explain = sql.SQL("EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) SELECT * FROM {}({})").format(
            sql.Identifier(function), sql.SQL(", ").join(sql.Placeholder() * len(parameters))
        )
        plan = crm.one(explain, *parameters)["QUERY PLAN"][0]["Plan"]
        assert plan["Shared Hit Blocks"] + plan["Shared Read Blocks"] < 100, (function, plan)
