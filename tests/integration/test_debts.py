"""If these fail, somebody who wrote to us is written to as if he had not, or nobody is told that he did."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from tests.crm import NOW, Crm, days
from tests.inbound import northwind, written
from tests.letters import OURS, letter
from workers import clock
from workers.db.session import Connection
from workers.inbound.ingest import ingest


@dataclass(frozen=True)
class Street:
    """A tenant, and a client of it with Ann, who is written to."""

    connection: Connection
    crm: Crm
    tenant: UUID
    client: UUID
    ann: UUID

    def hear(
        self, text: str, at: timedelta = timedelta(0), *, who: str = "ann@acme.example", answers: str = ""
    ) -> None:
        """Take in a mail to the tenant."""
        with clock.at(NOW + at):
            mail = letter(text, sender=who, to=OURS, answers=[answers] if answers else [])
            ingest(self.connection, mail, "test")

    def deal(self, **values: object) -> UUID:
        return self.crm.deal(self.tenant, **{"client_id": self.client, "contact_id": self.ann} | values)

    def quote(self, **values: object) -> UUID:
        return self.crm.quote(self.tenant, **{"client_id": self.client, "contact_id": self.ann} | values)


@pytest.fixture
def street(connection: Connection, crm: Crm) -> Street:
    tenant = northwind(crm)
    client = crm.client(tenant)
    return Street(connection, crm, tenant, client, crm.contact(tenant, client))


def test_who_answers_about_a_quote_is_not_chased_about_its_deal(street: Street) -> None:
    deal = street.deal()
    quote = street.quote(deal_id=deal)
    about = {"client_id": street.client, "contact_id": street.ann, "engine": "quotes", "sent_at": NOW - days(1)}
    asked = written(street.crm, street.tenant, "quote", quote, **about)
    street.hear("Sorry, we bought elsewhere.", answers=asked.message_id)
    assert street.crm.row("deals", deal)["follow_up_ended_for"] == "refused"
    assert street.crm.row("quotes", quote)["follow_up_ended_for"] == "refused"


def test_a_purchase_order_in_a_fresh_mail_holds_the_quote_and_reaches_a_person(street: Street) -> None:
    quote = street.quote(sent_at=NOW, next_follow_up_at=NOW + days(3))
    street.hear("Please find our purchase order attached.", days(1))
    assert street.crm.row("quotes", quote)["follow_up_hold"] == "an answer to the customer"
    assert street.crm.templates() == {"answer_received": 1}
    assert street.crm.run("quotes", at=NOW + days(30)).tally.due == 0
    street.crm.one("SELECT send_quote(%s)", quote)
    row = street.crm.row("quotes", quote)
    assert (row["follow_up_hold"], row["follow_up_series"]) == (None, 2), "sent again, it begins anew"


def test_who_writes_the_day_before_a_deal_stalls_is_not_asked_how_things_stand(street: Street) -> None:
    deal = street.deal(last_activity_at=NOW - days(2))
    street.hear("When could you deliver?")
    assert street.crm.run("deals", at=NOW + days(20)).tally.due == 0
    assert street.crm.row("deals", deal)["follow_up_hold"] == "an answer to the customer"
    assert street.crm.templates() == {"answer_received": 1}


def test_a_colleagues_mail_between_two_steps_holds_what_is_being_followed_up_and_nothing_else(street: Street) -> None:
    running, quiet = street.deal(), street.deal(last_activity_at=NOW - days(1))
    street.crm.contact(street.tenant, street.client, email="ben@acme.example", is_primary=False)
    street.crm.run("deals")
    street.crm.send()
    street.hear("We have taken another supplier for this.", days(1), who="Ben <ben@acme.example>")
    assert street.crm.row("deals", running)["follow_up_hold"] == "an answer to the customer"
    assert street.crm.row("deals", quiet)["follow_up_hold"] is None
    assert len(street.crm.actions(template="answer_received")) == 1


def test_a_second_mail_of_the_day_is_a_task_of_its_own_once_the_first_ones_is_filed(street: Street) -> None:
    street.quote()
    street.hear("Could you tell us the weight?")
    street.hear("And the length?", timedelta(minutes=1))
    [task] = street.crm.actions(template="answer_received")
    assert task["variables"]["more"] == 1
    street.crm.execute("UPDATE scheduled_actions SET status = 'sent', sent_at = %s", NOW)
    street.hear("We take it.", timedelta(hours=1))
    assert [a["variables"]["text"] for a in street.crm.actions(template="answer_received")] == [
        "Could you tell us the weight?",
        "We take it.",
    ]


@pytest.mark.parametrize("ended_for", ["answered", "handed over", "refused", "unreachable"])
@pytest.mark.parametrize("about", ["quote", "deal"])
def test_who_writes_after_the_follow_ups_have_ended_reaches_a_person_all_the_same(
    street: Street, about: str, ended_for: str
) -> None:
    over = {"follow_up_ended_at": NOW - days(1), "follow_up_ended_for": ended_for}
    subject = street.quote(**over) if about == "quote" else street.deal(**over)
    street.hear("Sorry for the silence: we would like to order.")
    assert street.crm.templates() == {"answer_received": 1}
    row = street.crm.row(f"{about}s", subject)
    assert (row["follow_up_ended_for"], row["follow_up_hold"]) == (ended_for, None)


def test_who_writes_about_a_check_that_is_overdue_reaches_a_person(street: Street) -> None:
    check = street.crm.check(street.tenant, street.client, due_at=NOW + days(30), notification_days_before=30)
    street.crm.run("compliance")
    street.crm.send()
    street.crm.update("compliance_checks", check, status="overdue")
    street.hear("Here is the declaration, with apologies.", days(40))
    assert len(street.crm.actions(template="answer_received")) == 1


def test_a_colleagues_mail_holds_nothing_where_only_the_contacts_own_counts(street: Street) -> None:
    street.crm.open_always(street.tenant)
    street.crm.execute("UPDATE tenant_delivery SET wrote_since = 'contact'")
    ben = street.crm.contact(street.tenant, street.client, email="ben@acme.example", is_primary=False)
    deal = street.deal()
    street.crm.run("deals")
    street.hear("Please send your catalogue.", timedelta(minutes=1), who="Ben <ben@acme.example>")
    assert street.crm.row("deals", deal)["follow_up_hold"] == "its message"
    assert street.crm.send(NOW + timedelta(minutes=2)) == 1
    quote = street.quote(contact_id=ben)
    street.hear("And your prices?", timedelta(minutes=3), who="Ben <ben@acme.example>")
    assert street.crm.row("quotes", quote)["follow_up_hold"] == "an answer to the customer"


def test_an_address_that_two_contacts_bear_is_one_person_who_wrote(street: Street) -> None:
    elsewhere = street.crm.client(street.tenant, company_name="Borealis")
    again = street.crm.contact(street.tenant, elsewhere, email="Ann+borealis@acme.example", is_primary=False)
    street.crm.run("deals")
    street.crm.deal(street.tenant, client_id=elsewhere, contact_id=again)
    street.crm.run("deals")
    [action] = street.crm.actions()
    street.crm.insert(
        "inbound_messages", tenant_id=street.tenant, message_id="<1@acme.example>", kind="message", raw_size=1,
        contact_id=street.ann, client_id=street.client, from_address="ann@acme.example",
        received_at=NOW + timedelta(minutes=1),
    )  # fmt: skip
    assert street.crm.send(NOW + timedelta(minutes=2)) == 0
    assert street.crm.actions(id=action["id"])[0]["code"] == "wrote_since"


def test_that_a_customer_looks_at_his_quote_lifts_no_debt(street: Street) -> None:
    deal = street.deal()
    quote = street.quote(deal_id=deal)
    street.hear("Could you tell us the weight?")
    with clock.at(NOW + days(1)):
        street.crm.one("SELECT record_quote_view(%s)", quote)
    assert street.crm.row("deals", deal)["follow_up_hold"] == "an answer to the customer"


def test_who_sends_what_a_check_asked_for_in_a_mail_of_its_own_is_not_reminded_again(street: Street) -> None:
    check = street.crm.check(street.tenant, street.client, due_at=NOW + days(30), notification_days_before=30)
    street.crm.run("compliance")
    street.crm.send()
    street.hear("Here is the declaration.", days(1))
    assert street.crm.run("compliance", at=NOW + days(7)).tally.actions == {}
    assert street.crm.row("compliance_checks", check)["reminder_hold"] == "an answer to the customer"
    assert len(street.crm.actions(template="answer_received")) == 1


def test_a_plus_tag_does_not_undo_the_wish_for_no_more_mail(street: Street) -> None:
    street.crm.execute("INSERT INTO suppressions VALUES (%s, 'ann@acme.example', 'asked us to stop')", street.tenant)
    other = street.crm.contact(street.tenant, street.client, email="Ann+crm@acme.example")
    street.deal(contact_id=other)
    street.crm.run("deals")
    assert street.crm.templates() == {"deal_unreachable": 1}


def test_an_engine_that_the_operator_stopped_sends_nothing_that_waits(street: Street) -> None:
    street.deal()
    street.crm.run("deals")
    street.crm.execute("SELECT stop_tenant(%s, 'deals', 'asked', 'us')", street.tenant)
    assert street.crm.send() == 0
    street.crm.execute("DELETE FROM operator_stops")
    assert street.crm.send() == 1


@pytest.mark.parametrize("status", ["dead", "failed", "cancelled"])
def test_what_a_person_starts_again_after_a_message_that_never_left_is_written_again(
    street: Street, status: str
) -> None:
    deal = street.deal()
    street.crm.run("deals")
    street.crm.execute("UPDATE scheduled_actions SET status = %s, code = 'operator', reason = 'no'", status)
    street.crm.update("deals", deal, follow_up_hold=None, follow_up_ended_at=None, next_follow_up_at=NOW)
    assert street.crm.run("deals", at=NOW + days(1)).tally.actions == {"deal_follow_up": 1}
    assert street.crm.rows("SELECT FROM items_aside") == []
