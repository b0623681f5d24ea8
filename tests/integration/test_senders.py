"""If these fail, a stranger ends what we write to a customer, or our own people's mail counts as his."""

from collections.abc import Callable

import pytest

from tests.crm import NOW, Crm
from tests.inbound import Asked, asked, followed_up, is_answered, northwind, stored
from tests.letters import OURS, UNHAPPY, by_hand
from workers.db.session import Connection

THREAD = "In-Reply-To: {id}\nReferences: {id}"
# A group sends on what was written to it, as Google makes them; and a list may put its own address into From.
GROUP = "Precedence: list\nList-ID: <care.northwind.example>\nMailing-list: list care@northwind.example"
REWRITTEN = "From: 'Ann Archer' via Care <care@northwind.example>"


def answer(ask: Asked, *lines: str, body: str = "Yes, we take it. Please send the contract.\n") -> bytes:
    return by_hand(THREAD.format(id=ask.message_id), *lines, body=body)


@pytest.fixture
def ask(crm: Crm) -> Asked:
    """A follow-up to Ann of Acme, whose client has a second contact and an owner."""
    tenant = northwind(crm)
    owner = crm.profile(tenant, email="Olive@northwind.example")
    ask = followed_up(crm, tenant)
    client = crm.row("quotes", ask.subject)["client_id"]
    crm.update("clients", client, owner_id=owner)
    crm.contact(tenant, client, email="Bea.Beck@private.example", first_name="Bea", is_primary=False)
    return ask


@pytest.mark.parametrize(
    "sender",
    [
        "Ann Archer <ann@acme.example>",
        "ANN+quotes@ACME.example",  # the mailbox that was written to
        "Bea Beck <bea.beck@private.example>",  # another contact of the client
        "Bob from purchasing <bob@acme.example>",  # a colleague
        "bob@munich.acme.example",
    ],
)
def test_a_colleague_may_answer(connection: Connection, crm: Crm, ask: Asked, sender: str) -> None:
    reply = stored(connection, answer(ask, f"From: {sender}"))

    assert (reply.kind, reply.action) == ("reply", ask.action)
    assert is_answered(crm, ask)
    assert crm.actions(template="answer_unplaced") == []


@pytest.mark.parametrize("sender", ["eve@elsewhere.example", "ann@acme.example.evil.example", "ann@notacme.example"])
def test_a_stranger_stops_nothing_and_a_person_hears_of_it(
    connection: Connection, crm: Crm, ask: Asked, sender: str
) -> None:
    for _ in range(2):
        message = stored(connection, answer(ask, f"From: Eve <{sender}>", "Subject: Re: Ten licences", body=UNHAPPY))
        assert (message.kind, message.action) == ("unplaced", ask.action)

    assert not is_answered(crm, ask)
    assert crm.row("inbound_messages", message.message)["client_id"] is None
    [task] = crm.actions(template="answer_unplaced")
    assert (task["kind"], task["status"], task["run_at"]) == ("task", "scheduled", NOW)
    assert task["assigned_to"] == crm.one("SELECT id FROM profiles")["id"]
    said = task["variables"]
    assert (said["why"], said["writer"], said["company"]) == ("stranger", f"Eve <{sender}>", "Acme")
    assert (said["subject"], said["text"]) == ("Re: Ten licences", UNHAPPY)


@pytest.mark.parametrize("domain", ["gmail.com", "t-online.de", "yahoo.co.uk"])
def test_two_customers_of_one_mail_provider_are_no_colleagues(connection: Connection, crm: Crm, domain: str) -> None:
    tenant = northwind(crm)
    client = crm.client(tenant)
    contact = crm.contact(tenant, client, email=f"ann@{domain}")
    ask = followed_up(crm, tenant, contact_id=contact, client_id=client, sent_to=f"ann@{domain}")

    assert stored(connection, answer(ask, f"From: eve@{domain}")).kind == "unplaced"
    assert stored(connection, answer(ask, f"From: ann@{domain}")).kind == "reply"


def test_a_stranger_opens_no_case(connection: Connection, crm: Crm) -> None:
    ask = asked(crm)

    assert stored(connection, answer(ask, "From: eve@elsewhere.example", body=UNHAPPY)).kind == "unplaced"
    assert crm.rows("SELECT * FROM cases") == []
    assert crm.row("feedback_requests", ask.subject)["sentiment"] is None


@pytest.mark.parametrize(
    "lines",
    [
        ["From: Olive Owner <olive@northwind.example>", f"To: ann@acme.example, {OURS}"],  # a colleague of ours
        [f"From: Northwind Care <{OURS}>", "To: sales@northwind.example"],  # a copy of what we sent
        ["From: care+quotes@northwind.example"],
        ["From: Care <offers@northwind.example>"],  # the tenant's sender
        ["From: Customer Care <care@fleet.example>"],  # the fleet's
        [f"From: {OURS}", "Reply-To: Olive <olive@northwind.example>"],
        ["From: olive@northwind.example", "Reply-To: list@elsewhere.example", "Sender: list-bounces@elsewhere.example"],
    ],
)
def test_mail_of_our_own_people_is_no_answer(connection: Connection, crm: Crm, lines: list[str]) -> None:
    ask = asked(crm)
    crm.profile(ask.tenant, email="Olive@northwind.example")
    crm.execute(
        "INSERT INTO tenant_delivery (tenant_id, from_address) VALUES (%s, 'Offers <Offers@northwind.example>')",
        ask.tenant,
    )

    message = stored(connection, answer(ask, *lines, body=UNHAPPY))
    assert (message.kind, message.action) == ("own", ask.action)
    assert crm.row("feedback_requests", ask.subject)["status"] == "sent"
    assert crm.rows("SELECT * FROM cases") == []
    assert crm.actions(template="answer_unplaced") == []
    crm.run("enrichment")
    assert crm.rows("SELECT * FROM opportunity_signals") == []


