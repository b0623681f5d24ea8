"""If these fail, a machine's mail counts as a customer's, or we go on writing to an address that is dead."""

import pytest

from tests.crm import NOW, Crm
from tests.inbound import asked, northwind, stored, written
from tests.letters import UNHAPPY, bounce, letter
from workers.db.session import Connection


@pytest.mark.parametrize(
    ("headers", "kind"),
    [
        ([("Auto-Submitted", "auto-replied")], "auto_reply"),
        ([("X-Autoreply", "yes")], "auto_reply"),
        ([("Precedence", "bulk")], "bulk"),
        ([("Auto-Submitted", "auto-replied"), ("Subject", "Out of office: away until Monday")], "out_of_office"),
    ],
)
def test_a_machine_does_not_answer(connection: Connection, crm: Crm, headers: list[tuple[str, str]], kind: str) -> None:
    ask = asked(crm)
    raw = letter(UNHAPPY, answers=[ask.message_id], headers=[h for h in headers if h[0] != "Subject"])
    for name, value in headers:
        if name == "Subject":
            raw = raw.replace(b"Subject: Re: your message", f"Subject: {value}".encode())

    message = stored(connection, raw)
    assert (message.kind, message.action) == (kind, ask.action)
    assert crm.row("feedback_requests", ask.subject)["status"] == "sent"
    assert crm.rows("SELECT * FROM cases") == []


def test_a_hard_bounce_ends_mail_to_the_address_and_says_so_on_the_action(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    contact = crm.contact(tenant, email="Ann+crm@acme.example")
    deal = crm.deal(tenant, contact_id=contact, stalled_at=NOW)
    sent = written(crm, tenant, "deal", deal, contact_id=contact, sent_to="Ann+crm@acme.example")
    following = crm.action(tenant, subject_type="deal", subject_id=deal, contact_id=contact, recipient=None)

    message = stored(connection, bounce(sent.message_id, "Ann+crm@acme.example", "5.1.1"))
    assert (message.kind, message.action) == ("bounce", sent.action)
    [row] = crm.rows("SELECT * FROM suppressions")
    assert (row["address"], row["reason"]) == ("ann+crm@acme.example", "no such address (5.1.1)")
    actions = {row["id"]: row for row in crm.actions()}
    assert actions[sent.action]["reason"] == "not delivered: no such address (5.1.1)"
    assert crm.one("SELECT verdict FROM action_guards(ARRAY[%s::bigint])", following)["verdict"] == "skipped"


def test_a_delay_changes_nothing(connection: Connection, crm: Crm) -> None:
    ask = asked(crm)

    assert stored(connection, bounce(ask.message_id, "ann@acme.example", "4.4.1", action="delayed")).kind == "bounce"
    assert crm.rows("SELECT * FROM suppressions") == []
    assert [row["reason"] for row in crm.actions()] == [None]


def test_a_report_about_somebody_we_never_wrote_to_is_not_believed(connection: Connection, crm: Crm) -> None:
    tenant = northwind(crm)
    crm.contact(tenant)

    stored(connection, bounce("<1@elsewhere.example>", "stranger@acme.example", "5.1.1"))
    assert crm.rows("SELECT * FROM suppressions") == []
    stored(connection, bounce("<1@elsewhere.example>", "ann@acme.example", "5.1.1"))
    assert [row["address"] for row in crm.rows("SELECT * FROM suppressions")] == ["ann@acme.example"]
