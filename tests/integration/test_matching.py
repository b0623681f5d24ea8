"""If these fail, a customer who answered is written to again, because nobody saw what he answers."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.crm import NOW, Crm, days
from tests.inbound import REPLIES, SECRET, Asked, followed_up, is_answered, northwind, stored, take, written
from tests.letters import HAPPY, OURS, UNHAPPY, by_hand, letter
from workers import clock
from workers.correspondence import Answered, message_id, reference, reply_address
from workers.db.session import Connection
from workers.delivery.channels import MaildirChannel
from workers.delivery.deliver import deliver
from workers.inbound.ingest import Aside, Outcome, Stored
from workers.settings import Settings, settings

RELAYED = "<0102019a-77aa-4c1e-000000@eu-west-1.relay.example>"


@pytest.fixture
def secret(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A secret for reply addresses, too."""
    monkeypatch.setenv("FLEET_REPLY_SECRET", SECRET)
    settings.cache_clear()
    yield
    settings.cache_clear()


# How an answer names the message it answers, <{local}@{domain}>; {cut} is {local} folded behind its first dot.
NAMED = {
    "in the usual way": "In-Reply-To: <{local}@{domain}>\nReferences: <{local}@{domain}>",
    "in its thread alone": "References: <1@acme.example> <{local}@{domain}> <2@acme.example>",
    "without brackets": "In-Reply-To: {local}@{domain}",
    "without brackets among others": "References: 1@acme.example {local}@{domain} 2@acme.example",
    "in quotation marks": 'In-Reply-To: "{local}@{domain}"',
    "folded in its middle": "In-Reply-To: <{cut}@{domain}>",
    "folded before its @": "References: <1@acme.example>\n <{local}\n\t@{domain}>",
    "folded without brackets": "In-Reply-To: {cut}@{domain}",
    "with comments": "In-Reply-To: (Olive's message of Monday) <{local}@{domain}> (really)",
    "with words before it": "In-Reply-To: Your message of Mon, 2 Mar 2026 <{local}@{domain}>",
    "as an encoded word": "References: =?us-ascii?Q?=3C{local}@{domain}=3E?=",
    "with a relay's domain": "In-Reply-To: <{local}@relay.example>",
    "in a relay's header": f"In-Reply-To: {RELAYED}\nX-Original-In-Reply-To: <{{local}}@{{domain}}>",
    "in a relay's thread": f"References: {RELAYED}\nX-Relay-References: {RELAYED} <{{local}}@{{domain}}>",
}


@pytest.mark.parametrize("way", NAMED)
def test_an_answer_is_known_by_the_message_it_names(connection: Connection, crm: Crm, way: str) -> None:
    ask = followed_up(crm)
    written(crm, ask.tenant, "deal", crm.deal(ask.tenant), sent_at=NOW)  # a later one, so that nothing is guessed

    local, _, domain = ask.message_id.strip("<>").partition("@")

    for name in (local, local.upper()):
        named = NAMED[way].format(local=name, domain=domain, cut=name.replace(".", ".\n ", 1))
        reply = stored(connection, by_hand(named))
        assert (reply.kind, reply.action) == ("reply", ask.action)
    assert is_answered(crm, ask)


def test_the_message_that_is_answered_is_the_latest_of_its_thread(connection: Connection, crm: Crm) -> None:
    first = followed_up(crm)
    second = written(crm, first.tenant, "quote", first.subject, sent_at=NOW)

    assert stored(connection, letter(answers=[first.message_id, second.message_id])).action == second.action
    thread = [f"References: {first.message_id} {second.message_id}"]
    assert stored(connection, by_hand(*thread)).action == second.action


@pytest.mark.usefixtures("secret")
def test_an_answer_is_known_by_its_signed_address(connection: Connection, crm: Crm) -> None:
    ask = followed_up(crm, crm.tenant())
    address = reply_address(Answered(ask.action, ask.tenant), REPLIES, SECRET)

    for headers in (
        f"To: {address}",
        f"To: {address.upper()}",
        f"Delivered-To: {address}",
        f"X-Envelope-To: <{address}>",
    ):
        reply = stored(connection, by_hand(headers))
        assert (reply.tenant, reply.kind, reply.action) == (ask.tenant, "reply", ask.action)


@pytest.mark.parametrize(
    "quote",
    [
        "> Kind regards,\n> Northwind\n>\n> Ref: {}\n",
        "-----Original Message-----\nFrom: Northwind\n\nKind regards\n\nRef: {}\n",
        "> ref:  {}\n",
    ],
)
def test_an_answer_is_known_by_the_text_that_it_quotes(connection: Connection, crm: Crm, quote: str) -> None:
    ask = followed_up(crm)
    body = "Yes, please.\n\nOn Mon, 2 Mar 2026, Northwind wrote:\n" + quote.format(reference(ask.action))

    reply = stored(connection, by_hand(f"In-Reply-To: {RELAYED}", "Subject: your message", body=body))
    assert (reply.kind, reply.action) == ("reply", ask.action)


