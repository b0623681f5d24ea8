"""If these fail, a customer reads a letter that is not for him: in another language, beside its thread, unsigned."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import pytest
from psycopg.types.json import Jsonb

from tests.crm import NOW, Crm, days
from tests.letters import part_of
from tests.mail import MailServer
from tests.outbox import VARIABLES, run, write
from workers.db.session import Connection

QUOTE = VARIABLES | {
    "quote_number": "Q-2026-0007", "title": None, "amount": 1200, "valid_until": "2026-05-31", "view_count": 0,
    "owner_name": "Bo Berg",
}  # fmt: skip


def letters_of(crm: Crm, tenant: UUID, **values: Any) -> None:
    columns = {"tenant_id": tenant} | values
    crm.execute(
        f"INSERT INTO tenant_letters ({', '.join(columns)}) VALUES ({', '.join(['%s'] * len(columns))})",  # noqa: S608
        *columns.values(),
    )


def quote_letter(crm: Crm, tenant: UUID, **values: Any) -> UUID:
    contact = values.pop("contact_id", None) or crm.contact(tenant, crm.client(tenant))
    client = crm.row("contacts", contact)["client_id"]
    quote = values.pop("subject_id", None) or crm.quote(tenant, client_id=client, contact_id=contact, status="sent")
    usual: dict[str, Any] = {"template": "quote_follow_up", "variables": Jsonb(QUOTE)}
    about = {
        "engine": "quotes", "subject_type": "quote", "subject_id": quote, "contact_id": contact, "client_id": client,
    }  # fmt: skip
    write(crm, tenant, **usual | about | values)
    return quote


def received(server: MailServer) -> list[EmailMessage]:
    return [message for _, message in server.received]


def test_a_letter_is_in_the_tenants_language_with_its_money_its_address_and_the_way_to_the_quote(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    tenant = crm.tenant("Nordwind GmbH")
    crm.execute("INSERT INTO tenant_calendar VALUES (%s, 'Europe/Berlin', 'de-DE')", tenant)
    letters_of(
        crm, tenant, language="de", currency="EUR", postal_address="Kai 1\n20457 Hamburg", signature="Tel. 040 1",
        links=Jsonb({"quote": "https://nordwind.example/angebote/{id}?n={quote_number}"}),
    )  # fmt: skip
    quote = quote_letter(crm, tenant)

    assert run(connection, server.url) == {"sent": 1}
    [message] = received(server)
    text = part_of(message)

    assert message["From"].addresses[0].display_name == "Bo Berg"
    assert text.startswith("Guten Tag Ann,")
    for said in (
        "Betrag: 1.200,00\xa0€", "Gültig bis: 31. Mai 2026", "Bo Berg\nNordwind GmbH\nTel. 040 1\n",
        f"Zum Angebot: https://nordwind.example/angebote/{quote}?n=Q-2026-0007",
        "Nordwind GmbH, Kai 1, 20457 Hamburg",
    ):  # fmt: skip
        assert said in text.replace("\r\n", "\n")


@pytest.mark.parametrize(
    ("kept", "greeting"),
    [({"language": "fr-CA"}, "Bonjour"), ({"locale": "es_MX"}, "Buenos"), ({"preferred_language": "Dutch"}, "Goeden")],
)
def test_a_contacts_own_language_comes_first_wherever_the_crm_keeps_it(
    connection: Connection, crm: Crm, server: MailServer, kept: dict[str, str], greeting: str
) -> None:
    crm.execute(f"ALTER TABLE contacts ADD COLUMN {next(iter(kept))} text")
    tenant = crm.tenant()
    letters_of(crm, tenant, language="de")
    quote_letter(crm, tenant, contact_id=crm.contact(tenant, crm.client(tenant), **kept))

    run(connection, server.url)

    assert part_of(received(server)[0]).startswith(greeting)


def test_the_tenants_own_people_read_tasks_with_the_tenants_dates_and_not_the_contacts_language(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    tenant = crm.tenant()
    crm.execute("INSERT INTO tenant_calendar VALUES (%s, 'UTC', 'en-US')", tenant)
    letters_of(crm, tenant, currency="USD")
    contact = crm.contact(tenant, crm.client(tenant), attributes={"language": "fr"})
    quote_letter(crm, tenant, contact_id=contact, kind="task", template="quote_handover")

    run(connection, server.url)

    (task,) = crm.rows("SELECT description FROM tasks")
    assert "over $1,200.00" in task["description"]
    assert "valid until May 31, 2026" in task["description"]


def test_a_series_is_one_thread_of_whoever_got_its_beginning(
    connection: Connection, crm: Crm, server: MailServer
) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    ann, bob = crm.contact(tenant, client), crm.contact(tenant, client, email="bob@acme.example")
    quote = quote_letter(crm, tenant, contact_id=ann)
    run(connection, server.url)
    for step, contact in ((2, ann), (3, ann), (4, bob)):
        now = NOW + days(step)
        quote_letter(
            crm, tenant, subject_id=quote, contact_id=contact, variables=Jsonb(QUOTE | {"step": step}), run_at=now
        )
        run(connection, server.url, now)

    first, second, third, other = received(server)
    assert first["Subject"] == "Our quote Q-2026-0007"
    assert first["In-Reply-To"] is None
    for follow_up in (second, third):
        assert follow_up["Subject"] == "Re: Our quote Q-2026-0007"
        assert follow_up["In-Reply-To"] == follow_up["References"] == first["Message-ID"]
    assert other["In-Reply-To"] is None, "who never got the first message has no thread of it"
    assert not other["Subject"].startswith("Re:")


def test_another_matter_is_another_thread(connection: Connection, crm: Crm, server: MailServer) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant, crm.client(tenant))
    for hours in (0, 1):
        quote_letter(crm, tenant, contact_id=contact, run_at=NOW + timedelta(hours=hours))
        run(connection, server.url, NOW + timedelta(hours=hours))

    assert [message["In-Reply-To"] for message in received(server)] == [None, None]


@pytest.mark.parametrize(
    "template", ["http://nordwind.example/{id}", "https://nordwind.example/{nothing}", "javascript:alert(1)"]
)
def test_a_link_that_leads_nowhere_is_left_out(
    connection: Connection, crm: Crm, server: MailServer, template: str
) -> None:
    tenant = crm.tenant()
    letters_of(crm, tenant, links=Jsonb({"quote": template}))
    quote_letter(crm, tenant)

    assert run(connection, server.url) == {"sent": 1}
    assert "Read it here" not in part_of(received(server)[0])
