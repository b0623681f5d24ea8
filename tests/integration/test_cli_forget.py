"""If these fail, somebody who asked to be forgotten is not, or what is nobody's business any more is kept for ever."""

from datetime import timedelta
from uuid import UUID

import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from tests import outbox
from tests.crm import NOW, Crm, days
from tests.inbound import northwind, written
from tests.letters import OURS, letter
from tests.shell import fleet, one_line
from workers import clock
from workers.db.session import Connection
from workers.inbound.ingest import ingest

# The CRM's own, which the CRM erases; and what a migration notes.
CRMS = {"tenants", "profiles", "clients", "contacts", "vendors", "orders", "deals", "cases", "tasks"}
FORGET = ["forget", "ann@acme.example", "--why", "asked by letter", "--by", "olive", "--yes"]


def kept(crm: Crm, *words: str) -> list[tuple[str, str]]:
    """Every row of the fleet's own tables that has one of the words anywhere, whatever its case."""
    tables = crm.rows("SELECT relname FROM pg_stat_user_tables WHERE schemaname = 'public' ORDER BY relname")
    found = []
    for name in {row["relname"] for row in tables} - CRMS:
        statement = sql.SQL("SELECT r::text AS row FROM {} AS r").format(sql.Identifier(name))
        rows = [row["row"] for row in crm.connection.execute(statement).fetchall()]
        found += [(name, row) for row in rows if any(word in row.lower() for word in words)]
    return found


@pytest.fixture
def street(crm: Crm, connection: Connection) -> tuple[UUID, UUID]:
    """A tenant whose Ann was written to, answered, bounced, and is to be written to again; and Bob beside her."""
    tenant = northwind(crm)
    crm.open_always(tenant, mails=100)
    crm.execute("UPDATE tenant_delivery SET forward_replies_to = 'owner'")
    crm.profile(tenant)
    client = crm.client(tenant)
    ann = crm.contact(tenant, client, first_name="Annabel", last_name="Leeuw", email="Ann+work@acme.example")
    bob = crm.contact(tenant, client, first_name="Bob", email="bob@acme.example", is_primary=False)
    about = {"client_id": client, "contact_id": ann}
    quote = crm.quote(tenant, **about)
    crm.run("quotes")
    assert outbox.run(connection, None)["sent"] == 1

    order = crm.order(tenant, **about, delivered_at=NOW - days(8))
    request = crm.one("SELECT id FROM feedback_requests WHERE order_id = %s", order)["id"]
    crm.update("feedback_requests", request, status="sent", sent_at=NOW - days(1), expires_at=NOW + days(29))
    survey = written(
        crm, tenant, "feedback_request", request, **about, sent_at=NOW, sent_subject="Your order, Annabel",
        variables={"first_name": "Annabel", "step": 1}, message_id="<survey@northwind.example>",
    )  # fmt: skip
    for number, text in enumerate(
        ("Terrible, all of it was broken.\n\nAnnabel Leeuw\nBuyer\n+49 30 1234567", "Hello?")
    ):
        with clock.at(NOW + timedelta(hours=1 + number)):
            ingest(connection, letter(text, sender="ann+work@acme.example", answers=[survey.message_id]), "test")
    with clock.at(NOW + timedelta(hours=3)):
        fresh = letter("We may order forty more licences next month. Annabel", sender="Ann@acme.example", to=OURS)
        ingest(connection, fresh, "test")
        ingest(connection, letter("Bob here, all fine.", sender="bob@acme.example", to=OURS), "test")
    crm.run("enrichment", NOW + timedelta(hours=4))
    crm.enrichment(tenant, contact_id=ann, extracted_data={"title": "Annabel's title"})
    crm.execute(
        "INSERT INTO delivery_failures (tenant_id, address, action_id, whose, cause, said, failed_at)"
        " VALUES (%s, 'ann+work@acme.example', %s, 'moment', 'full', 'ann is over quota', now())",
        tenant, survey.action,
    )  # fmt: skip
    crm.check(tenant, ann, entity_type="contact", entity_name="Annabel Leeuw")
    waits = crm.action(tenant, contact_id=ann, recipient=None, subject_type="quote", subject_id=quote,
                       variables={"first_name": "Annabel"}, dedupe_key="greets ann@acme.example")  # fmt: skip
    with clock.at(NOW + timedelta(hours=4)):
        crm.read("edit_actions", [waits], Jsonb({"subject": "Annabel", "body": "Dear Annabel"}), None, "olive", None)
    crm.read("add_suppression", tenant, "ann@acme.example", "deals", "olive", "she rang")
    crm.action(tenant, contact_id=bob, recipient=None, variables={"first_name": "Bob"})
    return tenant, ann


def test_who_is_forgotten_is_in_no_table_of_the_fleet_and_everybody_else_is_untouched(
    crm: Crm, database_url: str, street: tuple[UUID, UUID]
) -> None:
    _, ann = street
    counted = "SELECT engine, template, step, sent_count, answered_count FROM outreach_effect ORDER BY 1, 2, 3"
    mails = "SELECT FROM forwarded_mail WHERE position('Annabel'::bytea IN raw) > 0"
    assert crm.rows(mails) != []
    before, about_bob = crm.rows(counted), kept(crm, "bob")
    assert {name for name, _ in kept(crm, "ann@", "ann+", "annabel", "forty")} >= {
        "scheduled_actions", "inbound_messages", "feedback_requests", "contact_enrichment_queue", "suppressions",
        "delivery_failures", "fleet_decisions", "compliance_checks", "opportunity_signals",
    }  # fmt: skip

    done = fleet(database_url, *FORGET)
    assert done.returncode == 0, done.stderr
    assert "is forgotten at Northwind, and nobody writes there any more" in done.stdout
    assert f"contact {ann}" in done.stdout
    assert kept(crm, "ann@", "ann+", "annabel", "leeuw", "broken", "forty") == []
    # What refers to the CRM's own row ends with that row.
    assert not {name for name, _ in kept(crm, str(ann))} & {"scheduled_actions", "inbound_messages"}
    assert crm.rows(mails) == []
    assert kept(crm, "bob") == about_bob
    assert crm.rows(counted) == before
    (decision,) = crm.rows("SELECT * FROM fleet_decisions WHERE decision = 'forget'")
    assert (decision["why"], decision["decided_by"]) == ("asked by letter", "olive")
    assert decision["after"]["cancelled"] >= 1