def test_an_answer_in_html_is_known_by_the_text_that_it_quotes(connection: Connection, crm: Crm) -> None:
    ask = followed_up(crm)
    page = f"<p>Yes, please.</p><blockquote>Kind regards<br>Ref:&nbsp;{reference(ask.action).upper()}</blockquote>"

    reply = stored(connection, by_hand("Content-Type: text/html", "Subject: your message", body=page))
    assert (reply.kind, reply.action) == ("reply", ask.action)


def sent(connection: Connection, settings: Settings) -> str:
    """Deliver what is due and return the one mail that left."""
    mail = Path(settings.fleet_home) / "mail"
    with clock.at(NOW - days(3)):  # a Friday
        deliver(connection, MaildirChannel(mail), settings)
    (raw,) = [path.read_text() for path in (mail / "new").iterdir()]
    return raw


def due_request(crm: Crm) -> None:
    tenant = northwind(crm)
    crm.order(tenant, contact_id=crm.contact(tenant, crm.client(tenant)), delivered_at=NOW - days(12))
    crm.run("feedback", at=NOW - days(3))


@pytest.mark.usefixtures("secret")
def test_a_sent_message_can_be_answered_at_the_address_it_gives(connection: Connection, crm: Crm) -> None:
    due_request(crm)
    raw = sent(connection, Settings(fleet_reply_domain=REPLIES))
    (address,) = [line.removeprefix("Reply-To: ") for line in raw.splitlines() if line.startswith("Reply-To: ")]

    assert address.endswith(f"@{REPLIES}")
    assert stored(connection, letter(HAPPY, to=address)).kind == "reply"


def test_a_sent_message_can_be_answered_by_quoting_it(connection: Connection, crm: Crm) -> None:
    due_request(crm)
    text = sent(connection, settings()).partition("\n\n")[2]
    quoted = "".join(f"> {line}\n" for line in text.splitlines())

    assert stored(connection, by_hand("Subject: Hello", body=f"{HAPPY}\n\n{quoted}")).kind == "reply"


def test_an_answer_whose_ids_a_relay_replaced_is_known_by_its_subject(connection: Connection, crm: Crm) -> None:
    due_request(crm)
    (subject,) = [line[9:] for line in sent(connection, settings()).splitlines() if line.startswith("Subject: ")]
    answers = {
        f"Re: {subject}": "reply",
        f"AW: [EXTERN] Re: {subject.upper()}": "reply",
        "Re: something else": "message",
        subject: "message",  # no answer by its subject
        f"Fwd: {subject}": "message",
    }

    for line, kind in answers.items():
        assert stored(connection, by_hand(f"Subject: {line}", f"In-Reply-To: {RELAYED}")).kind == kind, line


@pytest.mark.parametrize(
    "mail",
    [
        by_hand("Subject: Re: your message"),  # a subject alone answers nothing
        by_hand(f"In-Reply-To: {RELAYED}", "From: Bob <bob@acme.example>"),  # another was written to
        by_hand(f"In-Reply-To: {RELAYED}", "Auto-Submitted: auto-replied"),
        by_hand(f"In-Reply-To: {RELAYED}", "Precedence: bulk"),
        by_hand(f"In-Reply-To: {RELAYED}", "Authentication-Results: mx.northwind.example; dmarc=fail"),
    ],
)
def test_a_subject_answers_nothing_by_itself(connection: Connection, crm: Crm, mail: bytes) -> None:
    ask = followed_up(crm)

    assert stored(connection, mail).action is None
    assert not is_answered(crm, ask)


def test_an_answer_to_one_of_several_is_placed_by_a_person(connection: Connection, crm: Crm) -> None:
    ask = followed_up(crm)
    owner = crm.profile(ask.tenant, role="service")
    written(crm, ask.tenant, "deal", crm.deal(ask.tenant, stalled_at=NOW), sent_at=NOW - days(2))

    message = stored(connection, by_hand(f"In-Reply-To: {RELAYED}"))
    assert (message.kind, message.action) == ("unplaced", None)
    assert not is_answered(crm, ask)
    [task] = crm.actions(template="answer_unplaced")
    assert (task["kind"], task["status"], task["assigned_to"]) == ("task", "scheduled", owner)
    assert task["variables"]["why"] == "several"


@pytest.mark.parametrize(
    "over",
    [
        "UPDATE quotes SET outcome = 'won'",
        "UPDATE scheduled_actions SET sent_at = sent_at - interval '91 days'",
        "UPDATE scheduled_actions SET sent_subject = 'Another matter'",
    ],
)
def test_what_is_over_is_not_answered_by_a_subject(connection: Connection, crm: Crm, over: str) -> None:
    followed_up(crm)
    crm.execute(over)

    message = stored(connection, by_hand(f"In-Reply-To: {RELAYED}"))
    assert (message.kind, message.action) == ("message", None)


def test_what_was_never_sent_cannot_be_answered(connection: Connection, crm: Crm) -> None:
    ask = followed_up(crm, status="scheduled", attempts=0, sent_to=None, sent_at=None)

    assert stored(connection, letter(answers=[ask.message_id])).kind == "message"