def test_everybody_in_a_domain_that_is_listed_whole_is_one_of_us(connection: Connection, crm: Crm) -> None:
    ask = followed_up(crm, northwind(crm, address="@northwind.example"))

    assert stored(connection, answer(ask, "From: somebody@northwind.example")).kind == "own"
    assert not is_answered(crm, ask)


def test_who_tries_it_out_on_himself_is_heard(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    crm.profile(tenant, email="olive@northwind.example")
    ask = followed_up(crm, tenant, sent_to="olive@northwind.example")

    assert stored(connection, answer(ask, "From: olive@northwind.example")).kind == "reply"


# Lists and groups


@pytest.mark.parametrize(
    "lines",
    [
        [GROUP],
        ["List-Id: Acme purchasing <purchasing.acme.example>", "List-Post: <mailto:purchasing@acme.example>"],
        ["Precedence: bulk", "X-BeenThere: purchasing@acme.example"],
        [GROUP, REWRITTEN, "X-Original-From: Ann Archer <ann@acme.example>", f"Reply-To: {OURS}"],
        [GROUP, REWRITTEN, "X-Original-Sender: ann@acme.example"],
        [REWRITTEN, "Reply-To: Ann Archer <ann@acme.example>"],
        ["From: Ann Archer via relay <noreply@relay.example>", "Reply-To: ann@acme.example"],
    ],
)
def test_an_answer_through_a_list_or_group_is_its_writers(
    connection: Connection, crm: Crm, ask: Asked, lines: list[str]
) -> None:
    reply = stored(connection, answer(ask, *lines))

    assert (reply.kind, reply.action) == ("reply", ask.action)
    assert is_answered(crm, ask)
    row = crm.row("inbound_messages", reply.message)
    assert (row["from_address"], row["contact_id"]) == ("ann@acme.example", crm.actions(id=ask.action)[0]["contact_id"])


def test_who_wants_his_answers_elsewhere_is_the_writer_all_the_same(
    connection: Connection, crm: Crm, ask: Asked
) -> None:
    reply = stored(connection, answer(ask, "From: bob@acme.example", "Reply-To: Purchasing <buy@elsewhere.example>"))

    assert crm.row("inbound_messages", reply.message)["from_address"] == "bob@acme.example"
    note = stored(connection, by_hand("From: bob@acme.example", "Reply-To: buy@elsewhere.example", "Subject: Pump"))
    assert crm.row("inbound_messages", note.message)["from_address"] == "bob@acme.example"


def test_an_answer_through_a_group_of_a_domain_that_is_listed_whole_is_its_writers(
    connection: Connection, crm: Crm
) -> None:
    ask = followed_up(crm, northwind(crm, address="@northwind.example"))

    assert stored(connection, answer(ask, GROUP, REWRITTEN, "Reply-To: ann@acme.example")).kind == "reply"
    assert stored(connection, by_hand(GROUP, "Subject: Pump")).kind == "message"


def test_what_is_written_to_the_tenants_own_list_is_a_message_and_not_bulk(connection: Connection, crm: Crm) -> None:
    northwind(crm)

    assert stored(connection, by_hand(GROUP, "Subject: Pump")).kind == "message"
    assert stored(connection, by_hand("List-Id: <news.shop.example>", "Subject: Ten pumps for nine")).kind == "bulk"


def test_a_newsletter_is_bulk_whatever_its_thread(connection: Connection, crm: Crm, ask: Asked) -> None:
    lines = [
        "From: news@shop.example",
        "List-Id: <news.shop.example>",
        "In-Reply-To: <1@shop.example>",
        "Precedence: bulk",
    ]

    assert stored(connection, by_hand(*lines)).kind == "bulk"
    assert not is_answered(crm, ask)


# What a person has to look at


@pytest.mark.parametrize(
    "written",
    [
        lambda ask: answer(ask, "Content-Type: text/html", body="<p><img src='cid:1'></p>"),
        lambda ask: answer(ask, "Content-Type: application/pkcs7-mime; smime-type=enveloped-data", body="MIIB\n"),
        lambda ask: answer(
            ask, 'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted"; boundary=b',
            body="--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n"
            "--b\nContent-Type: application/octet-stream\n\n-----BEGIN PGP MESSAGE-----\n\nhQEM\n--b--\n",
        ),
    ],
)  # fmt: skip
def test_an_answer_that_nobody_can_read_ends_the_series_and_is_shown_to_a_person(
    connection: Connection, crm: Crm, ask: Asked, written: Callable[[Asked], bytes]
) -> None:
    assert stored(connection, written(ask)).kind == "reply"

    assert is_answered(crm, ask)
    [task] = crm.actions(template="answer_unread")
    assert task["variables"]["writer"] == "Ann Archer <ann@acme.example>"
