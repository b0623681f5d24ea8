"""If these fail, mail goes on to dead addresses, or a mail server's report is taken for a customer's answer."""

from email import message_from_string, policy
from email.message import Message

import pytest

from tests.insight.mails import ANN, OURS, given_up, names, read
from workers.insight.bounces import returned_message_ids
from workers.insight.machine_mail import Judgement, classify_message


def report(
    diagnostic: str,
    *,
    action: str = "failed",
    status: str = "5.0.0",
    said: str = "",
    reporter: str = "mx.northwind.example",
) -> Message:
    """A report after RFC 3464."""
    return message_from_string(
        f"""\
Return-Path: <>
From: Mail Delivery System <MAILER-DAEMON@mx.northwind.example>
To: care@northwind.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

Sorry.

{said}

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; {reporter}

Final-Recipient: rfc822; {ANN}
Action: {action}
Status: {status}
Diagnostic-Code: {diagnostic}

--b--
""",
        policy=policy.compat32,
    )


@pytest.mark.parametrize("name", names("dead"))
def test_a_dead_address_is_found_in_every_kind_of_report(name: str) -> None:
    judgement = classify_message(read("dead", name))
    assert (judgement.kind, given_up(judgement)) == ("bounce", [ANN])


@pytest.mark.parametrize("name", names("dead"))
def test_our_own_message_is_found_in_what_comes_back(name: str) -> None:
    assert OURS in returned_message_ids(read("dead", name))


@pytest.mark.parametrize(
    ("diagnostic", "whose"),
    [
        ("smtp; 550 5.7.1 Service unavailable; client [192.0.2.10] is listed by bl.blocklist.example", "sender"),
        ("smtp; 552 5.3.4 Message size exceeds fixed limit", "message"),
        ("smtp; 550 5.1.1 RCP-P2 Refused due to recipient preferences", "message"),
        ("smtp; 552 5.2.2 Over quota", "moment"),
        ("X-Postfix; connect to mx.acme.example[192.0.2.1]:25: Connection timed out", "moment"),
        ("x-unix; procmail: Couldn't create /var/spool/mail/ann id: No such user", "moment"),
        ("smtp; 550 5.0.0 user unknown", "message"),
    ],
)
def test_what_is_no_fault_of_the_address_gives_it_not_up(diagnostic: str, whose: str) -> None:
    (failure,) = classify_message(report(diagnostic)).failures
    assert (failure.recipient, failure.fault.whose) == (ANN, whose)


def test_unknown_user_after_the_message_itself_is_a_filters_word() -> None:
    said = f"<{ANN}>: host mx said: 550 Unknown user {ANN} (in reply to end of DATA command)"
    judgement = classify_message(report(f"smtp; 550 Unknown user {ANN}", said=said))
    assert (judgement.kind, given_up(judgement)) == ("bounce", [])


def test_a_rule_of_the_receivers_that_says_unknown_gives_no_address_up() -> None:
    said = "smtp; 550 5.1.1 Mailbox does not exist"
    assert given_up(classify_message(report(said))) == [ANN]
    (failure,) = classify_message(report(said, reporter="inbound-smtp.eu-west-1.amazonaws.com")).failures
    assert (failure.recipient, failure.fault.whose) == (ANN, "message")


def test_what_is_told_to_people_does_not_overrule_the_servers_words() -> None:
    said = "The address may have been misspelled, or the user unknown. Check the address and send it again."
    assert given_up(classify_message(report("smtp; 554 Rejected", said=said))) == []


@pytest.mark.parametrize("name", names("delayed"))
def test_a_delay_is_no_failure_yet(name: str) -> None:
    (failure,) = classify_message(read("delayed", name)).failures
    assert (failure.recipient, failure.fault.whose, failure.delayed) == (ANN, "moment", True)


def test_each_of_several_recipients_has_a_cause_of_its_own() -> None:
    judgement = classify_message(read("several", "postfix"))
    assert [(failure.recipient, failure.fault.whose) for failure in judgement.failures] == [
        ("bob@acme.example", "moment"),
        (ANN, "address"),
    ]


@pytest.mark.parametrize("action", ["delivered", "relayed", "expanded", "deliverable"])
def test_success_is_no_bounce(action: str) -> None:
    assert classify_message(report("smtp; 250 ok", action=action, status="2.0.0")).kind == "auto_reply"


@pytest.mark.parametrize("name", names("people"))
def test_a_person_stays_a_person_whatever_he_forwards_quotes_or_writes_about(name: str) -> None:
    assert classify_message(read("people", name)) == Judgement("reply", "no sign of a machine")


def test_an_order_system_that_cannot_deliver_a_parcel_reports_no_dead_address() -> None:
    text = "From: no-reply@parcels.example\nSubject: Delivery failed\n\nYour parcel could not be delivered.\n"
    assert classify_message(message_from_string(text, policy=policy.compat32)).failures == ()
