"""If these fail, nobody can tell from outside why a customer was written to, or why not."""

import json
from typing import Any
from uuid import UUID

import pytest

from tests.crm import NOW, Crm, days, stalled_deal
from tests.mail import MailServer
from tests.outbox import run
from tests.shell import fleet, one_line

AT = NOW.isoformat()


def told(database_url: str, what: object, *arguments: str, at: str = AT) -> dict[str, list[str]]:
    """What is said, by tense."""
    result = fleet(database_url, "explain", str(what), "--json", "--now", at, *arguments)
    assert result.returncode == 0, result.stderr
    said: dict[str, list[str]] = {"now": [], "next": [], "past": []}
    for sentence in json.loads(result.stdout)["sentences"]:
        said[sentence["tense"]].append(sentence["what"])
    return said


@pytest.fixture
def deal(crm: Crm) -> UUID:
    """A deal that was silent for nine days, of Northwind."""
    stalled_deal(crm)
    (row,) = crm.rows("SELECT id FROM deals")
    id: UUID = row["id"]  # noqa: A001  # the column's name
    return id


def test_a_deal_says_how_it_stands_what_comes_next_and_what_happened(crm: Crm, deal: UUID, database_url: str) -> None:
    crm.run("deals")
    with MailServer() as server:
        run(crm.connection, server.url)
    said = told(database_url, "ten LICENCES")
    assert 'the deal is open, in the stage "lead"' in said["now"]
    assert "the last run of deals: succeeded" in said["now"]
    assert "follow-up 2 of 5 is due" in said["next"]
    assert 'e-mail "deal follow up" was sent to ann@acme.example: A question about our offer' in said["past"]

    printed = fleet(database_url, "explain", str(deal), "--now", AT, COLUMNS="80").stdout
    assert "2026-03-04 09:00  follow-up 2 of 5 is due" in printed
    assert "2026-03-02 14:00  deals runs next" in printed
    assert printed.index("How it stands") < printed.index("What comes next") < printed.index("What happened")


def test_what_is_not_due_yet_says_when_it_will_be(crm: Crm, deal: UUID, database_url: str) -> None:
    crm.update("deals", deal, last_activity_at=NOW - days(1))
    said = told(database_url, deal)
    assert said["next"][0].startswith("the deal counts as stalled, if nothing happens until then")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE deals SET stage = 'Im Sack'", 'nobody has said what the stage "Im Sack" means'),
        ("UPDATE deals SET stage = 'won'", 'the stage "won" means won: nothing is written about it'),
        ("UPDATE deals SET auto_follow_up_enabled = false", "follow-ups are switched off for this deal"),
        ("UPDATE contacts SET email = NULL", "there is nobody to write to"),
        ("INSERT INTO engine_settings SELECT id, 'deals', 'off' FROM tenants", "deals is switched off for this tenant"),
        (
            "INSERT INTO suppressions (tenant_id, address, reason) SELECT id, 'ann@acme.example', 'asked' FROM tenants",
            "nobody writes to ann@acme.example: asked",
        ),
        (
            """
            WITH moved AS (UPDATE contacts SET email = 'ann+offers@acme.example' RETURNING tenant_id)
            INSERT INTO suppressions (tenant_id, address, reason)
            SELECT tenant_id, 'ann@acme.example', 'asked' FROM moved
            """,
            "nobody writes to ann+offers@acme.example: asked",
        ),
        (
            "SELECT stop_tenant(id, 'deals', 'complaints', 'olive') FROM tenants",
            "olive stopped deals: complaints",
        ),
        (
            "INSERT INTO tenant_delivery (tenant_id, paused) SELECT id, true FROM tenants",
            "all mail of the tenant is paused",
        ),
        (
            "INSERT INTO items_aside SELECT tenant_id, 'deals', id, 'no such colour', now() FROM deals",
            "it is set aside for a day, because the CRM refuses the step: no such colour",
        ),
    ],
)
def test_why_nothing_happens_is_said(crm: Crm, deal: UUID, database_url: str, change: str, words: str) -> None:
    crm.run("deals", NOW - days(3))  # so that a follow-up would be due
    crm.execute(change)
    said = told(database_url, deal)
    assert [one for one in said["now"] if one.startswith(words)], said
    if "switched off for this tenant" in words or "stopped" in words:
        assert [one for one in said["next"] if "due" in one] == []


def test_what_was_set_aside_longer_than_a_day_ago_is_no_reason_any_more(
    crm: Crm, deal: UUID, database_url: str
) -> None:
    crm.execute("INSERT INTO items_aside SELECT tenant_id, 'deals', id, 'no such colour', %s FROM deals", NOW - days(2))
    assert not [one for one in told(database_url, deal)["now"] if "set aside" in one]


