"""If these fail, one part of a matter does not know what another part was told: the won quote is chased as a deal."""

import pytest

from tests.crm import NOW, Crm, days


@pytest.mark.parametrize("outcome", ["won", "lost"])
def test_an_outcome_of_one_quote_ends_the_series_of_its_deal_and_of_the_sister_quotes(crm: Crm, outcome: str) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    deal = crm.deal(tenant, contact_id=contact)
    decided, sister = (crm.quote(tenant, contact_id=contact, deal_id=deal) for _ in range(2))
    elsewhere = crm.quote(tenant, contact_id=contact)
    crm.read("record_quote_outcome", decided, outcome)

    deals, quotes = crm.run("deals"), crm.run("quotes")

    assert deals.tally.acted == {"deal_gone": 1}
    assert quotes.tally.acted == {"quote_settled": 1, "quote_follow_up": 1}
    assert [action["subject_id"] for action in crm.actions()] == [elsewhere]
    assert crm.row("quotes", sister)["due_at"] is None
    assert crm.run("quotes", at=NOW + days(2)).tally.due == 0


@pytest.mark.parametrize("stage", ["won", "Closed Lost"])
def test_a_closed_deal_ends_the_series_of_its_quotes(crm: Crm, stage: str) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    deal = crm.deal(tenant, contact_id=contact)
    crm.quote(tenant, contact_id=contact, deal_id=deal)
    crm.update("deals", deal, stage=stage)
    assert crm.run("quotes").tally.acted == {"quote_settled": 1}
    assert crm.actions() == []


def test_what_waits_to_be_sent_when_the_matter_is_decided_does_not_leave(crm: Crm) -> None:
    tenant = crm.tenant()
    contact = crm.contact(tenant)
    deal = crm.deal(tenant, contact_id=contact)
    crm.run("deals")
    decided, sister = (crm.quote(tenant, contact_id=contact, deal_id=deal) for _ in range(2))
    crm.run("quotes")
    crm.read("record_quote_outcome", decided, "won")

    verdicts = crm.rows("SELECT * FROM action_guards(ARRAY(SELECT id FROM scheduled_actions))")

    reasons = {action["subject_id"]: action["id"] for action in crm.actions()}
    found = {row["action_id"]: row["reason"] for row in verdicts}
    assert found[reasons[deal]] == "a quote of the deal has an outcome"
    assert found[reasons[decided]] == "the quote has an outcome"
    assert found[reasons[sister]] == "another quote of the deal has an outcome"


def test_one_mailbox_is_asked_once_whatever_contacts_bear_its_address(crm: Crm) -> None:
    tenant = crm.tenant()
    for number, address in enumerate(("ann@acme.example", "Ann+orders@Acme.example", "ben@acme.example")):
        contact = crm.contact(tenant, crm.client(tenant), email=address)
        crm.order(tenant, order_number=f"O-{number}", contact_id=contact, delivered_at=NOW - days(8))
    report = crm.run("feedback")
    assert report.tally.acted["asked"] == 2
    assert report.tally.skipped == {"contact was asked in the last 30 days": 1}

    late = crm.contact(tenant, crm.client(tenant), email="ANN@acme.example")
    crm.order(tenant, order_number="O-9", contact_id=late, delivered_at=NOW - days(1))
    assert crm.run("feedback", at=NOW + days(7)).tally.acted == {}


@pytest.mark.parametrize("about", ["order", "colleague"])
def test_an_open_case_that_names_no_client_silences_the_client_of_its_order_or_contact(crm: Crm, about: str) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    colleague = crm.contact(tenant, client, email="ben@acme.example", is_primary=False)
    crm.deal(tenant, client_id=client, contact_id=crm.contact(tenant, client))
    order = crm.order(tenant, client_id=client)
    named = {"order_id": order} if about == "order" else {"contact_id": colleague}
    case = crm.insert("cases", tenant_id=tenant, title="Broken", status="open", **named)
    crm.insert("cases", tenant_id=tenant, title="Nobody's", status="open")
    crm.run("deals")
    assert crm.send() == 0
    crm.update("cases", case, status="closed")
    crm.run("deals", at=NOW + days(1))
    assert crm.send(at=NOW + days(1)) == 1


def test_an_order_that_moves_to_another_client_while_its_question_waits_is_asked_there(crm: Crm) -> None:
    tenant = crm.tenant()
    before, after = crm.client(tenant), crm.client(tenant, company_name="Borealis")
    order = crm.order(tenant, client_id=before, contact_id=crm.contact(tenant, before), delivered_at=NOW - days(8))
    crm.contact(tenant, after, email="bo@borealis.example")
    crm.run("feedback")
    crm.update("orders", order, client_id=after, contact_id=None)
    assert crm.send() == 0
    crm.run("feedback", at=NOW + days(1))
    assert crm.send(at=NOW + days(1)) == 1
    assert [action["sent_to"] for action in crm.actions(status="sent")] == ["bo@borealis.example"]