def test_who_is_forgotten_is_written_to_no_more_in_any_spelling_until_somebody_takes_it_back(
    crm: Crm, database_url: str, street: tuple[UUID, UUID]
) -> None:
    tenant, ann = street
    assert fleet(database_url, *FORGET).returncode == 0
    for spelling in ({"contact_id": ann, "recipient": None}, {"recipient": "ANN+shop@acme.example"}):
        (guard,) = crm.read("action_guards", [crm.action(tenant, **spelling)])
        assert (guard["verdict"], guard["reason"]) == ("skipped", "address is suppressed: asked to be forgotten")
    assert (
        "nobody writes to ann@acme.example: asked to be forgotten (olive)"
        in fleet(database_url, "explain", "ann@acme.example").stdout
    )
    back = ["suppressions", "remove", "Northwind", "ann@acme.example", "--why", "she ordered again", "--yes"]
    assert fleet(database_url, *back).returncode == 0
    (guard,) = crm.read("action_guards", [crm.action(tenant, contact_id=ann, recipient=None)])
    assert guard["reason"] is None or "suppressed" not in guard["reason"]


def test_nothing_is_erased_while_a_message_to_the_person_is_on_its_way(
    crm: Crm, database_url: str, street: tuple[UUID, UUID]
) -> None:
    _, ann = street
    crm.execute("UPDATE scheduled_actions SET status = 'sending' WHERE contact_id = %s AND status = 'scheduled'", ann)
    before = kept(crm, "annabel")
    refused = fleet(database_url, *FORGET)
    assert refused.returncode == 2
    assert "a message to this mailbox is on its way: forget it again in a few minutes" in one_line(refused)
    assert kept(crm, "annabel") == before


def test_a_person_is_asked_for_by_address_or_id_and_of_one_tenant(
    crm: Crm, database_url: str, street: tuple[UUID, UUID]
) -> None:
    _, ann = street
    assert "nobody is 'carl@acme.example'" in fleet(database_url, "forget", "carl@acme.example", "--why", "x").stderr
    crm.contact(crm.tenant("Southwind"))
    both = fleet(database_url, *FORGET)
    assert (both.returncode, "known to 2 tenants: say --tenant" in both.stderr) == (2, True)
    asked = fleet(database_url, "forget", str(ann), "--why", "asked by letter", stdin=b"n\n")
    assert asked.returncode == 1
    assert kept(crm, "annabel")
    assert fleet(database_url, "forget", str(ann), "--why", "asked by letter", "--yes").returncode == 0
    assert not kept(crm, "annabel")


def test_records_go_when_they_are_old_and_what_is_still_to_be_decided_stays(crm: Crm, connection: Connection) -> None:
    tenant = northwind(crm)
    old, young = NOW - days(1096), NOW - days(1000)
    for at, name in ((old, "old"), (young, "young")):
        with clock.at(at):
            for status in ("sent", "suggested", "cancelled"):
                crm.action(tenant, status=status, run_at=at, sent_at=at if status == "sent" else None,
                           dedupe_key=f"{name} {status}")  # fmt: skip
            ingest(connection, letter(f"An {name} mail.", sender="ann@acme.example", to=OURS), "test")
        crm.execute(
            "INSERT INTO engine_runs (engine, trigger, status, started_at, finished_at, lease_until)"
            " VALUES ('deals', 'manual', 'succeeded', %s, %s, %s)",
            at, at, at,
        )  # fmt: skip
    crm.execute("UPDATE scheduled_actions SET run_at = %s WHERE dedupe_key LIKE 'old %%'", old)
    late = crm.one("SELECT id FROM scheduled_actions WHERE dedupe_key = 'old cancelled'")["id"]
    crm.execute(
        "INSERT INTO fleet_decisions (tenant_id, about, item, decision, decided_by, decided_at)"
        " VALUES (%s, 'action', %s, 'cancel', 'olive', %s), (%s, 'setting', 'paused', 'set', 'olive', %s)",
        tenant, str(late), old, tenant, old,
    )  # fmt: skip
    [pruned] = crm.read("prune_records", 1095, 1000)
    assert pruned["prune_records"] == 4  # two messages, a mail and a run
    assert crm.read("prune_records", 1095, 1000) == [{"prune_records": 0}]
    keys = {row["dedupe_key"] for row in crm.actions() if row["kind"] == "email"}
    assert keys == {"old suggested", "young sent", "young suggested", "young cancelled"}
    assert [row["text"].strip() for row in crm.rows("SELECT text FROM inbound_messages")] == ["An young mail."]
    assert crm.one("SELECT count(*) AS n FROM engine_runs")["n"] == 1
    assert [row["about"] for row in crm.rows("SELECT about FROM fleet_decisions")] == ["setting"]