def test_a_message_that_answers_nothing_changes_nothing(connection: Connection, crm: Crm) -> None:
    ask = followed_up(crm)

    assert stored(connection, letter("About that quote of yours: yes!")).kind == "message"
    assert not is_answered(crm, ask)


# Whose it is


def test_an_answer_whose_mailbox_is_unknown_finds_its_tenant(connection: Connection, crm: Crm) -> None:
    ask = followed_up(crm, crm.tenant())

    assert stored(connection, letter(to="shared@fleet.example", answers=[ask.message_id])).tenant == ask.tenant


def test_what_is_answered_counts_more_than_a_mailbox_that_somebody_else_lists(connection: Connection, crm: Crm) -> None:
    ask = followed_up(crm, crm.tenant())
    northwind(crm, "Southwind", OURS)

    reply = stored(connection, letter(answers=[ask.message_id]))
    assert (reply.tenant, reply.kind) == (ask.tenant, "reply")


RIVAL = "To: care@southwind.example"


@pytest.mark.parametrize(
    "passed_on",
    [
        lambda ask: by_hand(RIVAL, "Subject: Fwd: your message", f"References: {ask.message_id}"),
        lambda ask: by_hand(RIVAL, body=f"Can you beat that?\n\n> Ref: {reference(ask.action)}\n"),
        lambda ask: by_hand(RIVAL, "Content-Type: message/rfc822", body=f"Message-ID: {ask.message_id}\n\nHello\n"),
    ],
)
def test_what_a_customer_passes_on_to_another_tenant_is_for_that_one(
    connection: Connection, crm: Crm, passed_on: Callable[[Asked], bytes]
) -> None:
    ask = followed_up(crm)
    southwind = northwind(crm, "Southwind", "care@southwind.example")

    message = stored(connection, passed_on(ask))
    assert (message.tenant, message.kind, message.action) == (southwind, "message", None)
    assert not is_answered(crm, ask)


def test_a_tenants_own_mailbox_is_told_nothing_of_another_tenants_messages(connection: Connection, crm: Crm) -> None:
    ask = followed_up(crm)
    southwind = northwind(crm, "Southwind", "care@southwind.example")

    outcome: Outcome = take(connection, letter(UNHAPPY, answers=[ask.message_id]), southwind)
    assert isinstance(outcome, Stored)
    assert (outcome.tenant, outcome.kind, outcome.action) == (southwind, "message", None)
    assert not is_answered(crm, ask)


# What nobody but us can have made


def test_a_message_id_that_nobody_signed_answers_nothing(connection: Connection, crm: Crm) -> None:
    ask = followed_up(crm)
    name, _, domain = ask.message_id.strip("<>").partition("@")
    forged = [f"<action.{ask.action}.{ask.tenant.hex}@{domain}>"]  # as earlier releases made them
    forged += [f"<{name[:-1]}{'a' if name[-1] != 'a' else 'b'}@{domain}>", f"<{name[:-16]}{'a' * 16}@{domain}>"]
    forged += [message_id(Answered(ask.action + 1, ask.tenant), domain)]

    for identifier in forged:
        message = stored(connection, letter(UNHAPPY, answers=[identifier]))
        assert (message.kind, message.action) == ("message", None), identifier
    assert not is_answered(crm, ask)
    assert isinstance(take(connection, letter(to="x@y.example", answers=[forged[0]])), Aside)


def test_a_message_of_an_earlier_release_is_answered_by_the_id_it_was_sent_under(
    connection: Connection, crm: Crm
) -> None:
    ask = followed_up(crm)
    unsigned = f"<action.{ask.action}.{ask.tenant.hex}@northwind.example>"
    crm.execute("UPDATE scheduled_actions SET message_id = %s", unsigned)

    assert stored(connection, letter(answers=[unsigned])).action == ask.action


def test_a_message_sent_by_another_machine_is_answered_by_the_id_it_was_sent_under(
    connection: Connection, crm: Crm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ask = followed_up(crm)
    crm.execute("UPDATE scheduled_actions SET message_id = %s", ask.message_id)
    monkeypatch.setenv("FLEET_HOME", str(tmp_path / "another"))
    settings.cache_clear()

    assert stored(connection, letter(answers=[ask.message_id])).action == ask.action


@pytest.mark.usefixtures("secret")
def test_a_forged_or_altered_address_answers_nothing(connection: Connection, crm: Crm) -> None:
    ask = followed_up(crm)
    right = reply_address(Answered(ask.action, ask.tenant), REPLIES, SECRET)
    token = right.removeprefix("reply+").partition("@")[0]
    forged = [reply_address(Answered(ask.action, ask.tenant), REPLIES, "another secret of ours")]
    forged += [
        right.replace(token, token[:place] + ("b" if token[place] != "b" else "c") + token[place + 1 :])
        for place in range(len(token))
    ]

    for address in forged:
        reply = stored(connection, letter(UNHAPPY, to=f"{address}, {OURS}"))
        assert (reply.kind, reply.action) == ("message", None), address
    assert not is_answered(crm, ask)
