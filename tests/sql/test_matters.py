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