def test_an_action_that_waits_says_for_whom_and_what_to_do(crm: Crm, deal: UUID, database_url: str) -> None:
    (tenant,) = crm.rows("SELECT id FROM tenants")
    crm.mode(tenant["id"], "deals", "review")
    crm.run("deals")
    (action,) = crm.actions()
    assert (
        f'e-mail "deal follow up" waits for a person (fleet actions approve {action["id"]})'
        in told(database_url, deal)["now"]
    )
    fleet(database_url, "actions", "cancel", str(action["id"]), "--yes", "--by", "olive", "--why", "she called")
    past = told(database_url, deal)["past"]
    assert 'e-mail "deal follow up" was cancelled by olive: she called' in past
    assert 'e-mail "deal follow up" was not sent: cancelled by olive: she called' in past


def test_a_mailbox_tells_whose_it_is_who_may_write_and_what_went_to_and_fro(
    crm: Crm, deal: UUID, database_url: str
) -> None:
    crm.run("deals")
    fleet(
        database_url, "suppressions", "add", "Northwind", "ann@acme.example", "--why", "asked by phone", "--by", "olive"
    )
    said = told(database_url, "Ann+x@ACME.example")
    assert "it is the address of Ann (Acme)" in said["now"]
    assert "nobody writes to ann@acme.example: asked by phone (olive)" in said["now"]
    assert 'e-mail "deal follow up" would be refused: address is suppressed: asked by phone' in said["next"]
    assert "olive suppressed it: asked by phone" in said["past"]


def test_a_mailbox_of_nobody_is_found_by_whatever_spelling_was_decided_about_or_wrote(
    crm: Crm, database_url: str
) -> None:
    tenant = crm.tenant("Northwind")
    spelled, by_olive = "Bo+x@Acme.example", ("--by", "olive", "--yes")
    fleet(database_url, "suppressions", "add", "Northwind", spelled, "--why", "asked", "--by", "olive")
    assert told(database_url, "bo@acme.example")["now"] == ["nobody writes to bo+x@acme.example: asked (olive)"]
    fleet(database_url, "suppressions", "remove", "Northwind", spelled, "--why", "asked again", *by_olive)
    crm.insert(
        "inbound_messages", tenant_id=tenant, message_id="1", kind="message", from_address="bo+y@acme.example",
        raw_size=1, received_at=NOW,
    )  # fmt: skip
    assert set(told(database_url, "bo@acme.example")["past"]) == {
        "a mail came from there",
        "olive let it be written to again: asked again",
        "olive suppressed it: asked",
    }


def test_a_quote_an_order_and_a_check_are_found_by_number_or_id(crm: Crm, database_url: str) -> None:
    tenant = crm.tenant()
    client = crm.client(tenant)
    contact = crm.contact(tenant, client)
    crm.quote(tenant, quote_number="Q-7", client_id=client, contact_id=contact, valid_until=(NOW + days(20)).date())
    order = crm.order(tenant, client_id=client, contact_id=contact, delivered_at=NOW - days(1))
    check = crm.check(tenant, client, required_fields=["vat_id"])
    quote = told(database_url, "Q-7")
    assert quote["now"][0] == "the quote is sent"
    assert quote["next"][:2] == ["follow-up 1 of 5 is due", "the quote expires"]
    assert told(database_url, "o-1")["next"] == ["its contact is asked for feedback"]
    assert told(database_url, order)["now"][0] == "the order is delivered"
    crm.run("compliance")
    said = told(database_url, check)
    assert "the check of Acme is awaiting response" in said["now"]
    assert "missing: vat_id" in said["now"]
    assert "its due date" in said["next"]


def test_what_several_bear_is_listed_and_what_nobody_bears_is_said(crm: Crm, database_url: str) -> None:
    for name in ("Northwind", "Contoso"):
        crm.deal(crm.tenant(name), title="Ten licences")
    result = fleet(database_url, "explain", "Ten licences")
    assert result.returncode == 2
    first, *others = result.stderr.splitlines()
    assert first == "fleet: 'Ten licences' may be any of 2: say its id, or --tenant"
    assert [line.split(", ")[-1] for line in others] == ["Contoso", "Northwind"]
    assert told(database_url, "Ten licences", "--tenant", "Contoso")["now"]
    assert "no address, deal, quote, order or check 'Q-99'" in one_line(fleet(database_url, "explain", "Q-99"))


def test_a_tenants_explanation_holds_nothing_of_another(crm: Crm, deal: UUID, database_url: str) -> None:
    crm.run("deals")
    other = crm.tenant("Contoso")
    crm.contact(other, email="ann@acme.example", first_name="Another")
    crm.action(other, recipient="ann@acme.example", last_error="secret")
    said: Any = told(database_url, "ann@acme.example", "--tenant", "Northwind")
    assert "Another" not in str(said)
    assert "secret" not in str(said)
